from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_keras.training.probabilities import (
    gives_probabilities,
    looks_like_regression,
    score_remarks,
    with_probabilities,
)

Head = Callable[[Any], Any]


class Opaque(layers.Layer):
    """A custom layer, whose outputs cannot be inferred."""

    def __init__(self, function: Head) -> None:
        super().__init__()
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(x)


def dense(activation: Any = None, units: int = 3) -> Head:
    return layers.Dense(units, activation, bias_initializer=keras.initializers.RandomNormal())


def nested(head: Head) -> Head:
    image = keras.Input((8,))
    return keras.Model(image, head(image))


def mean(activation: str | None) -> Head:
    return lambda x: layers.Average()([dense(activation)(x), dense(activation)(x)])


def regression(x: Any) -> Any:
    """Scores of a least-squares fit to probabilities, which sum to 1 but not for noise."""
    return layers.Dense(3, kernel_initializer="zeros", bias_initializer=_third)(
        layers.ReLU()(dense(units=4)(x))
    )


def _third(shape: Any, dtype: Any = None) -> Any:
    return ops.full(shape, 1 / 3, dtype)


PROBABILITIES: dict[str, Head] = {
    "softmax": dense("softmax"),
    "sigmoid of each": dense("sigmoid"),
    "hard sigmoid": dense("hard_sigmoid"),
    "Softmax layer": lambda x: layers.Softmax()(dense()(x)),
    "activation in float32": lambda x: layers.Activation("softmax", dtype="float32")(dense()(x)),
    "then reshaped": lambda x: layers.Reshape((3,))(dense("softmax")(x)),
    "then nothing": lambda x: layers.Activation("linear")(dense("softmax")(x)),
    "inside": nested(dense("softmax")),
    "inside twice": nested(nested(dense("softmax"))),
    "average": mean("softmax"),
    "average of models": lambda x: layers.Average()(
        [nested(mean("softmax"))(x), mean("sigmoid")(x)]
    ),
    "one against all": lambda x: layers.Concatenate()([dense("sigmoid", 1)(x) for _ in range(3)]),
    "keras.ops": lambda x: ops.softmax(dense()(x)),
    "mean by keras.ops": lambda x: (dense("softmax")(x) + dense("softmax")(x)) / 2,
    "layer of its own": lambda x: Opaque(ops.softmax)(dense()(x)),
    "function of its own": dense(lambda x: ops.softmax(x)),
}

SCORES: dict[str, Head] = {
    "logits": dense(),
    "reshaped": lambda x: layers.Reshape((3,))(dense()(x)),
    "inside": nested(dense()),
    "average": mean(None),
    "average of models": lambda x: layers.Average()([nested(dense())(x), mean(None)(x)]),
    "tanh": dense("tanh"),
    "rectified": dense("relu"),
    "logarithms": dense("log_softmax"),
    "sum of probabilities": lambda x: layers.Add()([dense("softmax")(x), dense("softmax")(x)]),
    "behind a sigmoid": lambda x: dense()(dense("sigmoid", 8)(x)),
    "layer of its own": lambda x: Opaque(lambda x: 2 * x)(dense()(x)),
    "like probabilities": regression,
    "named alike": lambda x: layers.Dense(3, name="probabilities")(x),
}


def classifier(head: Head) -> keras.Model:
    keras.utils.set_random_seed(1)
    image = keras.Input((2, 2, 2), name="image")
    return keras.Model(image, head(layers.Flatten()(image)), name="mine")


def images() -> Any:
    return np.random.default_rng(1).normal(size=(5, 2, 2, 2)).astype(np.float32)


@pytest.mark.parametrize("head", PROBABILITIES.values(), ids=PROBABILITIES)
def test_probabilities_are_unchanged(head: Head) -> None:
    model = classifier(head)
    assert with_probabilities(model) is model


@pytest.mark.parametrize("head", SCORES.values(), ids=SCORES)
def test_other_scores_get_one_softmax(head: Head) -> None:
    model = classifier(head)
    found = with_probabilities(model)
    np.testing.assert_allclose(found(images()), ops.softmax(model(images())), atol=1e-6)
    assert (found.name, with_probabilities(found)) == ("mine", found)


@pytest.mark.parametrize(
    ("activation", "second"),
    [
        ("sigmoid", lambda p: p),
        (None, ops.sigmoid),
        ("tanh", ops.sigmoid),  # of hinge loss, -1 to 1
        (lambda x: ops.sigmoid(x), lambda p: p),
    ],
)
def test_one_score_becomes_two_classes(activation: Any, second: Head) -> None:
    model = classifier(dense(activation, 1))
    found = with_probabilities(model)
    expected = np.asarray(second(model(images())))
    expected = np.concatenate([1 - expected, expected], axis=1)
    np.testing.assert_allclose(found(images()), expected, atol=1e-6)
    assert with_probabilities(found) is found


def test_scores_decide_if_layers_do_not_tell() -> None:
    model = classifier(lambda x: Opaque(lambda x: x)(dense()(x)))
    assert gives_probabilities(model, np.float32([[0.2, 0.8], [0.9, 0.1]]))
    assert not gives_probabilities(model, np.float32([[0.2, 0.8], [9, 0.1]]))
    logits = classifier(dense())  # whose layers tell
    assert not gives_probabilities(logits, np.float32([[0.2, 0.8]]))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sigmoid of each", "independent of each other"),
        ("hard sigmoid", "independent of each other"),
        ("one against all", "independent of each other"),
        ("tanh", "come from tanh"),
        ("rectified", "come from relu"),
    ],
)
def test_other_kinds_of_scores_are_remarked_on(kind: str, text: str) -> None:
    model = classifier((PROBABILITIES | SCORES)[kind])
    (remark,) = score_remarks(model, np.asarray(model(images())))
    assert text in remark


@pytest.mark.parametrize("units", [1, 3])
def test_restricted_activations_are_found_inside_a_model(units: int) -> None:
    model = classifier(nested(lambda x: layers.Reshape((units,))(dense("tanh", units)(x))))
    (remark,) = score_remarks(model, np.asarray(model(images())))
    assert "come from tanh" in remark


@pytest.mark.parametrize(
    "kind", ["softmax", "average", "keras.ops", "logits", "inside", "logarithms", "named alike"]
)
def test_usual_scores_need_no_remark(kind: str) -> None:
    model = classifier((PROBABILITIES | SCORES)[kind])
    assert score_remarks(model, np.asarray(model(images()))) == []
    for one in (dense("sigmoid", 1), dense(None, 1)):
        model = classifier(one)
        assert score_remarks(model, np.asarray(model(images()))) == []


@pytest.mark.parametrize(
    ("scores", "is_quantity"),
    [
        ([18.0, 46.5, 80.0], True),  # years
        ([-40.0, -25.0], True),
        ([40.0, -25.0], False),
        ([0.5, 16.0], False),
        ([3.0, 80.0], False),
    ],
)
def test_a_quantity_is_distinguished_from_a_logit(scores: list[float], is_quantity: bool) -> None:
    assert looks_like_regression(np.float32(scores).reshape(-1, 1)) == is_quantity
    assert not looks_like_regression(np.float32([scores]))
