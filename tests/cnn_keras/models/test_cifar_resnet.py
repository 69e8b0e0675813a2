from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

import cnn_keras
from cnn_keras.training.checkpoints.dropout_seeds import seed_dropout
from cnn_keras.zoo import ZOO
from tests.fixtures.networks import ModelOf, count_trainable

IMAGES = np.random.default_rng(0).normal(size=(4, 9, 9, 2)).astype(np.float32)
LABELS = np.array([0, 1, 2, 0])


def small(**options: int) -> keras.Model:
    """Three modules."""
    return cnn_keras.build("resnet20", IMAGES.shape[1:], 3, depth=8, **options)


def step(model: keras.Model) -> list[bool]:
    """Train once and return which modules' branches have changed."""
    kernels = [model.get_layer(f"conv{stage}_1_b").kernel for stage in (2, 3, 4)]
    before = [ops.convert_to_numpy(kernel) for kernel in kernels]
    model.train_on_batch(IMAGES, LABELS)
    return [
        bool((ops.convert_to_numpy(kernel) != old).any())
        for kernel, old in zip(kernels, before, strict=True)
    ]


@pytest.mark.parametrize("branches", [1, 2])
def test_a_step_trains_as_many_branches_as_are_drawn(branches: int) -> None:
    model = small(branches=branches)
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    trained = [step(model) for _ in range(12)]
    assert {sum(each) for each in trained} == {branches}
    assert all(any(each) for each in zip(*trained, strict=True))  # every module has its turns
    seed_dropout(model, seed=0, epoch=3)
    first = [step(model) for _ in range(4)]
    seed_dropout(model, seed=0, epoch=3)  # as a training that was killed and goes on
    assert [step(model) for _ in range(4)] == first


def test_in_prediction_every_branch_counts_by_how_often_it_passes() -> None:
    drawn, whole = small(branches=2), small()
    for layer in whole.layers:
        weights = drawn.get_layer(layer.name).get_weights()
        if layer.name.endswith("_b_bn"):
            gamma, beta, *moments = weights
            weights = [gamma * 2 / 3, beta * 2 / 3, *moments]
        layer.set_weights(weights)
    np.testing.assert_allclose(drawn(IMAGES), whole(IMAGES), atol=1e-6)


# He et al., Table 6: millions of parameters as printed.
TABLE_6 = {"resnet20": 0.27, "resnet32": 0.46, "resnet44": 0.66, "resnet56": 0.85, "resnet110": 1.7}


@pytest.mark.parametrize("name", TABLE_6)
def test_parameters_round_to_those_of_table_6(name: str) -> None:
    digits = 1 if TABLE_6[name] > 1 else 2
    assert round(ZOO[name].parameters / 1e6, digits) == TABLE_6[name]


@pytest.mark.parametrize("depth", [20, 32, 44, 56])
def test_plain_network_lacks_only_the_additions(depth: int, model_of: ModelOf) -> None:
    plain, residual = (model_of(f"{family}{depth}") for family in ("plain", "resnet"))
    kinds = [{type(layer).__name__ for layer in model.layers} for model in (plain, residual)]
    assert kinds[1] - kinds[0] == {"Add", "DepthwiseConv2D"}
    assert count_trainable(plain) == count_trainable(residual)
    assert [w.shape for w in plain.trainable_weights] == [
        w.shape for w in residual.trainable_weights
    ]


def test_projection_shortcuts_add_two_convolutions() -> None:
    projected = count_trainable(cnn_keras.build("resnet20", shortcut="B"))
    convolutions = 16 * 32 + 32 * 64
    assert projected == ZOO["resnet20"].parameters + convolutions + 2 * (32 + 64)


def test_the_names_in_saved_models_are_stable() -> None:
    layer = small(branches=2).get_layer("branches")
    config = keras.saving.serialize_keras_object(layer)
    assert (config["class_name"], config["registered_name"]) == (
        "DrawnBranches",
        "cnn_keras>DrawnBranches",
    )
