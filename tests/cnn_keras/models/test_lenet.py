from __future__ import annotations

import keras
import numpy as np

import cnn_keras
from cnn_keras.inspection.anatomy import build_uninitialized, depth, rows
from cnn_keras.models.lenet import TABLE_I, PartialConv2D
from tests.fixtures.networks import ModelOf, count_trainable, rows_by_name


def test_rows_of_the_taught_form(model_of: ModelOf) -> None:
    found = [(r.row, r.output_shape, r.parameters) for r in rows(model_of("lenet5"))]
    assert found[:4] == [
        ("c1", (28, 28, 6), 156),
        ("s2", (14, 14, 6), 0),
        ("c3", (10, 10, 16), 2_416),
        ("s4", (5, 5, 16), 0),
    ]
    assert found[5:8] == [
        ("c5", (120,), 48_120),
        ("f6", (84,), 10_164),
        ("logits", (10,), 850),
    ]


def test_parameters_of_1998_equal_the_papers() -> None:
    model = cnn_keras.build("lenet5", form="1998")
    found = {layer.name: layer.count_params() for layer in model.layers if layer.trainable_weights}
    assert found == {
        "c1": 156,
        "s2_coefficient": 12,
        "c3": 1_516,
        "s4_coefficient": 32,
        "c5": 48_120,
        "f6": 10_164,
    }
    assert count_trainable(model) == 60_000


def test_connections_of_1998_equal_the_papers() -> None:
    found = rows_by_name(build_uninitialized(lambda: cnn_keras.build("lenet5", form="1998")))
    assert found["c3"].macs == 10 * 10 * 5 * 5 * 60  # 60 crosses in Table I
    # Every unit adds up its inputs and a bias; a subsampling unit has four inputs.
    connections = {row: found[row].macs + found[row].neurons for row in ("c1", "c3", "c5", "f6")}
    connections |= {row: 5 * found[row].neurons for row in ("s2", "s4")}
    assert connections == {
        "c1": 122_304,
        "c3": 151_600,
        "c5": 48_120,
        "f6": 10_164,
        "s2": 5_880,
        "s4": 2_000,
    }
    assert sum(connections.values()) + found["logits"].macs == 340_908
    assert (
        depth(build_uninitialized(lambda: cnn_keras.build("lenet5", form="1998"))) == 7
    )  # "seven layers"


def test_table_i_has_the_papers_connections() -> None:
    columns = list(zip(*(row.split() for row in TABLE_I), strict=True))
    assert [column.count("X") for column in columns] == [3] * 6 + [4] * 9 + [6]
    # "The first six C3 feature maps take inputs from every contiguous subsets of three".
    for index in range(6):
        seen = {row for row in range(6) if columns[index][row] == "X"}
        assert seen == {index, (index + 1) % 6, (index + 2) % 6}


def test_partial_convolution_ignores_unconnected_input_maps() -> None:
    layer = PartialConv2D(TABLE_I, 5)
    image = np.random.default_rng(0).normal(size=(1, 14, 14, 6)).astype("float32")
    before = np.asarray(layer(image))
    changed = image.copy()
    changed[..., 0] += 1  # input map 0
    moved = np.abs(np.asarray(layer(changed)) - before).max(axis=(0, 1, 2)) > 0
    assert list(moved) == [cell == "X" for cell in TABLE_I[0].split()]


def test_fixed_codes_equal_a_softmax_of_euclidean_distances() -> None:
    model = cnn_keras.build("lenet5", form="1998")
    features = keras.Model(model.input, model.get_layer("f6_activation").output)
    image = np.random.default_rng(0).normal(size=(4, 32, 32, 1)).astype("float32")
    x = np.asarray(features(image))
    codes = np.asarray(model.get_layer("logits").kernel).T * 84**0.5 / 2
    np.testing.assert_allclose(np.abs(codes), 1, rtol=1e-6)
    distances = ((x[:, None] - codes[None]) ** 2).sum(axis=-1) / 84**0.5
    expected = np.exp(-distances + distances.min(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(image)), expected, atol=1e-5)
