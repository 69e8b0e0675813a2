"""Quantize a float32 file: flatbuffer in, flatbuffer out, without converting the model again."""

from __future__ import annotations

import copy
import os
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.command import quiet
from cnn_keras.errors import Error, UsageError

from ..recipes import IOType, Recipe
from ..recipes import recipe as find_recipe
from ..tflite import metadata
from ..tflite.flatbuffer import name_of, op_names, pack, parse, shape_of
from ..tflite.lrn import lrn_tensors
from ..tflite.quantization import inferred_recipe, integer_activations
from . import input_output_types

Images = NDArray[np.float32]
Ranges = dict[str, Any]
"""Least and greatest value of every tensor of a float32 file, by the tensor's name."""

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
    calibration: Images | Ranges | None = None,
    advance: Callable[[], None] | None = None,
    *,
    input_type: IOType | None = None,
    output_type: IOType | None = None,
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
        calibration: What static recipes alone need: preprocessed *training* images `(n, height,
            width, channels)`, as `calibration.sample` draws them, or the ranges that `observe`
            found with them, which several recipes can share.
        advance: Called after each calibration image.
        input_type: Type of the input; by default the row's, float32.
        output_type: Type of the output, likewise.
        input_range: Least and greatest value that an integer input stands for; by default those of
            the calibration images.

    Returns:
        The file. The same input gives the same bytes.

    Raises:
        UsageError: Unknown recipe, an end that it does not have, a file that is quantized already,
            no calibration images, or those that `observe` refuses.
        Error: See `observe`.
        ModelFileError: `flatbuffer` is no TFLite file.

    Example:
        int8 = quantize(float32, "static_wi8_ai8", images)
    """
    row = find_recipe(recipe) if isinstance(recipe, str) else recipe
    row = row.with_io_types(input_type or row.input_type, output_type or row.output_type)
    model = _float32(flatbuffer)
    if row.stored_as == "float32":
        return flatbuffer
    ranges = None
    if row.needs_calibration:
        if calibration is None or not len(calibration):
            raise UsageError(
                f"Recipe '{row.name}' needs calibration images: about 200 preprocessed training "
                "images."
            )
        if not isinstance(calibration, dict):
            calibration = observe(flatbuffer, calibration, advance)
        # A copy, because the quantizer writes into it what it knows of softmax and tanh.
        ranges = copy.deepcopy(calibration) | _known_ranges(model, row, input_range)
    quantized = parse(_apply(flatbuffer, _rules(row, model), ranges))
    if row.input_type == "uint8":
        input_output_types.unsigned_input(quantized)
    if row.output_type == "uint8":
        input_output_types.unsigned_output(quantized)
    return pack(quantized)


def observe(flatbuffer: bytes, images: Images, advance: Callable[[], None] | None = None) -> Ranges:
    """Run calibration images and return the least and greatest value of every tensor.

    Extremes, because the quantizer's default, a moving average, depends on the images' order and
    clips what the last ones do not reach. The profiler takes them inside the runtime, in a sixth of
    the time of copying every tensor out.

    Args:
        flatbuffer: The float32 file that `convert` made.
        images: See `quantize`.
        advance: Called after each image.

    Raises:
        UsageError: A file that is quantized already, or images that are not of the file's size, or
            not normalized as its metadata say.
        Error: The images hold NaN or infinity.
        ModelFileError: `flatbuffer` is no TFLite file.
    """
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    model = _float32(flatbuffer)
    images = _checked(images, model)
    _require_range(images, flatbuffer)
    key, name = _signature(model)
    with quiet(1, 2):
        observer = calibrator.Calibrator(
            flatbuffer,
            num_threads=min(_MAX_THREADS, os.cpu_count() or 1),
            mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
            qsv_update_func=qsv_utils.min_max_update,
        )
    # The count serves a progress bar of its own, which it draws over ours unless it counts nothing.
    observer._get_total_operations = lambda dataset: 0

    def samples() -> Iterator[dict[str, Images]]:
        for image in images:
            yield {name: image[np.newaxis]}
            if advance:
                advance()

    observer.calibrate({key: samples()}, recipe_manager.RecipeManager())  # all, whatever the recipe
    ranges: Ranges = observer.get_model_qsvs()
    return ranges


def _float32(flatbuffer: bytes) -> Any:
    model = parse(flatbuffer)
    if (found := inferred_recipe(model)) != "float32":
        types = " and ".join(sorted(integer_activations(model)))
        what = f"is {found}" if found else f"has activations in {types}"
        raise UsageError(f"The file {what} already; quantize the float32 file instead.")
    return model


def _checked(images: Images, model: Any) -> Images:
    graph = model.subgraphs[0]
    expected = shape_of(graph.tensors[graph.inputs[0]])[1:]
    if images.shape[1:] != expected:
        raise UsageError(
            f"Calibration images are {images.shape[1:]}; the file's input is {expected}."
        )
    if not np.isfinite(images).all():
        raise Error("The calibration images hold NaN or infinity; look at the data set.")
    return images.astype(np.float32, copy=False)


def _rules(row: Recipe, model: Any) -> list[dict[str, Any]]:
    """Return the recipe in the quantizer's terms; of two rules for an operation the last holds."""
    from litert_quantizer import recipe as named

    # INPUT and OUTPUT are the quantizer's names for the file's ends.
    types = {"INPUT": row.input_type, "OUTPUT": row.output_type}
    float_ends = [end for end, dtype in types.items() if row.integer and dtype == "float32"]
    kept = [(".*", op) for op in (*float_ends, *row.float_ops)]
    if scopes := _float_scopes(row, model):
        kept.append((f"^({'|'.join(map(re.escape, scopes))})$", "*"))
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


