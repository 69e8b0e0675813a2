from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import export
from cnn_keras.blocks import LocalResponseNormalization
from cnn_keras.errors import UsageError
from export.provenance import stated_recipe
from export.recipes import DEFAULT, recipe
from export.tflite import flatbuffer
from export.tflite.find_lrn import lrn_tensors
from export.verification.refusal import problems
from tests.fixtures.trained_network import Trained

STATIC = recipe("static_wi8_ai8")
IMAGES = np.random.default_rng(0).normal(size=(8, 8, 8, 1)).astype(np.float32)


def converted(normalize: Callable[[Any], Any], name: str = "net") -> bytes:
    """Return the file of a small network with one normalization."""
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(16, 3, activation="relu", name="conv1")(image)
    x = layers.GlobalAveragePooling2D()(normalize(x))
    keras.utils.set_random_seed(0)
    return export.convert(keras.Model(image, layers.Dense(4, activation="softmax")(x), name=name))


def renamed(data: bytes, name: str) -> bytes:
    """Return the file of the same model under another name."""
    model = flatbuffer.parse(data)
    for tensor in model.subgraphs[0].tensors:
        tensor.name = tensor.name.replace(b"small_1/", f"{name}_1/".encode())
    return flatbuffer.pack(model)


@pytest.mark.parametrize("name", ["vgg_no_lrn", "lrn", "mlrn_2", "conv1_1", "lrn_1_relu"])
def test_files_do_not_depend_on_the_name_of_the_network(trained: Trained, name: str) -> None:
    ours, others = trained.float32, renamed(trained.float32, name)
    assert ours != others
    for row in DEFAULT:
        file, other = (export.quantize(f, row, trained.calibration[:8]) for f in (ours, others))
        assert renamed(file, name) == other
        assert problems(export.audit(other), recipe(row)) == []


def test_a_network_named_after_lrn_is_quantized() -> None:
    file = export.quantize(converted(lambda x: x, "vgg_no_lrn"), STATIC, IMAGES)
    found = export.audit(file)
    assert (found.recipe, found.lrn, problems(found, STATIC)) == (STATIC.name, (), [])


@pytest.mark.parametrize("beta", [0.75, 0.5])
def test_lrn_is_found_by_its_operations(beta: float) -> None:
    float32 = converted(LocalResponseNormalization(2, 1.0, 0.1, beta, name="contrast"))
    names = lrn_tensors(flatbuffer.parse(float32))
    assert {name.split("/")[1] for name in names} == {"contrast_1"}
    for row in DEFAULT:
        found = export.audit(export.quantize(float32, row, IMAGES))
        assert {*found.lrn} == names
        assert problems(found, recipe(row)) == []
        assert (found.partitions, found.delegated_nodes) == (1, found.nodes)
    # Here it is an island in an integer file, allowed for what it is.
    assert {island.split()[1] for island in found.float_islands} & names
    assert len(problems(replace(found, lrn=()), STATIC)) == 1


def test_the_convolution_along_the_channels_adds_the_bias() -> None:
    lrn = LocalResponseNormalization(2, 1.0, 0.1, 0.75)
    with_lrn, without = (
        flatbuffer.op_names(flatbuffer.parse(converted(normalize)))
        for normalize in (lrn, lambda x: x)
    )
    own = ["SQUARE", "RESHAPE", "CONV_2D", "RSQRT", "SQRT", "MUL", "RESHAPE", "MUL"]
    start = with_lrn.index("SQUARE")
    assert with_lrn == without[:start] + own + without[start:]


def test_the_operation_of_tensorflow_is_lrn() -> None:
    import tensorflow as tf

    model = flatbuffer.parse(converted(layers.Lambda(tf.nn.lrn)))
    (place,) = [i for i, op in enumerate(flatbuffer.op_names(model)) if op.startswith("LOCAL")]
    graph = model.subgraphs[0]
    (index,) = graph.operators[place].outputs
    assert lrn_tensors(model) == {flatbuffer.name_of(graph.tensors[index])}


@pytest.mark.parametrize(
    "layer", [layers.GroupNormalization(4), layers.LayerNormalization(), layers.UnitNormalization()]
)
def test_other_normalizations_are_not_lrn(layer: layers.Layer) -> None:
    layer.name = "lrn"
    assert lrn_tensors(flatbuffer.parse(converted(layer))) == frozenset()


@pytest.mark.parametrize("expression", ["conv2", "/conv2_", ".*/conv2_.*", "^small_1/conv2_"])
def test_layers_that_are_kept_float_are_allowed(trained: Trained, expression: str) -> None:
    """The quantizer and the audit find the same tensors by one expression."""
    row = STATIC.with_float_layers(expression)
    found = export.audit(export.quantize(trained.float32, row, trained.calibration[:8]))
    assert any("conv2" in island for island in found.float_islands)
    assert problems(found, row) == []
    assert problems(found, STATIC) != []


@pytest.mark.parametrize(
    ("stated", "kept"),
    [
        ({}, None),
        ({"recipe": "static_wi8_ai8", "float_layers": None}, None),
        ({"recipe": "static_wi8_ai8", "float_layers": ".*lrn.*"}, None),  # of version 0.1.0
        ({"recipe": "static_wi8_ai8", "float_layers": "/conv2_"}, "/conv2_"),
        ({"recipe": "float16", "float_layers": "/conv2_"}, None),
    ],
)
def test_files_of_earlier_exports_can_be_verified_and_repaired(
    stated: dict[str, Any], kept: str | None, trained: Trained
) -> None:
    row = stated_recipe(STATIC.name, stated)
    assert row == STATIC._replace(float_layers=kept)
    export.quantize(trained.float32, row, trained.calibration[:2])  # what it keeps is there


def test_an_expression_without_a_match_is_refused(trained: Trained) -> None:
    with pytest.raises(UsageError, match=r"a name that matches 'conv9', which is to stay"):
        export.quantize(trained.float32, STATIC.with_float_layers("conv9"), trained.calibration[:8])
