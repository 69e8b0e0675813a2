"""Quantization of float32 files: flatbuffer in, flatbuffer out."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from cnn_keras.command import quiet
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.errors import Error, UsageError

from ..recipes import IOType, Recipe
from ..recipes import recipe as find_recipe
from ..tflite import metadata
from ..tflite.flatbuffer import (
    ModelFile,
    as_model_file,
    name_of,
    op_names,
    pack,
    parse,
    shape_of,
)
from ..tflite.inferred_recipe import inferred_recipe, integer_activations
from . import input_output_types
from .layer_types import float_operations, int4_operations

Ranges = dict[str, Any]
"""The quantizer's ranges (least and greatest value) of a float32 file's tensors, by name."""

# litert-quantizer has the algorithm, but no recipe for it.
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

# 256 steps of 1/256, as in LiteRT's integer softmax (tensorflow/lite/kernels/activations.cc).
_PROBABILITIES = (0.0, 255 / 256)

# More threads do not speed up the networks of this package.
_MAX_THREADS = 4


def quantize(
    flatbuffer: bytes | ModelFile,
    recipe: str | Recipe,
    calibration: Float32Images | Ranges | None = None,
    advance: Callable[[], None] | None = None,
    *,
    input_type: IOType | None = None,
    output_type: IOType | None = None,
    input_range: tuple[float, float] | None = None,
) -> bytes:
    """Quantize a float32 file by a recipe.

    Input and output stay float32 by default, so that one file can replace another; the conversion
    is a node that XNNPACK runs. An integer input whose range is that of preprocessed pixels takes
    the pixels from 0 to 255 as they are, to half a gray level (int8: minus 128), if all channels
    have the same mean and standard deviation. Integer probabilities have the scale of LiteRT's own
    integer softmax, 1/256.

    Args:
        flatbuffer: The float32 file from `convert`.
        recipe: A name or a row of `recipes.RECIPES`.
        calibration: For static recipes: preprocessed *training* images `(n, height, width,
            channels)`, as `calibration.sample` draws them, or the ranges that `calibrate` returns
            for them, which several recipes can share.
        advance: Called after each calibration image.
        input_type: Type of the input; by default the recipe's, float32.
        output_type: Type of the output; by default the recipe's, float32.
        input_range: Least and greatest value that an integer input represents; by default those of
            the calibration images.

    Returns:
        The file. The same input gives the same bytes.

    Raises:
        UsageError: The recipe is unknown or lacks a type of input or output, the file is quantized
            already, or calibration images are missing or refused by `calibrate`.
        Error: See `calibrate`.
        ModelFileError: `flatbuffer` is not a TFLite file.

    Example:
        int8 = quantize(float32, "static_wi8_ai8", images)
    """
    row = find_recipe(recipe) if isinstance(recipe, str) else recipe
    row = row.with_io_types(input_type or row.input_type, output_type or row.output_type)
    file = as_model_file(flatbuffer)
    model = quantize_model(file, row, calibration, advance, input_range)
    return file.content if model is file.model else pack(model)


def quantize_model(
    file: ModelFile,
    row: Recipe,
    calibration: Float32Images | Ranges | None = None,
    advance: Callable[[], None] | None = None,
    input_range: tuple[float, float] | None = None,
) -> Any:
    """Return a quantized file as the schema's ``ModelT``; see `quantize`.

    For a recipe that stores float32 it is the model of the file itself.
    """
    model = _parse_float32(file)
    if row.stored_as == "float32":
        return model
    ranges = None
    if row.needs_calibration:
        if calibration is None or not len(calibration):
            raise UsageError(
                f"Recipe '{row.name}' needs calibration images: about 200 preprocessed training "
                "images."
            )
        if not isinstance(calibration, dict):
            calibration = calibrate(file, calibration, advance)
        # A copy, because the quantizer adds the fixed ranges of softmax and tanh to it.
        ranges = copy.deepcopy(calibration) | _known_ranges(model, row, input_range)
    quantized = parse(_run_quantizer(file.content, _rules(row, model), ranges))
    if row.input_type == "uint8":
        input_output_types.make_input_unsigned(quantized)
    if row.output_type == "uint8":
        input_output_types.make_output_unsigned(quantized)
    return quantized


def calibrate(
    flatbuffer: bytes | ModelFile,
    images: Float32Images,
    advance: Callable[[], None] | None = None,
) -> Ranges:
    """Run calibration images and return the range of every tensor.

    The range is from the least to the greatest value. The quantizer's default, a moving average,
    depends on the order of the images and clips values that the last ones do not reach. The
    profiler observes the tensors inside the runtime, in a sixth of the time of copying them.

    Args:
        flatbuffer: The float32 file from `convert`.
        images: Preprocessed training images `(n, height, width, channels)`.
        advance: Called after each image.

    Raises:
        UsageError: The file is quantized already, or the images do not have its input size or the
            normalization in its metadata.
        Error: The images contain NaN or infinity.
        ModelFileError: `flatbuffer` is not a TFLite file.
    """
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    file = as_model_file(flatbuffer)
    model = _parse_float32(file)
    images = _check_images(images, model)
    _require_normalized(images, file)
    signature, input_name = _signature_names(model)
    with quiet(1, 2):
        runner = calibrator.Calibrator(
            file.content,
            num_threads=min(_MAX_THREADS, os.cpu_count() or 1),
            mode=calibrator.CalibrationMode.CALIBRATION_PROFILER_BASED,
            qsv_update_func=qsv_utils.min_max_update,
        )
    # With no operations to count, the calibrator does not draw its own progress bar over ours.
    runner._get_total_operations = lambda dataset: 0

    def samples() -> Iterator[dict[str, Float32Images]]:
        for image in images:
            yield {input_name: image[np.newaxis]}
            if advance:
                advance()

    # A manager without recipes observes all tensors.
    runner.calibrate({signature: samples()}, recipe_manager.RecipeManager())
    ranges: Ranges = runner.get_model_qsvs()
    return ranges


def _parse_float32(file: ModelFile) -> Any:
    """Return the parsed file, and refuse it unless it is float32."""
    model = file.model
    if (found := inferred_recipe(model)) != "float32":
        types = " and ".join(sorted(integer_activations(model)))
        state = f"is {found}" if found else f"has activations in {types}"
        raise UsageError(f"The file {state} already; quantize the float32 file instead.")
    return model


def _check_images(images: Float32Images, model: Any) -> Float32Images:
    """Return calibration images in float32; refuse another size, NaN and infinity."""
    graph = model.subgraphs[0]
    expected = shape_of(graph.tensors[graph.inputs[0]])[1:]
    if images.shape[1:] != expected:
        raise UsageError(
            f"Calibration images are {images.shape[1:]}; the file's input is {expected}."
        )
    if not np.isfinite(images).all():
        raise Error("The calibration images contain NaN or infinity; check the data set.")
    return images.astype(np.float32, copy=False)


def _rules(row: Recipe, model: Any) -> list[dict[str, Any]]:
    """Return the quantizer's rules for a recipe; of two rules for an operation, the last counts."""
    from litert_quantizer import recipe as quantizer_recipes

    # The quantizer treats input and output as operations named INPUT and OUTPUT.
    io_types = {"INPUT": row.input_type, "OUTPUT": row.output_type}
    float_io = [op for op, dtype in io_types.items() if row.integer and dtype == "float32"]
    unquantized = [*((".*", op) for op in float_io), *float_operations(row, model)]
    rules: list[dict[str, Any]] = (
        [_FLOAT16_RULE] if row.name == "float16" else getattr(quantizer_recipes, row.stored_as)()
    )
    if row.per_tensor:
        for rule in rules:
            rule["op_config"]["weight_tensor_config"]["granularity"] = "TENSORWISE"
    if scopes := int4_operations(row, model):
        # Of these operations, the quantizer applies it to those that have a 4-bit form.
        rule = copy.deepcopy(rules[0]) | {"regex": scopes}
        rule["op_config"]["weight_tensor_config"]["num_bits"] = 4
        rules = [*rules, rule]
    return [
        *rules,
        *(
            {"regex": regex, "operation": op, "algorithm_key": "no_quantize"}
            for regex, op in unquantized
        ),
    ]


