"""From a Keras model to checked files: convert, quantize, audit, verify, decide, write."""

from __future__ import annotations

import gzip
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.command import failure_reason, log, progress, write_atomic
from cnn_keras.data.drawing import measure_drawing
from cnn_keras.data.preprocessing import Float32Images, UInt8Images
from cnn_keras.data.splits import Labels
from cnn_keras.errors import UsageError
from cnn_keras.training.evaluate import Probabilities, baseline_warning
from cnn_keras.training.predict import predict
from cnn_keras.unpack import trained_name

from .conversion import further_training
from .conversion.calibration import SEED, calibration_images
from .conversion.convert import convert
from .conversion.quantize import Ranges, calibrate, quantize_model
from .provenance import EXPORT_JSON
from .recipes import Recipe, Technique
from .source_model import SourceModel
from .tflite import metadata
from .tflite.flatbuffer import ModelFile
from .tflite.interpreter import Interpreter
from .verification.audit import audit, remarks
from .verification.reference_kernels import slowdown_remark
from .verification.refusal import reasons_to_refuse
from .verification.verify import Verdict, judge, require_finite

DRAWING_IMAGES = 1000  # from which the drawing pad's settings are measured


def export(
    source: SourceModel,
    out: Path,
    recipes: Sequence[Recipe],
    split: str = "validation",
    tuning_epochs: int | None = None,
    flip: bool | None = None,
) -> dict[str, Any]:
    """Write a file for each recipe that passes its checks, and `export.json` about all of them.

    A refused file is not written, and one from an earlier export is removed. If a file cannot be
    made, or LiteRT cannot run it, its row gives the reason, and None for what was not measured.

    Args:
        source: The model and its run.
        out: Folder for the files.
        recipes: How to store the numbers.
        split: Held-out images that the files are verified on: ``"validation"`` or ``"test"``.
        tuning_epochs: Passes over the training images for each technique of further training; by
            default a tenth of the run's.
        flip: Whether further training mirrors images at random, where the data set allows it; by
            default as in the run's own training, and not for an external model.

    Returns:
        The content of `export.json`; under ``"files"`` one row for each recipe.

    Raises:
        UsageError: A recipe includes further training, and the images have no labels; or the only
            recipe does, and the network's layers have no counterpart in tf_keras.
        Error: The model cannot be converted or gives NaN, there is no such split, or a package is
            missing that further training needs.
        OSError: `out` cannot be written.
    """
    further_training.require_trainable(source, recipes)
    require_writable(out)
    return write_files(prepare(source, split, tuning_epochs, flip), out, recipes)


def write_files(job: ExportJob, out: Path, recipes: Sequence[Recipe]) -> dict[str, Any]:
    """Write the files of an export whose reference is computed; see `export`.

    Raises:
        UsageError: The only recipe does not suit the network.
        OSError: `out` cannot be written.
    """
    source = job.source
    rows = []
    for recipe in recipes:
        start = time.perf_counter()
        log(f"{source.name}: {recipe.name}, verified on {len(job.images)} {job.split} images")
        try:
            content, row, _ = make_file(job, recipe)
        except OSError:
            raise  # a full disk has nothing to do with the recipe
        except Exception as error:
            if len(recipes) == 1 and isinstance(error, UsageError):
                raise
            log(f"{source.name}: {recipe.name} failed")
            content, row = b"", _failure_row(failure_reason(error), job)
        name = source.file_name(recipe)
        _write_or_remove(out, name, content if row["accepted"] else None)
        rows.append(
            {
                "recipe": recipe.name,
                "float_layers": recipe.float_layers,
                "int4_layers": recipe.int4_layers,
                "file": name if row["accepted"] else None,
                **row,
                "seconds": round(time.perf_counter() - start, 2),
            }
        )
    document = _document(job, out, rows)
    write_atomic(out / EXPORT_JSON, json.dumps(document, indent=2) + "\n")
    return document


