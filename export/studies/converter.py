"""Time the conversion of all files of a network, here and with TensorFlow's converter.

TensorFlow's converter converts the Keras model again for each file, and runs the calibration images
again for each static file. `export` converts the model once, quantizes that float32 file for each
other recipe, and runs the calibration images once.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_keras import zoo
from cnn_keras.command import log, progress, quiet
from cnn_keras.data import photographs
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.experiments.record import Claim, write_record

from ..conversion.convert import convert
from ..conversion.quantize import Ranges, calibrate, quantize
from ..recipes import RECIPES, Recipe

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

MAX_RATIO = 1.3  # of the time of all files to that of the float32 conversion
CALIBRATION_SECONDS = 60.0
FLOAT32 = "float32"


class ConvertedFile(NamedTuple):
    """The time and the size of a converted file.

    Attributes:
        recipe: Row of `RECIPES`.
        tool: ``"cnn-keras"`` or ``"TFLiteConverter"``.
        seconds: Time for this file alone, including a conversion of the Keras model or a
            calibration if an earlier file of this tool has not done it already.
        size_bytes: Size of the file.
    """

    recipe: str
    tool: str
    seconds: float
    size_bytes: int


def converter(network: str, out: Path, *, num_images: int = 200) -> dict[str, Any]:
    """Make each file that needs no training with both tools, and record the times.

    The weights are random and the calibration images are crops of photographs; neither changes the
    times.

    Args:
        network: Row of the zoo; it has the size of its paper.
        out: Folder of the record and its figure.
        num_images: Number of calibration images.

    Returns:
        The record.
    """
    shape = zoo.network(network).input_shape
    calibration = photographs.tensors(shape, num_images, half=0)
    rows = [row for row in RECIPES.values() if not row.techniques]
    model = zoo.build(network)
    files = convert_once(model, rows, calibration) + convert_each(model, rows, calibration)
    return write_record(
        out / "converter.json",
        "study",
        "converter",
        claims(files),
        seeds=[0],
        budget={"network": network, "calibration_images": num_images},
        details={"files": [file._asdict() for file in files]},
        figure=_figure(files),
    )


def convert_once(
    model: keras.Model, rows: Sequence[Recipe], calibration: Float32Images
) -> list[ConvertedFile]:
    """Convert a model once, and quantize that file for each recipe."""
    float32, first = _timed(FLOAT32, "cnn-keras", partial(convert, model))

    @cache
    def ranges() -> Ranges:
        with progress("calibrate", len(calibration)) as advance:
            return calibrate(float32, calibration, advance)

    def quantized(row: Recipe) -> bytes:
        return quantize(float32, row, ranges() if row.needs_calibration else None)

    return [
        first,
        *(
            _timed(row.name, "cnn-keras", partial(quantized, row))[1]
            for row in rows
            if row.name != FLOAT32
        ),
    ]


def convert_each(
    model: keras.Model, rows: Sequence[Recipe], calibration: Float32Images
) -> list[ConvertedFile]:
    """Convert a model with TensorFlow's converter for each recipe that it supports."""
    return [
        _timed(row.name, "TFLiteConverter", _converter(model, row, calibration))[1]
        for row in rows
        if row.name in _OPTIONS
    ]


# Options of TensorFlow's converter for the recipes that it supports.
_OPTIONS: dict[str, dict[str, Any]] = {
    FLOAT32: {},
    "float16": {"types": ["float16"]},
    "dynamic_wi8_afp32": {"types": []},
    "static_wi8_ai8": {"types": [], "ops": ["TFLITE_BUILTINS_INT8", "TFLITE_BUILTINS"]},
    "static_wi8_ai16": {
        "types": [],
        "ops": [
            "EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8",
            "TFLITE_BUILTINS",
        ],
    },
}


def _converter(model: keras.Model, row: Recipe, calibration: Float32Images) -> Callable[[], bytes]:
    import tensorflow as tf

    def run() -> bytes:
        options = _OPTIONS[row.name]
        with quiet(1, 2), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            tf_converter = tf.lite.TFLiteConverter.from_keras_model(model)
            if "types" in options:
                tf_converter.optimizations = [tf.lite.Optimize.DEFAULT]
                tf_converter.target_spec.supported_types = [
                    getattr(tf, dtype) for dtype in options["types"]
                ]
            if "ops" in options:
                tf_converter.target_spec.supported_ops = [
                    getattr(tf.lite.OpsSet, ops) for ops in options["ops"]
                ]
            if row.needs_calibration:
                tf_converter.representative_dataset = lambda: (
                    [image[None]] for image in calibration
                )
            return bytes(tf_converter.convert())

    return run


def _timed(recipe: str, tool: str, make: Callable[[], bytes]) -> tuple[bytes, ConvertedFile]:
    log(f"{tool}: {recipe}")
    began = time.perf_counter()
    content = make()
    return content, ConvertedFile(recipe, tool, round(time.perf_counter() - began, 2), len(content))


def claims(files: Sequence[ConvertedFile]) -> list[Claim]:
    """Return the claims about the total time and about the ratio of both tools."""
    seconds = {
        tool: {file.recipe: file.seconds for file in files if file.tool == tool}
        for tool in ("cnn-keras", "TFLiteConverter")
    }
    own, other = seconds["cnn-keras"], seconds["TFLiteConverter"]
    total, limit = sum(own.values()), MAX_RATIO * own[FLOAT32] + CALIBRATION_SECONDS
    ratio = sum(own[name] for name in other) / sum(other.values())
    return [
        Claim(
            f"all {len(own)} files together take at most {MAX_RATIO} times the float32 conversion "
            f"and {CALIBRATION_SECONDS:.0f} s for calibration, {limit:.0f} s (seconds)",
            total <= limit,
            total,
        ),
        Claim(
            f"the {len(other)} files that TFLiteConverter also makes take less time than with it "
            "(ratio of the sums)",
            ratio < 1,
            ratio,
        ),
    ]


def _figure(files: Sequence[ConvertedFile]) -> Figure:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(file.recipe for file in files))
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    for index, tool in enumerate(dict.fromkeys(file.tool for file in files)):
        own = [file for file in files if file.tool == tool]
        positions = [names.index(file.recipe) + 0.4 * index for file in own]
        axes.barh(positions, [file.seconds for file in own], 0.4, label=tool)
    axes.set_yticks([position + 0.2 for position in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.legend()
    return figure