def _float_scopes(row: Recipe, model: Any) -> list[str]:
    """Return what the quantizer calls the operations that stay float whatever they are.

    Raises:
        UsageError: The row keeps layers that the file does not have.
    """
    graph = model.subgraphs[0]
    outputs = [[name_of(graph.tensors[index]) for index in op.outputs] for op in graph.operators]
    if row.float_layers and not any(row.keeps_float(name) for names in outputs for name in names):
        raise UsageError(
            f"No tensor of the file has a name with '{row.float_layers}', which is to stay float: "
            "`verify --layers` lists them."
        )
    normalized = lrn_tensors(model)
    return [
        "".join(f"{name};" for name in names)
        for names in outputs
        if any(name in normalized or row.keeps_float(name) for name in names)
    ]


def _known_ranges(model: Any, row: Recipe, input_range: tuple[float, float] | None) -> Ranges:
    """Return the ranges of integer ends, where more is known of them than was observed."""
    graph = model.subgraphs[0]
    known: dict[int, tuple[float, float]] = {}
    if row.input_type != "float32" and input_range:
        known[graph.inputs[0]] = input_range
    if row.output_type != "float32" and op_names(model)[-1] == "SOFTMAX":
        known[graph.outputs[0]] = _PROBABILITIES
    return {
        name_of(graph.tensors[index]): {"min": np.array([low]), "max": np.array([high])}
        for index, (low, high) in known.items()
    }


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
        raise UsageError("The file has no signature; make it with `export.conversion.convert`.")
    signature = model.signatureDefs[0]
    return signature.signatureKey.decode(), signature.inputs[0].name.decode()


def _apply(data: bytes, rules: list[dict[str, Any]], ranges: Ranges | None) -> bytes:
    from litert_quantizer import quantizer

    with quiet(1, 2), warnings.catch_warnings():
        # It opens an interpreter that keeps all tensors, to look at their names only.
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`")
        result = quantizer.Quantizer(bytearray(data), rules).quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
    return bytes(result.quantized_model)
