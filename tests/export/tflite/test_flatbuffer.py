from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.tflite import flatbuffer
from export.tflite.flatbuffer import (
    ModelFile,
    as_model_file,
    dtype_name,
    has_dynamic_batch,
    is_constant,
    name_of,
    op_names,
    pack,
    parse,
    quantization_of,
    shape_of,
    weight_shapes,
)
from export.tflite.interpreter import ModelFileError
from tests.fixtures.tiny_files import BROKEN, broken_files, custom_file, tiny_files


def test_a_file_is_described_by_its_tensors_and_operations() -> None:
    model = parse(tiny_files()["int8"])
    graph = model.subgraphs[0]
    image, scores = (graph.tensors[index] for index in (graph.inputs[0], graph.outputs[0]))
    assert (dtype_name(image), shape_of(image)) == ("int8", (1, 16, 16, 1))
    assert quantization_of(scores) == (1 / 256, -128)
    assert op_names(model) == ["CONV_2D", "MAX_POOL_2D", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    constants = [tensor for tensor in graph.tensors if is_constant(model, tensor)]
    assert image not in constants
    assert {dtype_name(tensor) for tensor in constants} == {"int8", "int32"}


def test_a_custom_operation_has_its_own_name() -> None:
    assert op_names(parse(custom_file("mine"))) == ["mine"]


def test_packing_is_aligned_repeatable_and_leaves_the_model_unchanged() -> None:
    model = parse(tiny_files()["float32"])
    buffers = model.buffers
    data = pack(model)
    assert model.buffers is buffers
    assert pack(model) == data
    assert pack(parse(data)) == data
    (weights,) = [buffer.data for buffer in parse(data).buffers if _size(buffer.data) == 20480]
    start = np.frombuffer(data, np.uint8).ctypes.data
    assert (weights.ctypes.data - start) % flatbuffer.BUFFER_ALIGNMENT == 0


def _size(data: Any) -> int:
    return 0 if data is None else len(data)


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        parse(broken_files()[name])
    assert len(str(caught.value).splitlines()) == 1


def test_a_file_without_operations_is_refused() -> None:
    model = parse(tiny_files()["float32"])
    model.subgraphs[0].operators = []
    with pytest.raises(ModelFileError, match="computes nothing"):
        parse(pack(model))


def _input_out_of_range(graph: Any) -> None:
    graph.operators[0].inputs[0] = len(graph.tensors)


def _scale_of_zero(graph: Any) -> None:
    graph.tensors[graph.inputs[0]].quantization.scale = [0.0]


def _zero_point_outside_its_type(graph: Any) -> None:
    graph.tensors[graph.inputs[0]].quantization.zeroPoint = [128]


def _operations_in_another_order(graph: Any) -> None:
    graph.operators.reverse()


def _output_that_is_not_computed(graph: Any) -> None:
    graph.operators.pop()


@pytest.mark.parametrize(
    "damage",
    [
        _input_out_of_range,
        _scale_of_zero,
        _zero_point_outside_its_type,
        _operations_in_another_order,
        _output_that_is_not_computed,
    ],
)
def test_what_the_runtime_does_not_check_is_refused(damage: Any) -> None:
    model = parse(tiny_files()["int8"])
    damage(model.subgraphs[0])
    with pytest.raises(ModelFileError, match="Broken TFLite file"):
        parse(pack(model))


def test_a_model_file_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def count(data: bytes) -> Any:
        parsed.append(data)
        return parse(data)

    monkeypatch.setattr(flatbuffer, "parse", count)
    file = ModelFile(tiny_files()["float32"])
    assert parsed == []
    assert as_model_file(file).model is file.model
    assert parsed == [file.content]


def test_valid_files_are_read_from_disk(tmp_path: Path) -> None:
    paths = {}
    for name in ("float32", "int8", "dynamic_batch"):
        paths[name] = tmp_path / f"{name}.tflite"
        paths[name].write_bytes(tiny_files()[name])
    assert weight_shapes(paths["float32"]) == [(8, 3, 3, 1), (10, 512)]
    assert weight_shapes(paths["int8"]) == weight_shapes(paths["float32"])
    assert has_dynamic_batch(paths["dynamic_batch"])
    assert not has_dynamic_batch(paths["float32"])


def test_a_tensor_without_a_name_has_an_empty_one() -> None:
    model = parse(tiny_files()["float32"])
    model.subgraphs[0].tensors[0].name = None
    assert name_of(parse(pack(model)).subgraphs[0].tensors[0]) == ""
