from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_keras import build
from cnn_keras.inspection import anatomy
from export.benchmark.places.benchmark_output import parse_profile
from export.benchmark.profile.operators import operators
from export.conversion.convert import convert
from export.conversion.quantize import quantize
from export.tflite.flatbuffer import parse
from export.tflite.interpreter import Interpreter
from export.tflite.raw_model import RawModel
from tests.fixtures.tiny_files import SHAPE, tiny_files
from tests.places import litert_profiler

Float32 = Callable[[str, tuple[int, int, int]], tuple[Any, bytes]]


@pytest.fixture(scope="module")
def float32() -> Float32:
    def converted(name: str, shape: tuple[int, int, int]) -> tuple[Any, bytes]:
        model = build(name, input_shape=shape, num_classes=10)
        return model, convert(model)

    return converted


@pytest.mark.parametrize(
    ("name", "shape"),
    [("lenet5", (32, 32, 1)), ("resnet20", (28, 28, 1)), ("googlenet", (32, 32, 3))],
)
def test_multiply_adds_are_those_of_the_summary(
    name: str, shape: tuple[int, int, int], float32: Float32
) -> None:
    model, content = float32(name, shape)
    expected = {row.row: row.macs for row in anatomy.rows(model) if row.macs}
    images = np.random.default_rng(0).uniform(-1, 1, (4, *shape)).astype(np.float32)
    for recipe in ("float32", "static_wi8_ai8", "float16"):
        file = quantize(content, recipe, images)
        found: dict[str, int] = {}
        for operator in operators(parse(file)):
            found[operator.row] = found.get(operator.row, 0) + operator.macs
        assert {row: macs for row, macs in found.items() if macs} == expected


@pytest.fixture(scope="module")
def padded() -> bytes:
    """Return a file with a padding that one convolution reads, and one that two read."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = image = keras.Input(SHAPE, name="image")
    x = layers.Conv2D(4, 3, strides=2, name="conv1")(layers.ZeroPadding2D(1)(x))
    x = layers.ZeroPadding2D(2)(x)
    x = layers.Add()([layers.Conv2D(4, 3, name=name)(x) for name in ("left", "right")])
    return convert(keras.Model(image, layers.Dense(3, name="logits")(layers.Flatten()(x))))


@pytest.mark.parametrize("recipe", ["float32", "float16", "static_wi8_ai8"])
def test_a_padding_is_one_operation_with_its_only_convolution(padded: bytes, recipe: str) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (4, *SHAPE)).astype(np.float32)
    content = quantize(padded, recipe, images)
    found = operators(parse(content))
    (conv1,) = (each for each in found if each.fused)
    assert (conv1.layer, [each.op for each in conv1.fused]) == ("conv1", ["PAD", "CONV_2D"])
    assert conv1.input_shapes[0] == (1, *SHAPE)
    assert [each.op for each in found].count("PAD") == 1
    check_outputs(content)


@pytest.mark.parametrize("recipe", ["float32", "static_wi8_ai8", "dynamic_wi8_afp32"])
def test_xnnpack_pads_where_the_operations_do(padded: bytes, recipe: str, tmp_path: Path) -> None:
    images = np.random.default_rng(0).uniform(-1, 1, (4, *SHAPE)).astype(np.float32)
    path = tmp_path / "padded.tflite"
    path.write_bytes(quantize(padded, recipe, images))
    command = [sys.executable, litert_profiler.__file__, f"--graph={path}", "--num_runs=5"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    run = [each.op for each in parse_profile(done.stdout)]
    expected = [each.op for each in operators(parse(path.read_bytes()))].count("PAD")
    assert sum("Pad" in op for op in run) == expected
    assert sum(op.startswith("Convolution") for op in run) == 3


def test_a_padding_before_dynamic_quantization_is_an_operation(padded: bytes) -> None:
    found = operators(parse(quantize(padded, "dynamic_wi8_afp32")))
    assert [each.op for each in found].count("PAD") == 2
    assert not any(each.fused for each in found)


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "int16", "lrn"])
def test_operations_one_after_the_other_compute_what_the_file_does(name: str) -> None:
    check_outputs(tiny_files()[name])


def check_outputs(content: bytes) -> None:
    """Feed each operation the outputs of the others, so that types and weights must fit."""
    model = parse(content)
    graph = model.subgraphs[0]
    whole = Interpreter(content)
    image = np.random.default_rng(1).uniform(-1, 1, (1, *SHAPE)).astype(np.float32)
    whole.set_input(whole.quantize(image))
    whole.invoke()
    tensors = {int(graph.inputs[0]): whole.quantize(image)}
    names = {tensor.name.decode(): index for index, tensor in enumerate(graph.tensors)}
    for operator in operators(model):
        single = RawModel(operator.content)
        single.set_inputs([tensors[index] for index in operator.inputs])
        single.invoke()
        (tensors[names[operator.tensor]],) = single.outputs()
        assert operator.output_shape == tensors[names[operator.tensor]].shape
    np.testing.assert_allclose(
        tensors[int(graph.outputs[0])].astype(float), whole.get_output().astype(float), atol=1e-6
    )


def test_operations_on_constants_are_not_timed() -> None:
    """Weights in float16 are dequantized when the file is loaded."""
    found = operators(parse(tiny_files()["float16"]))
    assert "DEQUANTIZE" not in [operator.op for operator in found]
    assert [operator.op for operator in found] == [
        operator.op for operator in operators(parse(tiny_files()["float32"]))
    ]


def test_sizes_and_types() -> None:
    conv = next(each for each in operators(parse(tiny_files()["int8"])) if each.op == "CONV_2D")
    height, width, channels = SHAPE
    assert conv.output_shape == (1, height, width, 8)
    assert (conv.dtype, conv.kernel_dtype) == ("int8", "int8")
    assert conv.macs == height * width * 8 * 9 * channels
    kernel, bias = 8 * 9 * channels, 4 * 8
    assert conv.num_bytes == math.prod(SHAPE) + height * width * 8 + kernel + bias
