"""Checks of an exported file against the run that it came from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.command import log, progress, write_atomic
from cnn_keras.data.datasets import Dataset
from cnn_keras.data.loading.image_files import AnySplit
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.data.splits import Labels
from cnn_keras.errors import UsageError
from cnn_keras.training.evaluate import Probabilities
from cnn_keras.training.predict import predict
from cnn_keras.training.run_folder import Run

from ..benchmark.comparison.compare import compare
from ..benchmark.runner import LoadOptions, TimingOptions
from ..conversion.calibration import calibration_images
from ..conversion.convert import convert
from ..conversion.further_training import load_network
from ..conversion.quantize import calibrate
from ..provenance import find_run, read_export_row, stated_recipe
from ..recipes import Recipe
from ..tflite import metadata
from ..tflite.interpreter import read_file
from ..tflite.isolation import call
from .audit import Audit, remarks
from .layer_errors import NUM_IMAGES, LayerError
from .refusal import reasons_to_refuse
from .repair import Repaired, repair
from .verify import Verdict, verify


class Provenance(NamedTuple):
    """The run and the recipe that a file comes from.

    Attributes:
        file: Path of the file.
        content: The file.
        audit: What it contains.
        run: Its run folder.
        recipe: Its recipe, with the layers that it keeps in floating point.
        tuned_weights: Hash of the network after further training, if `export.json` has one.
    """

    file: Path
    content: bytes
    audit: Audit
    run: Run
    recipe: Recipe
    tuned_weights: str | None


class ExportedFile(NamedTuple):
    """A file with the data of its run that it is verified on.

    Attributes:
        provenance: The file, its recipe and its run.
        dataset: The run's data set.
        split: Images and labels of the split that the file is verified on.
        images: The images, preprocessed.
        labels: Their classes `(n,)`; None without labels.
        reference: The Keras model's probabilities `(n, num_classes)`.
        made_from: Probabilities of the network after further training; None without it.
    """

    provenance: Provenance
    dataset: Dataset
    split: AnySplit
    images: Float32Images
    labels: Labels | None
    reference: Probabilities
    made_from: Probabilities | None


def find_provenance(
    file: Path, run: Path | None = None, recipe: str | None = None, keep_float: str | None = None
) -> Provenance:
    """Find the run and the recipe of a file.

    Args:
        file: Path of the file.
        run: Its run folder; by default the one in the `export.json` beside the file.
        recipe: Name of its recipe; by default the one in `export.json`, or the one that the file's
            types correspond to.
        keep_float: Pattern of further tensors that it keeps in floating point.

    Raises:
        UsageError: Run or recipe are unknown.
        Error: There is no such run.
        ModelFileError: The file cannot be read.
    """
    content = read_file(file)
    audit = call("verification.audit.audit", file, file=file)
    path, stated = run or find_run(file), read_export_row(file)
    if path is None:
        raise UsageError(f"The run of {file} is unknown: name it with --run.")
    name = recipe or stated.get("recipe") or audit.recipe
    if name is None:
        raise UsageError(f"{file} corresponds to no known recipe: name one with --recipe.")
    row = stated_recipe(name, stated)
    if keep_float is not None:
        row = row.with_float_layers(keep_float)
    found = Run.open(path)
    if run is None and stated.get("model"):
        found = replace(found, model_file=file.parent / stated["model"])
    return Provenance(file, content, audit, found, row, stated.get("tuned_weights"))


def load(provenance: Provenance, split: str, data_dir: Path | None = None) -> ExportedFile:
    """Load a file's data, and compute what the file is compared with. This needs Keras.

    Args:
        provenance: The file, its recipe and its run.
        split: Name of the split: ``"train"``, ``"validation"`` or ``"test"``.
        data_dir: Folder in which the data set is looked for first.

    Raises:
        UsageError: There is no such split, or the run lacks the network after further training.
        Error: The model or the data set cannot be loaded.
    """
    run, recipe = provenance.run, provenance.recipe
    dataset = run.dataset(data_dir)
    images = dataset.split(split)
    labels = images.labels if dataset.labeled else None
    pixels = images.read()
    reference = run.predict(pixels)
    made_from = None
    if recipe.techniques:
        network = load_network(run, recipe, provenance.tuned_weights)
        made_from = predict(network, run.preprocessing, pixels)
    preprocessed = run.preprocessing(pixels)
    return ExportedFile(provenance, dataset, images, preprocessed, labels, reference, made_from)


def verify_file(exported: ExportedFile) -> dict[str, Any]:
    """Verify a file in a subprocess, and return the verdict as JSON types.

    Raises:
        ModelFileError: The file cannot be run.
    """
    provenance = exported.provenance
    with progress("verify", len(exported.images)) as advance:
        verdict: Verdict = call(
            "verification.verify.verify",
            provenance.file,
            exported.reference,
            exported.images,
            exported.labels,
            provenance.recipe,
            exported.made_from,
            file=provenance.file,
            advance=advance,
        )
    reasons = reasons_to_refuse(provenance.audit, provenance.recipe, verdict.reasons)
    return {
        **verdict.to_dict(),
        "accepted": not reasons,
        "reasons": reasons,
        "remarks": remarks(provenance.audit),
    }


def float32_file(exported: ExportedFile) -> bytes:
    """Convert the network that a file was quantized from.

    Raises:
        Error: The network cannot be converted.
    """
    provenance = exported.provenance
    return convert(load_network(provenance.run, provenance.recipe))


def compare_file(exported: ExportedFile, float32: bytes) -> list[LayerError]:
    """Compare the layers of a file with those of its float32 file, in a subprocess.

    Raises:
        ModelFileError: The file cannot be run.
    """
    provenance, images = exported.provenance, _sample(exported)
    with progress("compare", len(images)) as advance:
        errors: list[LayerError] = call(
            "verification.layer_errors.compare_layers",
            float32,
            provenance.content,
            images,
            file=provenance.file,
            advance=advance,
        )
    return errors


def repair_file(exported: ExportedFile, float32: bytes, out: Path) -> dict[str, Any]:
    """Repair a file, write the result, and return what it contains and costs, as JSON types.

    Args:
        exported: The file and its data.
        float32: The float32 file that it was quantized from.
        out: Path of the repaired file.

    Raises:
        Error: The file cannot be repaired.
    """
    provenance = exported.provenance
    audit, run, recipe = provenance.audit, provenance.run, provenance.recipe
    io_types: Any = audit.input.dtype, audit.output.dtype
    ranges = None
    if recipe.needs_calibration:
        ranges = calibrate(float32, calibration_images(run, exported.dataset))

    def check(content: bytes, mixed: Recipe) -> Verdict:
        return verify(
            content, exported.reference, exported.images, exported.labels, mixed, exported.made_from
        )

    repaired = repair(
        float32,
        recipe.with_io_types(*io_types),
        ranges,
        check,
        _sample(exported),
        log,
        run.preprocessing.range,
    )
    return _write_repaired(repaired, provenance, out)


def _sample(exported: ExportedFile) -> Float32Images:
    """Return a few preprocessed images of all classes."""
    return exported.provenance.run.preprocessing(exported.split.sample(NUM_IMAGES).read())


def _write_repaired(repaired: Repaired, provenance: Provenance, out: Path) -> dict[str, Any]:
    """Write a repaired file with the original's metadata, and compare size and latency."""
    file, content = provenance.file, provenance.content
    about = metadata.read(content)
    data = metadata.write(repaired.content, about) if about else repaired.content
    write_atomic(out, data)
    log(f"{out}: compare its latency with that of {file}")
    timed = compare(LoadOptions(str(out)), LoadOptions(str(file)), TimingOptions())
    return {
        "file": str(out),
        "float_layers": [layer.layer for layer in repaired.layers],
        "keep_float": repaired.recipe.float_layers,
        "files_tried": repaired.files,
        **repaired.verdict.to_dict(),
        "size_bytes": len(data),
        "size_ratio": len(data) / len(content),
        "latency_p50_ms": timed.row.latency_p50_ms,
        "latency_ratio": timed.ratio.value,
        "latency_ratio_interval": [timed.ratio.low, timed.ratio.high],
    }