def _known_ranges(model: Any, row: Recipe, input_range: tuple[float, float] | None) -> Ranges:
    """Return the ranges of an integer input and output that do not depend on calibration images."""
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


def _require_normalized(images: Float32Images, file: ModelFile) -> None:
    """Refuse calibration images that are not normalized as the file's metadata state.

    Some of 200 images are dark and some are bright: together they reach into the outer quarters of
    the range of normalized pixels.
    """
    about = metadata.read(file)
    if about is None or not about.preprocessing:
        return
    mean, std = (np.array(about.preprocessing[key]) for key in ("mean", "std"))
    low, high = (0 - mean) / std, (255 - mean) / std
    least, most = images.min(axis=(0, 1, 2)), images.max(axis=(0, 1, 2))
    tolerance, quarter = 1e-3 * (high - low), (high - low) / 4
    outside = (least < low - tolerance) | (most > high + tolerance)
    too_narrow = (least > low + quarter) | (most < high - quarter)
    if (outside | too_narrow).any():
        raise UsageError(
            f"The calibration images have values from {least.min():.3g} to {most.max():.3g}; by "
            f"the file's preprocessing they have from {low.min():.3g} to {high.max():.3g}: "
            "normalize them as the training images were."
        )


def _signature_names(model: Any) -> tuple[str, str]:
    """Return the names of the file's signature and of its input."""
    if not model.signatureDefs:
        raise UsageError("The file has no signature; make it with `export.conversion.convert`.")
    signature = model.signatureDefs[0]
    return signature.signatureKey.decode(), signature.inputs[0].name.decode()


def _run_quantizer(data: bytes, rules: list[dict[str, Any]], ranges: Ranges | None) -> bytes:
    from litert_quantizer import quantizer

    with quiet(1, 2), warnings.catch_warnings():
        # The quantizer opens an interpreter with all tensors preserved, only for their names.
        warnings.filterwarnings("ignore", "Warning: Enabling `experimental_preserve_all_tensors`")
        result = quantizer.Quantizer(bytearray(data), rules).quantize(
            ranges, enable_progress_bar=False, enable_progress_report=False
        )
    return bytes(result.quantized_model)
