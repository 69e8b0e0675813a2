"""Quantize a float32 file: flatbuffer in, flatbuffer out, without converting the model again."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.command import quiet
from cnn_keras.errors import Error, UsageError

from . import ends, metadata
from .audit import inferred_recipe
from .flatbuffer import name_of, op_names, pack, parse, shape_of
from .recipes import Number, Recipe
from .recipes import recipe as find_recipe

Images = NDArray[np.float32]
Ranges = dict[str, Any]

# litert-quantizer has this as an algorithm without a named recipe.
_FLOAT16_RULE = {
    "regex": ".*",
    "operation": "*",
    "algorithm_key": "float_casting",
    "op_config": {
        "weight_tensor_config": {"num_bits": 16, "dtype": "FLOAT"},
        "compute_precision": "FLOAT",
        "explicit_dequantize": True,
    },
}

# 256 steps of 1/256, as LiteRT's softmax has them (tensorflow/lite/kernels/activations.cc).
_PROBABILITIES = (0.0, 255 / 256)

# Beyond this, the threads wait for each other in the networks of this package.
_MAX_THREADS = 4


def quantize(
    flatbuffer: bytes,
    recipe: str | Recipe,
    calibration: Images | None = None,
    advance: Callable[[], None] | None = None,
    *,
    input_type: Number | None = None,
    output_type: Number | None = None,
    input_range: tuple[float, float] | None = None,
) -> bytes:
    """Store a float32 file's numbers by another recipe.

    Input and output stay float32 unless they are asked for in integers, so that files can be
    exchanged for each other; the conversion is a node that XNNPACK runs. An integer input whose
    range is what pixels from 0 to 255 become takes the pixels as they are, to half a gray level
    (int8: less 128), if all channels have the same mean and deviation. Integer probabilities have
    the scale of LiteRT's own integer softmax, 1/256.

    Args:
        flatbuffer: The float32 file that `convert` made.
        recipe: A name from `recipes.RECIPES`, or a row.
        calibration: Preprocessed *training* images `(n, height, width, channels)`, as
            `calibration.sample` draws them; needed by static recipes only.
        advance: Called after each calibration image.
        input_type: Type of the input; by default the row's, float32.
        output_type: Type of the output, likewise.
        input_range: Least and greatest value that an integer input stands for; by default those of
            the calibration images.

    Returns:
        The file. The same input gives the same bytes.

    Raises:
        UsageError: Unknown recipe, an end that it does not have, a file that is quantized already,
            or calibration images that are missing, not of the file's size, or not normalized as its
            metadata say.
        Error: The calibration images hold NaN or infinity.
        ModelFileError: `flatbuffer` is no TFLite file.

    Example:
        int8 = quantize(float32, "static_wi8_ai8", images)
    """
    row = find_recipe(recipe) if isinstance(recipe, str) else recipe
    row = row.with_ends(input_type or row.input_type, output_type or row.output_type)
    model = parse(flatbuffer)
    if (found := inferred_recipe(model)) != "float32":
        raise UsageError(f"The file is {found} already; quantize the float32 file instead.")
    if row.stored_as == "float32":
        return flatbuffer
    rules, ranges = _rules(row), None
    if row.needs_calibration:
        images = _checked(calibration, model, row)
        _require_range(images, flatbuffer)
        ranges = _observe(flatbuffer, _signature(model), images, rules, advance or (lambda: None))
        _set_ranges(ranges, model, row, input_range)
    quantized = parse(_apply(flatbuffer, rules, ranges))
    if row.input_type == "uint8":
        ends.unsigned_input(quantized)
    if row.output_type == "uint8":
        ends.unsigned_output(quantized)
    return pack(quantized)


def _rules(row: Recipe) -> list[dict[str, Any]]:
    """Return the recipe in the quantizer's terms; of two rules for an operation the last holds."""
    from litert_quantizer import recipe as named

    # INPUT and OUTPUT are the quantizer's names for the file's ends.
    types = {"INPUT": row.input_type, "OUTPUT": row.output_type}
    float_ends = [end for end, dtype in types.items() if row.integer and dtype == "float32"]
    kept = [(".*", op) for op in (*float_ends, *row.float_ops)]
    if row.float_layers is not None:
        kept.append((row.float_layers, "*"))
    rules: list[dict[str, Any]] = (
        [_FLOAT16_RULE] if row.name == "float16" else getattr(named, row.stored_as)()
    )
    if row.per_tensor:
        for rule in rules:
            rule["op_config"]["weight_tensor_config"]["granularity"] = "TENSORWISE"
    return [
        *rules,
        *({"regex": regex, "operation": op, "algorithm_key": "no_quantize"} for regex, op in kept),
    ]


