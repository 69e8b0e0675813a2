from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_keras.blocks import conv_bn_relu
from cnn_keras.inspection import gradients


def small() -> keras.Model:
    """A convolution, a normalization and a classifier, with seeded weights."""
    keras.utils.set_random_seed(0)
    image = keras.Input((6, 6, 2))
    x = layers.GlobalAveragePooling2D()(conv_bn_relu(image, 3, 3, name="conv1"))
    return keras.Model(image, layers.Dense(4, activation="softmax", name="logits")(x))


def random(*shape: int) -> gradients.Array:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_the_gradient_of_a_convolution_is_a_transposed_convolution() -> None:
    layer = layers.Conv2D(3, 3, padding="same")
    image, back = random(2, 5, 5, 2), random(2, 5, 5, 3)
    layer.build(image.shape)
    found = gradients.gradient(lambda x: ops.sum(back * layer(x)), image)
    expected = ops.conv_transpose(back, layer.kernel, padding="same")
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_gradient_of_an_unused_argument_is_zero() -> None:
    one, two = gradients.gradients(lambda x, y: ops.sum(x**3), [random(3), random(2, 2)])
    np.testing.assert_allclose(one, 3 * random(3) ** 2, rtol=1e-5)
    np.testing.assert_array_equal(two, np.zeros((2, 2)))


def test_the_gradient_of_a_softmax_is_probabilities_minus_labels() -> None:
    image = keras.Input((5,))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="logits")(image))
    images, labels = random(4, 5), np.array([0, 2, 1, 2])
    loss = keras.losses.SparseCategoricalCrossentropy()
    found = gradients.weight_gradients(model, loss, images, labels)
    residual = (ops.convert_to_numpy(model(images)) - np.eye(3)[labels]) / 4
    assert list(found) == ["logits/kernel", "logits/bias"]
    np.testing.assert_allclose(found["logits/kernel"], images.T @ residual, atol=1e-6)
    np.testing.assert_allclose(found["logits/bias"], residual.sum(axis=0), atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_gradient_is_the_slope_of_the_loss(training: bool) -> None:
    model, images, labels = small(), random(8, 6, 6, 2), np.arange(8) % 4
    loss = keras.losses.SparseCategoricalCrossentropy()
    before = [np.array(variable) for variable in model.variables]
    found = gradients.weight_gradients(model, loss, images, labels, training=training)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)  # the moving averages too
    step = 1e-2
    for weight in model.trainable_variables:
        start = np.array(weight)
        direction = found[weight.path] / np.linalg.norm(found[weight.path])
        values = []
        for sign in (1, -1):
            weight.assign(start + sign * step * direction)
            values.append(float(loss(labels, model(images, training=training))))
        weight.assign(start)
        slope = (values[0] - values[1]) / (2 * step)
        assert slope == pytest.approx(np.linalg.norm(found[weight.path]), rel=2e-2)


def test_normalization_by_the_batch_makes_a_kernels_scale_irrelevant() -> None:
    """So in training the gradient is orthogonal to the kernel, and at inference it is not."""
    model, images, labels = small(), random(8, 6, 6, 2), np.arange(8) % 4
    loss = keras.losses.SparseCategoricalCrossentropy()
    kernel = np.array(model.get_layer("conv1").kernel)

    def cosine(training: bool) -> float:
        found = gradients.weight_gradients(model, loss, images, labels, training=training)
        slope = found["conv1/kernel"]
        return abs((slope * kernel).sum()) / np.linalg.norm(slope) / np.linalg.norm(kernel)

    assert cosine(training=True) < 1e-3
    assert cosine(training=False) > 1e-2
