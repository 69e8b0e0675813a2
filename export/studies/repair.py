"""Whether a layer that 8 bits ruin is found, and mended, in networks that were sound before.

One channel of a batch normalization is made louder, and what reads it as much quieter: the same
function, by the positive homogeneity of the rectifier between them. But an 8-bit activation has one
range for all its channels, and the loud one leaves the others a few steps of it. Real networks have
such channels where normalization divided by a tiny variance.

Reference:
    Nagel et al., "Data-free quantization through weight equalization and bias correction",
    arXiv:1906.04721, section 4.1, turns this around to make ranges alike.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_keras.command import log
from cnn_keras.errors import UsageError, unknown
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.training.config import Training
from cnn_keras.training.predict import predict
from cnn_keras.training.run_folder import Run

from ..benchmark.compare import compare as time_interleaved
from ..benchmark.intervals import Ratio
from ..benchmark.runner import LoadOptions, TimingOptions
from ..conversion.convert import convert
from ..conversion.quantize import observe, quantize
from ..pipeline import calibration_of
from ..recipes import Recipe, recipe
from ..verification.layer_errors import COMPARED_IMAGES, Layer, compare, figure, repair
from ..verification.verify import Verdict, verify

if TYPE_CHECKING:
    import keras

RECIPE = recipe("static_wi8_ai8")
MAX_FLOAT_LAYERS = 2
LOUDER = 2000.0
CHANNEL = 3


class Mended(NamedTuple):
    """What became of one network's ruined file.

    Attributes:
        seed: Of its training.
        top1_float: Accuracy of the Keras model.
        top1_sound: Of the file before one layer was ruined.
        top1_ruined: Of the file after.
        top1_repaired: Of the repaired file.
        reasons: Why the ruined file is refused; none if it is not.
        first: The layer that comparison names first.
        lost: What that layer loses itself, mean over channels; see `layers.Layer`.
        float_layers: Layers that the repair left in floating point.
        drop_points: What the repaired file loses.
        accepted: Whether it is within the recipe's limits.
        files_tried: Files that the repair made.
        size_ratio: Repaired file by ruined file.
        latency_ratio: Latency of the repaired file over that of the ruined one, timed in turns,
            with its 95 % interval.
    """

    seed: int
    top1_float: float | None
    top1_sound: float | None
    top1_ruined: float | None
    top1_repaired: float | None
    reasons: tuple[str, ...]
    first: str
    lost: float
    float_layers: list[str]
    drop_points: float | None
    accepted: bool
    files_tried: int
    size_ratio: float
    latency_ratio: Ratio


def repairing(
    training: Training,
    seeds: Sequence[int],
    normalization: str,
    runs: Path,
    out: Path,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Ruin a layer of trained networks, look for it, and repair the file.

    Args:
        training: The network's; its seed is replaced.
        seeds: One network each; finished runs are skipped.
        normalization: Batch normalization whose output is ruined; see `ruin`.
        runs: Folder of the run folders.
        out: Folder of the record.
        data_dir: Where the data set may lie.

    Returns:
        The record. Files are judged on the test split.
    """
    seeds, failed = training_runs.train_all([training], seeds, runs, data_dir)
    found = []
    for run in training_runs.finished(training, seeds, runs):
        with training_runs.going_on(run.path.name, failed):
            found.append(_mend(run, normalization, data_dir))
    training_runs.require_any(found, failed)
    return write_record(
        out / "repair.json",
        "study",
        "repair",
        claims([mended for mended, _ in found], normalization),
        seeds=seeds,
        budget=training_runs.budget(training),
        details={
            "network": training.network,
            "ruined": normalization,
            "louder": LOUDER,
            "networks": [mended._asdict() for mended, _ in found],
        },
        figure=figure(found[0][1]),
        failed=failed,
    )