@dataclass(frozen=True)
class ExportJob:
    """What all files of an export share.

    Attributes:
        source: The model and its run.
        split: Name of the split that the files are verified on.
        pixels: Images of the split `(n, height, width, channels)` in uint8.
        images: The same, preprocessed.
        labels: Their classes `(n,)`; None without labels.
        reference: The Keras model's probabilities `(n, num_classes)`.
        float32: The float32 file.
        float32_bytes: Size of the float32 file with metadata.
        calibration: Preprocessed training images `(n, height, width, channels)`.
        metadata: The metadata of each file.
        tuning_epochs: Passes over the training images in further training; None for the default.
        flip: Whether further training mirrors images at random; None for the default.
        ranges: Ranges from calibration, by the techniques of further training before it.
    """

    source: SourceModel
    split: str
    pixels: UInt8Images
    images: Float32Images
    labels: Labels | None
    reference: Probabilities
    float32: ModelFile
    float32_bytes: int
    calibration: Float32Images
    metadata: metadata.Metadata
    tuning_epochs: int | None
    flip: bool | None
    ranges: dict[Sequence[Technique], Ranges] = field(default_factory=dict)


class _Network(NamedTuple):
    """The network that a file is quantized from.

    Attributes:
        float32: Its float32 file.
        probabilities: Its probabilities for the job's images; None for the source model itself.
        sha256: Hash of its weights after further training; None for the source model itself.
        remarks: Remarks about the further training.
    """

    float32: ModelFile
    probabilities: Probabilities | None = None
    sha256: str | None = None
    remarks: Sequence[str] = ()


class MadeFile(NamedTuple):
    """The file of a recipe.

    Attributes:
        content: The file, accepted or not.
        row: Its row in `export.json`.
        outputs: Its probabilities `(n, num_classes)` for the job's images.
    """

    content: bytes
    row: dict[str, Any]
    outputs: Probabilities


def prepare(
    source: SourceModel,
    split: str = "validation",
    tuning_epochs: int | None = None,
    flip: bool | None = None,
) -> ExportJob:
    """Compute the reference and convert the source model; see `export`.

    Raises:
        Error: The model cannot be converted or gives NaN, or there is no such split.
    """
    run, dataset = source.run, source.dataset
    images = dataset.split(split)
    pixels, labels = images.read(), images.labels
    reference = predict(source.model, run.preprocessing, pixels)
    require_finite(reference)
    log(f"{source.name}: convert")
    float32 = ModelFile(convert(source.model))
    calibration = calibration_images(run, dataset)
    about = metadata.Metadata(
        source.name,
        source.description,
        run.classes,
        run.preprocessing.to_dict(),
        measure_drawing(dataset.train.sample(DRAWING_IMAGES).read()),
    )
    return ExportJob(
        source=source,
        split=split,
        pixels=pixels,
        images=run.preprocessing(pixels),
        labels=labels if dataset.labeled else None,
        reference=reference,
        float32=float32,
        float32_bytes=len(metadata.write(float32, about)),
        calibration=calibration,
        metadata=about,
        tuning_epochs=tuning_epochs,
        flip=flip,
    )


def make_file(job: ExportJob, recipe: Recipe) -> MadeFile:
    """Make and check the file of a recipe.

    Raises:
        UsageError: The recipe does not suit the network.
        ModelFileError: LiteRT cannot run the file.
    """
    network = _network_for(job, recipe)
    content = _quantize(job, recipe, network.float32)
    with progress(f"{job.source.name}: verify", len(job.images)) as advance:
        outputs = Interpreter(content)(job.images, advance)
    return MadeFile(content, _check(job, recipe, content, outputs, network), outputs)


def _network_for(job: ExportJob, recipe: Recipe) -> _Network:
    """Train the source model further, if the recipe includes it, and convert the result."""
    if not recipe.techniques:
        return _Network(job.float32)
    source = job.source
    setup = further_training.training_setup(source, job.tuning_epochs, job.flip)
    model, training_remarks = further_training.train(source, recipe.techniques, setup)
    return _Network(
        ModelFile(convert(model)),
        predict(model, source.run.preprocessing, job.pixels),
        further_training.weights_sha256(model),
        training_remarks,
    )


