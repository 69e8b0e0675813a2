"""Test whether `verify` finds and repairs a layer that loses its signal in 8 bits.

One channel of a batch normalization is scaled up, and the weights that read it are scaled down as
much. The function stays the same, because the rectifier between them is positively homogeneous. But
an 8-bit activation has one range for all channels, and the scaled channel leaves only a few steps
of it to the others. Networks have such channels where a batch normalization divides by a tiny
variance.

Reference:
    Nagel et al., "Data-free quantization through weight equalization and bias correction",
    arXiv:1906.04721, section 4.1, uses the inverse to equalize ranges.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_keras.command import log
from cnn_keras.errors import UsageError, unknown
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.training.config import Training
from cnn_keras.training.predict import predict
from cnn_keras.training.run_folder import Run

from ..benchmark.comparison.compare import compare as time_interleaved
from ..benchmark.comparison.latency_ratio import Ratio
from ..benchmark.runner import LoadOptions, TimingOptions
from ..conversion.calibration import calibration_images
from ..conversion.convert import convert
from ..conversion.quantize import calibrate, quantize
from ..recipes import Recipe, recipe
from ..verification.layer_errors import NUM_IMAGES, LayerError, compare_layers, errors_figure
from ..verification.repair import repair
from ..verification.verify import Verdict, verify

if TYPE_CHECKING:
    import keras

RECIPE = recipe("static_wi8_ai8")
MAX_FLOAT_LAYERS = 2
SCALE = 2000.0
CHANNEL = 3


class RepairResult(NamedTuple):
    """The files of one network: before the channel is scaled, after, and repaired.

    Attributes:
        seed: Seed of the training.
        top1_float: Accuracy of the Keras model.
        top1_sound: Accuracy of the file of the unchanged network.
        top1_ruined: Accuracy of the file of the scaled network.
        top1_repaired: Accuracy of the repaired file.
        reasons: Reasons to refuse the file of the scaled network.
        first: Layer that the comparison of layers lists first.
        lost: Signal that this layer loses itself, mean over channels; see `LayerError`.
        float_layers: Layers that the repair leaves in floating point.
        drop_points: Accuracy that the repaired file loses, in points.
        accepted: Whether the repaired file is within the recipe's limits.
        files_tried: Number of files that the repair made.
        size_ratio: Size of the repaired file, relative to the file of the scaled network.
        latency_ratio: Latency of the repaired file, relative to the file of the scaled network,
            timed alternately, with its 95 % interval.
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


def repair_study(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    normalization: str,
) -> dict[str, Any]:
    """Scale a channel of trained networks, find the layer, and repair the files.

    Finished runs are skipped. Files are verified on the test split.

    Args:
        training: Training of the network; its seed is replaced.
        seeds: The network is trained once for each seed.
        workspace: Where to train and to write.
        normalization: Batch normalization to scale; see `scale_channel`.

    Returns:
        The record.
    """
    seeds, failed = training_runs.train_all([training], seeds, workspace)
    repaired = []
    for run in training_runs.finished_runs(training, seeds, workspace.runs):
        with training_runs.continue_on_error(run.path.name, failed):
            repaired.append(_repair(run, normalization, workspace.data_dir))
    training_runs.require_any(repaired, failed)
    results = [result for result, _ in repaired]
    return workspace.write_record(
        "repair",
        "repair",
        claims(results, normalization),
        seeds=seeds,
        budget=training_runs.budget(training),
        details={
            "network": training.network,
            "ruined": normalization,
            "louder": SCALE,
            "networks": [result._asdict() for result in results],
        },
        figure=errors_figure(repaired[0][1]),
        failed=failed,
    )