def ruin(model: keras.Model, normalization: str) -> keras.Model:
    """Return an equal network of which 8-bit activations lose a layer.

    Args:
        model: Of convolutions with batch normalization and rectifiers.
        normalization: Name of a batch normalization that only convolutions read, through a
            rectifier: the first one in a residual branch is.

    Raises:
        UsageError: There is no such layer, or something else reads it.
    """
    import keras

    ruined = keras.models.clone_model(model)
    ruined.set_weights(model.get_weights())
    names = [layer.name for layer in ruined.layers]
    if normalization not in names:
        raise unknown("layer", normalization, names)
    layer = ruined.get_layer(normalization)
    readers = [reader for rectifier in _readers(layer) for reader in _readers(rectifier)]
    convolutions = keras.layers.Conv2D, keras.layers.DepthwiseConv2D
    if not isinstance(layer, keras.layers.BatchNormalization) or not all(
        isinstance(reader, convolutions) for reader in readers
    ):
        raise UsageError(
            f"'{normalization}' is not a batch normalization that only convolutions read, through "
            "a rectifier."
        )
    gamma, beta, *statistics = layer.get_weights()
    gamma[CHANNEL] *= LOUDER
    beta[CHANNEL] *= LOUDER
    layer.set_weights([gamma, beta, *statistics])
    for reader in readers:
        kernel, *bias = reader.get_weights()
        kernel[:, :, CHANNEL] /= LOUDER
        reader.set_weights([kernel, *bias])
    return ruined


def _readers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    return [node.operation for node in layer._outbound_nodes]


def _mend(run: Run, normalization: str, data_dir: Path | None) -> tuple[Mended, list[Layer]]:
    """Ruin a run's network and mend its file; also return the comparison that found the layer."""
    dataset = run.dataset(data_dir)
    pixels, labels = dataset.test
    images, calibration = run.preprocessing(pixels), calibration_of(run, dataset)
    few = run.preprocessing(dataset.test.sample(COMPARED_IMAGES).images)
    sound = run.model()
    ruined = ruin(sound, normalization)
    reference = predict(ruined, run.preprocessing, pixels)

    def judge(content: bytes, row: Recipe) -> Verdict:
        return verify(content, reference, images, labels, row)

    unruined = judge(quantize(convert(sound), RECIPE, calibration), RECIPE)
    float32 = convert(ruined)
    ranges = observe(float32, calibration)
    broken = quantize(float32, RECIPE, ranges)
    verdict = judge(broken, RECIPE)
    layers = compare(float32, broken, few)
    mended = repair(float32, RECIPE, ranges, judge, few, log)
    with tempfile.TemporaryDirectory() as folder:
        repaired, before = (Path(folder) / f"{name}.tflite" for name in ("repaired", "ruined"))
        repaired.write_bytes(mended.content)
        before.write_bytes(broken)
        timed = time_interleaved(
            LoadOptions(str(repaired)), LoadOptions(str(before)), TimingOptions()
        )
    return (
        Mended(
            seed=run.config["seed"],
            top1_float=verdict.top1_float,
            top1_sound=unruined.top1_file,
            top1_ruined=verdict.top1_file,
            top1_repaired=mended.verdict.top1_file,
            reasons=verdict.reasons,
            first=layers[0].layer,
            lost=layers[0].added,
            float_layers=[layer.layer for layer in mended.layers],
            drop_points=mended.verdict.drop_points,
            accepted=mended.verdict.accepted,
            files_tried=mended.files,
            size_ratio=len(mended.content) / len(broken),
            latency_ratio=timed.ratio,
        ),
        layers,
    )


def claims(found: Sequence[Mended], normalization: str) -> list[Claim]:
    """Say of all networks what has to hold of each."""
    convolution = normalization.removesuffix("_bn")  # which it became one with
    refused = sum(bool(mended.reasons) for mended in found)
    named = sum(mended.first.startswith(convolution) for mended in found)
    accepted = sum(mended.accepted for mended in found)
    left = [len(mended.float_layers) for mended in found]

    def all_of(count: int) -> tuple[bool, int]:
        return count == len(found), count

    return [
        Claim(f"the ruined file of each of {len(found)} networks is refused", *all_of(refused)),
        Claim(f"comparison by layer names {convolution} first for each", *all_of(named)),
        Claim(
            f"the repair leaves at most {MAX_FLOAT_LAYERS} layers in floating point",
            max(left) <= MAX_FLOAT_LAYERS,
            max(left),
            (min(left), max(left)),
        ),
        Claim(f"each repaired file is within the limits of {RECIPE.name}", *all_of(accepted)),
    ]