def _set_ranges(
    ranges: Ranges, model: Any, row: Recipe, input_range: tuple[float, float] | None
) -> None:
    """Replace what was observed at integer ends by what is known of them."""
    graph = model.subgraphs[0]
    known: dict[int, tuple[float, float]] = {}
    if row.input_type != "float32" and input_range:
        known[graph.inputs[0]] = input_range
    if row.output_type != "float32" and op_names(model)[-1] == "SOFTMAX":
        known[graph.outputs[0]] = _PROBABILITIES
    for index, (low, high) in known.items():
        found = ranges[name_of(graph.tensors[index])]
        found["min"], found["max"] = (
            np.full_like(found["min"], low),
            np.full_like(found["max"], high),
        )


def _checked(calibration: Images | None, model: Any, row: Recipe) -> Images:
    if calibration is None or not len(calibration):
        raise UsageError(
            f"Recipe '{row.name}' needs calibration images: about 200 preprocessed training images."
        )
    graph = model.subgraphs[0]
    expected = shape_of(graph.tensors[graph.inputs[0]])[1:]
    if calibration.shape[1:] != expected:
        raise UsageError(
            f"Calibration images are {calibration.shape[1:]}; the file's input is {expected}."
        )
    if not np.isfinite(calibration).all():
        raise Error("The calibration images hold NaN or infinity; look at the data set.")
    return calibration.astype(np.float32, copy=False)


def _require_range(images: Images, flatbuffer: bytes) -> None:
    """Refuse calibration images that are not preprocessed as the file says, where it does.

    Some of 200 pictures are dark and some are bright: together they reach into the outer quarters
    of what pixels from 0 to 255 become.
    """
    about = metadata.read(flatbuffer)
    if about is None or not about.preprocessing:
        return
    mean, std = (np.array(about.preprocessing[key]) for key in ("mean", "std"))
    low, high = (0 - mean) / std, (255 - mean) / std
    least, most = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2))
    slack, quarter = 1e-3 * (high - low), (high - low) / 4
    outside = (least < low - slack) | (most > high + slack)
    within = (least > low + quarter) | (most < high - quarter)
    if (outside | within).any():
        raise UsageError(
            f"The calibration images have values from {least.min():.3g} to {most.max():.3g}; by "
            f"the file's preprocessing they have from {low.min():.3g} to {high.max():.3g}: "
            "normalize them as the training images were."
        )


def _signature(model: Any) -> tuple[str, str]:
    """Return the name of the file's signature and of its input."""
    if not model.signatureDefs:
        raise UsageError("The file has no signature; make it with `export.convert`.")
    signature = model.signatureDefs[0]
    return signature.signatureKey.decode(), signature.inputs[0].name.decode()


def _observe(
    data: bytes,
    signature: tuple[str, str],
    images: Images,
    rules: list[dict[str, Any]],
    advance: Callable[[], None],
) -> Ranges:
    """Run the images and return the least and greatest value of every tensor.

    Extremes, because the quantizer's default, a moving average, depends on the images' order and
    clips what the last ones do not reach. The profiler takes them inside the runtime, in a sixth of
    the time of copying every tensor out.
    """
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    key, name = signature
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(rules)
    with quiet(1, 2):
        observer = calibrator.Calibrator(
            data,
            num_threads=min(_MAX_THREADS, os.cpu_count() or 1),
            mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
            qsv_update_func=qsv_utils.min_max_update,
        )
    # The count serves a progress bar of its own, which it draws over ours unless it counts nothing.
    observer._get_total_operations = lambda dataset: 0

    def samples() -> Iterator[dict[str, Images]]:
        for image in images:
            yield {name: image[np.newaxis]}
            advance()

    observer.calibrate({key: samples()}, manager)
    ranges: Ranges = observer.get_model_qsvs()
    return ranges


def _apply(data: bytes, rules: list[dict[str, Any]], ranges: Ranges | None) -> bytes:
    from litert_quantizer import quantizer

    with quiet(1, 2), warnings.catch_warnings():
        # It opens an interpreter that keeps all tensors, to look at their names only.
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`")
        result = quantizer.Quantizer(bytearray(data), rules).quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
    return bytes(result.quantized_model)