def scale_channel(model: keras.Model, normalization: str) -> keras.Model:
    """Return a network of the same function, one layer of which loses its signal in 8 bits.

    Args:
        model: Network of convolutions with batch normalization and rectifiers.
        normalization: Name of a batch normalization that only convolutions read, through a
            rectifier, such as the first one in a residual branch.

    Raises:
        UsageError: There is no such layer, or other layers read it.
    """
    import keras

    scaled = keras.models.clone_model(model)
    scaled.set_weights(model.get_weights())
    names = [layer.name for layer in scaled.layers]
    if normalization not in names:
        raise unknown("layer", normalization, names)
    layer = scaled.get_layer(normalization)
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
    gamma[CHANNEL] *= SCALE
    beta[CHANNEL] *= SCALE
    layer.set_weights([gamma, beta, *statistics])
    for reader in readers:
        kernel, *bias = reader.get_weights()
        kernel[:, :, CHANNEL] /= SCALE
        reader.set_weights([kernel, *bias])
    return scaled


def _readers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    return [node.operation for node in layer._outbound_nodes]


def _repair(
    run: Run, normalization: str, data_dir: Path | None
) -> tuple[RepairResult, list[LayerError]]:
    """Scale a channel of a run's network, and repair its file.

    Returns:
        The result, and the comparison by layer.
    """
    dataset = run.dataset(data_dir)
    pixels, labels = dataset.test.read(), dataset.test.labels
    images, calibration = run.preprocessing(pixels), calibration_images(run, dataset)
    sample = run.preprocessing(dataset.test.sample(NUM_IMAGES).read())
    sound = run.model()
    scaled = scale_channel(sound, normalization)
    reference = predict(scaled, run.preprocessing, pixels)

    def verdict_of(content: bytes, row: Recipe) -> Verdict:
        return verify(content, reference, images, labels, row)

    sound_verdict = verdict_of(quantize(convert(sound), RECIPE, calibration), RECIPE)
    float32 = convert(scaled)
    ranges = calibrate(float32, calibration)
    content = quantize(float32, RECIPE, ranges)
    verdict = verdict_of(content, RECIPE)
    layers = compare_layers(float32, content, sample)
    repaired = repair(float32, RECIPE, ranges, verdict_of, sample, log)
    with tempfile.TemporaryDirectory() as folder:
        after, before = (Path(folder) / f"{name}.tflite" for name in ("repaired", "scaled"))
        after.write_bytes(repaired.content)
        before.write_bytes(content)
        timed = time_interleaved(LoadOptions(str(after)), LoadOptions(str(before)), TimingOptions())
    result = RepairResult(
        seed=run.config["seed"],
        top1_float=verdict.top1_float,
        top1_sound=sound_verdict.top1_file,
        top1_ruined=verdict.top1_file,
        top1_repaired=repaired.verdict.top1_file,
        reasons=verdict.reasons,
        first=layers[0].layer,
        lost=layers[0].added,
        float_layers=[layer.layer for layer in repaired.layers],
        drop_points=repaired.verdict.drop_points,
        accepted=repaired.verdict.accepted,
        files_tried=repaired.files,
        size_ratio=len(repaired.content) / len(content),
        latency_ratio=timed.ratio,
    )
    return result, layers


def claims(results: Sequence[RepairResult], normalization: str) -> list[Claim]:
    """Return the claims about all networks."""
    convolution = normalization.removesuffix("_bn")  # the file has both as one layer
    refused = sum(bool(result.reasons) for result in results)
    listed_first = sum(result.first.startswith(convolution) for result in results)
    accepted = sum(result.accepted for result in results)
    float_layers = [len(result.float_layers) for result in results]

    def all_of(count: int) -> tuple[bool, int]:
        return count == len(results), count

    return [
        Claim(
            f"the file with the scaled channel of each of {len(results)} networks is refused",
            *all_of(refused),
        ),
        Claim(f"the comparison by layer lists {convolution} first for each", *all_of(listed_first)),
        Claim(
            f"the repair leaves at most {MAX_FLOAT_LAYERS} layers in floating point",
            max(float_layers) <= MAX_FLOAT_LAYERS,
            max(float_layers),
            (min(float_layers), max(float_layers)),
        ),
        Claim(f"each repaired file is within the limits of {RECIPE.name}", *all_of(accepted)),
    ]
