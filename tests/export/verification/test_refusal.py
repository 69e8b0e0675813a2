from __future__ import annotations

import re

import pytest

import export
from export.recipes import RECIPES
from export.tflite import flatbuffer
from export.tflite.interpreter import DYNAMIC_BATCH_REMARK
from export.verification.audit import remarks
from export.verification.refusal import problems
from tests.fixtures.tiny_files import with_batch

UINT8 = 3  # TensorType


def test_float_islands_are_named_and_allowed_only_by_the_recipe(trained):
    static = RECIPES["static_wi8_ai8"]
    found = export.audit(export.quantize(trained.float32, static.name, trained.calibration))
    assert [island.split()[0] for island in found.float_islands] == ["AVERAGE_POOL_2D"]
    (problem,) = problems(found, static._replace(float_ops=()))
    assert re.match("computes in floating point inside .*: AVERAGE_POOL_2D .*pool", problem)


def test_a_file_of_another_recipe_is_a_problem(trained):
    found = export.audit(trained.float32)
    assert problems(found, RECIPES["static_wi8_ai8"]) == [
        "is stored as float32, not as static_wi8_ai8"
    ]


def test_flex_operations_are_a_problem():
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec((1, 4, 4, 1), tf.float32)])
    def scores(image):
        return tf.math.cumprod(tf.reshape(image, (1, 16)), axis=1)

    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [scores.get_concrete_function()], tf.Module()
    )
    converter.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    found = export.audit(converter.convert())
    assert found.flex_ops == ("FlexCumprod",)
    assert found.partitions is None
    assert problems(found, RECIPES["float32"])[0].startswith("needs operations outside TFLite")


def test_mixed_integers_are_refused_for_problems_of_any_file(trained):
    model = flatbuffer.parse(
        export.quantize(trained.float32, "static_wi8_ai8", trained.calibration)
    )
    graph, names = model.subgraphs[0], flatbuffer.op_names(model)
    mixed = graph.tensors[graph.operators[names.index("CONV_2D")].outputs[0]]
    mixed.type, mixed.quantization.zeroPoint = UINT8, [0]
    graph.tensors[graph.inputs[0]].shapeSignature = [1, -1, 8, 1]
    found = export.audit(flatbuffer.pack(model))
    assert found.recipe is None
    dynamic, island = problems(found)
    assert dynamic == "has dynamic dimensions: image"
    assert island.startswith("computes in floating point inside an integer file: AVERAGE_POOL_2D")


@pytest.mark.parametrize("size", [1, 0, 4])
def test_a_dynamic_batch_alone_is_a_remark(size):
    found = export.audit(with_batch(size))
    assert found.dynamic_batch
    assert len(found.dynamic_dimensions) > 1
    assert found.partitions > 0
    assert problems(found, RECIPES["float32"]) == problems(found) == []
    assert remarks(found)[0] == DYNAMIC_BATCH_REMARK


@pytest.mark.parametrize(
    ("tensor", "signature"),
    [(0, [-1, -1, 8, 1]), (0, [1, -1, 8, 1]), (1, [1, -1, 8, 16]), (1, [-1, 8, 8, 16])],
)
def test_dynamic_sizes_are_a_problem(trained, tensor, signature):
    model = flatbuffer.parse(trained.float32)
    graph = model.subgraphs[0]
    changed = graph.tensors[[graph.inputs[0], graph.operators[0].outputs[0]][tensor]]
    changed.shapeSignature = signature
    found = export.audit(flatbuffer.pack(model))
    assert not found.dynamic_batch
    reason = f"has dynamic dimensions: {flatbuffer.name_of(changed)}"
    assert problems(found, RECIPES["float32"]) == problems(found) == [reason]
    assert remarks(found) == []
