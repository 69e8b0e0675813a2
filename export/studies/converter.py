"""How long all files of a network take: converted once and quantized, or converted for each.

TensorFlow's converter begins with the Keras model for every file, and again with every calibration
image. Here the float32 file is made once and every other file from that one, and the calibration
images are run once for all of them.
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
from ..conversion.quantize import Ranges, observe, quantize
from ..recipes import RECIPES, Recipe

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

RATIO = 1.3  # of the one conversion, for all files
CALIBRATION_SECONDS = 60.0
FLOAT32 = "float32"


class Made(NamedTuple):
    """A file, and how long it took.

    Attributes:
        recipe: How its numbers are stored, by our name.
        tool: ``"cnn-keras"`` or ``"TFLiteConverter"``.
        seconds: For this file alone: from the Keras model where `tool` starts there, and with
            calibration where it was not done for a file before.
        size_bytes: Of the file.
    """

    recipe: str
    tool: str
    seconds: float
    size_bytes: int


def converter(network: str, out: Path, images: int = 200) -> dict[str, Any]:
    """Make every file that needs no training, in both ways, and record the seconds.

    The weights are random, and calibration takes crops of photographs: neither makes a difference
    to how long it takes.

    Args:
        network: Row of the zoo, at its paper's size.
        out: Folder of the record.
        images: For calibration.

    Returns:
        The record.
    """
    shape = zoo.network(network).input_shape
    calibration = photographs.tensors(shape, images, half=0)
    rows = [row for row in RECIPES.values() if not row.techniques]
    model = zoo.build(network)
    made = ours(model, rows, calibration) + theirs(model, rows, calibration)
    return write_record(
        out / "converter.json",
        "study",
        "converter",
        claims(made),
        seeds=[0],
        budget={"network": network, "calibration_images": images},
        details={"files": [file._asdict() for file in made]},
        figure=_figure(made),
    )


def ours(model: keras.Model, rows: Sequence[Recipe], calibration: Float32Images) -> list[Made]:
    """Convert a model once and quantize the file by every recipe."""
    float32, first = _timed(FLOAT32, "cnn-keras", partial(convert, model))

    @cache
    def ranges() -> Ranges:
        with progress("calibrate", len(calibration)) as advance:
            return observe(float32, calibration, advance)

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


def theirs(model: keras.Model, rows: Sequence[Recipe], calibration: Float32Images) -> list[Made]:
    """Convert a model by TensorFlow's converter, anew for every recipe that it has."""
    return [
        _timed(row.name, "TFLiteConverter", _converter(model, row, calibration))[1]
        for row in rows
        if row.name in _OPTIONS
    ]


# What TensorFlow's converter calls our recipes; it has no others of them.
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

    def made() -> bytes:
        options = _OPTIONS[row.name]
        with quiet(1, 2), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Statistics for quantized inputs were expected")
            found = tf.lite.TFLiteConverter.from_keras_model(model)
            if "types" in options:
                found.optimizations = [tf.lite.Optimize.DEFAULT]
                found.target_spec.supported_types = [
                    getattr(tf, dtype) for dtype in options["types"]
                ]
            if "ops" in options:
                found.target_spec.supported_ops = [
                    getattr(tf.lite.OpsSet, ops) for ops in options["ops"]
                ]
            if row.needs_calibration:
                found.representative_dataset = lambda: ([image[None]] for image in calibration)
            return bytes(found.convert())

    return made


def _timed(recipe: str, tool: str, make: Callable[[], bytes]) -> tuple[bytes, Made]:
    log(f"{tool}: {recipe}")
    began = time.perf_counter()
    content = make()
    return content, Made(recipe, tool, round(time.perf_counter() - began, 2), len(content))


def claims(made: Sequence[Made]) -> list[Claim]:
    """Hold the sum of our seconds against `RATIO`, and both tools against each other."""
    seconds = {
        tool: {file.recipe: file.seconds for file in made if file.tool == tool}
        for tool in ("cnn-keras", "TFLiteConverter")
    }
    mine, others = seconds["cnn-keras"], seconds["TFLiteConverter"]
    total, limit = sum(mine.values()), RATIO * mine[FLOAT32] + CALIBRATION_SECONDS
    ratio = sum(mine[name] for name in others) / sum(others.values())
    return [
        Claim(
            f"all {len(mine)} files take at most {RATIO} of the one conversion and "
            f"{CALIBRATION_SECONDS:.0f} s for calibration, {limit:.0f} s (seconds)",
            total <= limit,
            total,
        ),
        Claim(
            f"the {len(others)} files that TFLiteConverter also makes take less time than by it "
            "(ratio of the sums)",
            ratio < 1,
            ratio,
        ),
    ]


def _figure(made: Sequence[Made]) -> Figure:
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(file.recipe for file in made))
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    axes = figure.subplots()
    for index, tool in enumerate(dict.fromkeys(file.tool for file in made)):
        files = [file for file in made if file.tool == tool]
        places = [names.index(file.recipe) + 0.4 * index for file in files]
        axes.barh(places, [file.seconds for file in files], 0.4, label=tool)
    axes.set_yticks([place + 0.2 for place in range(len(names))], names)
    axes.invert_yaxis()
    axes.set_xlabel("seconds")
    axes.legend()
    return figure