def _quantize(job: ExportJob, recipe: Recipe, float32: ModelFile) -> bytes:
    """Calibrate a float32 file if necessary, quantize it, and add the metadata."""
    ranges = None
    if recipe.needs_calibration:
        ranges = calibrated(job, float32, recipe.techniques)
    input_range = job.source.run.preprocessing.range
    model = quantize_model(float32, recipe, ranges, input_range=input_range)
    return metadata.write_model(model, job.metadata)


def calibrated(job: ExportJob, float32: ModelFile, techniques: Sequence[Technique] = ()) -> Ranges:
    """Return the ranges of a float32 file, which the static files of a job share.

    Args:
        job: The job.
        float32: The float32 file of the network.
        techniques: Its further training.
    """
    if techniques not in job.ranges:
        with progress(f"{job.source.name}: calibrate", len(job.calibration)) as advance:
            job.ranges[techniques] = calibrate(float32, job.calibration, advance)
    return job.ranges[techniques]


def _check(
    job: ExportJob, recipe: Recipe, content: bytes, outputs: Probabilities, network: _Network
) -> dict[str, Any]:
    """Audit and verify a file, decide whether it is accepted, and return its row."""
    audited = audit(content)
    verdict = judge(outputs, job.reference, job.labels, recipe, network.probabilities)
    reasons = reasons_to_refuse(audited, recipe, verdict.reasons)
    slowdown = []
    if audited.delegated_nodes == 0:
        slowdown = slowdown_remark(content, job.float32.content, job.images[:1])
    return {
        **verdict.to_dict(),
        "accepted": not reasons,
        "reasons": reasons,
        "remarks": [*verdict.remarks, *network.remarks, *remarks(audited), *slowdown],
        "size_bytes": audited.size_bytes,
        "gzip_bytes": len(gzip.compress(content, mtime=0)),
        "size_ratio": audited.size_bytes / job.float32_bytes,
        "sha256": audited.sha256,
        "tuned_weights": network.sha256,
        "audit": audited.to_dict(),
    }


def _failure_row(reason: str, job: ExportJob) -> dict[str, Any]:
    """Return the row of a file that could not be made or run: None for what was not measured."""
    top1_float = None
    if job.labels is not None:
        top1_float = float((job.reference.argmax(1) == job.labels).mean())
    known = {
        "num_images": len(job.reference),
        "top1_float": top1_float,
        "accepted": False,
        "reasons": [f"cannot be made: {reason.rstrip('.')}"],
        "remarks": [],
        "too_few_images": False,
    }
    judged = (each.name for each in fields(Verdict))
    measured = ("size_bytes", "gzip_bytes", "size_ratio", "sha256", "tuned_weights", "audit")
    return dict.fromkeys((*judged, *measured)) | known


def _write_or_remove(out: Path, name: str, content: bytes | None) -> None:
    """Write an accepted file; remove a refused one (None) of an earlier export."""
    (out / EXPORT_JSON).unlink(missing_ok=True)  # never beside another export's files
    if content is not None:
        write_atomic(out / name, content)
    else:
        (out / name).unlink(missing_ok=True)


def _document(job: ExportJob, out: Path, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the content of `export.json`."""
    run, dataset = job.source.run, job.source.dataset
    warning = baseline_warning(job.reference, job.labels, run.classes)
    return {
        "run": trained_name(run.path) or os.path.relpath(run.path, out),
        "model": run.model_file and os.path.relpath(run.model_file, out),
        "network": run.config["network"],
        "data": dataset.name,
        "labeled": dataset.labeled,
        "split": job.split,
        "num_images": len(job.images),
        "remarks": [*run.config.get("remarks", ()), *([warning] if warning else [])],
        "calibration": {"split": "train", "num_images": len(job.calibration), "seed": SEED},
        "files": rows,
    }


def require_writable(out: Path) -> None:
    """Check before the work that the folder can be written.

    Raises:
        OSError: It cannot; the error names the folder.
    """
    probe = out / ".writable"
    try:
        write_atomic(probe, "")
        probe.unlink()
    except OSError as error:
        error.filename = out  # the user does not know the probe
        raise
