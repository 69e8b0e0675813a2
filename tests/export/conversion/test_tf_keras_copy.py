from __future__ import annotations

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers, ops

from cnn_keras import build
from cnn_keras.blocks import LocalResponseNormalization
from cnn_keras.data import photographs
from cnn_keras.data.preprocessing import Float32Images, Preprocessing
from cnn_keras.errors import Error, UsageError
from cnn_keras.zoo import ZOO
from export.conversion.tf_keras_copy import (
    MAX_RELATIVE_ERROR,
    Stateless,
    copy_to_tf_keras,
    require_equal,
)

# Their last activation is left out: with random weights they give all classes the same probability.
APPLICATIONS = ("MobileNetV2", "ResNet50V2", "DenseNet121", "EfficientNetB0", "InceptionV3")


def photographs_of(shape: tuple[int, ...], count: int = 2) -> Float32Images:
    height, width, channels = shape[-3:]
    normalize = Preprocessing(height, width, channels, (127.5,) * channels, (64.0,) * channels)
    return normalize(photographs.crops((height, width, channels), count, 0, seed=0))


def settled(model: keras.Model, images: Float32Images) -> keras.Model:
    """Give batch normalizations statistics of their own, which a copy could get wrong."""
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = 0.5
    model(images, training=True)
    return model


@pytest.fixture
def image() -> keras.KerasTensor:
    return keras.Input((16, 16, 3), name="image")


@pytest.mark.parametrize("name", ["lenet5", "resnet20", "googlenet"])
def test_networks_of_the_zoo_have_an_equal_copy(name: str) -> None:
    keras.utils.set_random_seed(0)
    shape = (64, 64, 3) if name == "googlenet" else ZOO[name].input_shape
    images = photographs_of(shape)
    model = settled(build(name, shape, 10), images)
    tf_keras.backend.set_floatx("float16")  # as a keras.json may set it
    tf_keras.backend.set_image_data_format("channels_first")
    try:
        copy = copy_to_tf_keras(model).model
    finally:
        tf_keras.backend.set_floatx("float32")
        tf_keras.backend.set_image_data_format("channels_last")
    assert require_equal(model, copy, images) <= MAX_RELATIVE_ERROR
    assert copy.count_params() == model.count_params()
    weighted = {layer.name for layer in model.layers if layer.weights}
    assert {layer.name for layer in copy.layers if layer.weights} == weighted


@pytest.mark.slow
@pytest.mark.parametrize("name", [*ZOO, *APPLICATIONS])
def test_every_network_has_an_equal_copy(name: str) -> None:
    keras.utils.set_random_seed(0)
    if name in ZOO:
        model = build(name)
    else:
        model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    images = photographs_of(model.input_shape)
    assert require_equal(model, copy_to_tf_keras(model).model, images) <= MAX_RELATIVE_ERROR
    keras.backend.clear_session()
    tf_keras.backend.clear_session()


def test_a_model_of_integer_pixels_has_a_copy_of_floats() -> None:
    image = keras.Input((16, 16, 3), dtype="uint8")
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(ops.cast(image, "float32")))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    copy = copy_to_tf_keras(model).model
    assert copy.inputs[0].dtype == "float32"
    pixels = np.random.default_rng(0).integers(0, 256, (2, 16, 16, 3)).astype(np.float32)
    assert require_equal(model, copy, pixels) <= MAX_RELATIVE_ERROR


def test_a_model_of_a_user_has_an_equal_copy(image: keras.KerasTensor) -> None:
    nested = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(6, 3, padding="same", groups=3, name="grouped"),
            layers.BatchNormalization(name="bn"),
        ],
        name="nested",
    )
    shared = layers.Conv2D(6, 1, activation="relu", name="shared")
    x = nested(layers.RandomRotation(0.2, name="augmentation")(image))
    x = layers.Add(name="add")([x, nested(image[:, ::-1]), shared(image), shared(image[:, ::-1])])
    x = LocalResponseNormalization(2, 1.0, 0.1, 0.75, name="lrn")(x)
    x = layers.Concatenate(name="concat")([x, ops.sigmoid(x[:, :, :, :2]), 2.0 * image])
    x = layers.SeparableConv2D(6, 3, strides=2)(x)
    x = nested(layers.Conv2D(3, 1)(x))
    x = layers.Dropout(0.5)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="logits")(x), name="user")
    images = photographs_of(image.shape, 4)
    nested(images, training=True)

    copy = copy_to_tf_keras(model).model
    assert require_equal(model, copy, images) <= MAX_RELATIVE_ERROR
    assert copy.count_params() == model.count_params()  # shared layers are not doubled
    assert {"nested_grouped", "nested_bn", "shared", "lrn"} <= {x.name for x in copy.layers}


def test_a_clone_of_the_copy_is_equal_too(image: keras.KerasTensor) -> None:
    x = LocalResponseNormalization(2, 1.0, 0.1, 0.75, name="lrn")(image)
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(ops.split(x, 3, axis=-1)[1])))
    copy = copy_to_tf_keras(model).model
    clone = tf_keras.models.clone_model(copy)
    clone.set_weights(copy.get_weights())
    assert any(isinstance(layer, Stateless) for layer in clone.layers)
    assert require_equal(model, clone, photographs_of(image.shape)) <= MAX_RELATIVE_ERROR


def test_a_copy_with_other_weights_is_refused(image: keras.KerasTensor) -> None:
    model = keras.Model(image, layers.Dense(3, name="logits")(layers.Flatten()(image)))
    copy = copy_to_tf_keras(model).model
    layer = copy.get_layer("logits")
    layer.set_weights([1.01 * weight for weight in layer.get_weights()])
    with pytest.raises(Error, match=r"differs by 0\.01"):
        require_equal(model, copy, photographs_of(image.shape))


def test_layers_without_a_counterpart_are_named(image: keras.KerasTensor) -> None:
    @keras.saving.register_keras_serializable("test")
    class Gain(layers.Layer):
        def build(self, shape: tuple[int, ...]) -> None:
            self.gain = self.add_weight(shape=(shape[-1],), name="gain")

        def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
            return self.gain * x

    inner = keras.Sequential([keras.Input((16, 16, 3)), Gain(name="gain")], name="inner")
    with pytest.raises(UsageError, match=r"'inner/gain' \(Gain\) has weights"):
        copy_to_tf_keras(keras.Model(image, inner(image)))

    @keras.saving.register_keras_serializable("test")
    def double(x: keras.KerasTensor) -> keras.KerasTensor:
        return 2 * x

    act = layers.Activation(double, name="act")
    with pytest.raises(UsageError, match="'act' has a function of its own as activation"):
        copy_to_tf_keras(keras.Model(image, act(image)))


def test_models_that_are_not_functional_are_refused() -> None:
    class Subclassed(keras.Model):
        def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
            return x

    with pytest.raises(UsageError, match="neither a functional nor a sequential model"):
        copy_to_tf_keras(Subclassed(name="own"))


def test_normalization_by_statistics_of_data_is_copied() -> None:
    images = photographs_of((8, 8, 3), 4)
    normalization = layers.Normalization()
    normalization.adapt(images)
    model = keras.Sequential([keras.Input((8, 8, 3)), normalization, layers.Flatten()])
    found = np.asarray(copy_to_tf_keras(model).model(images))
    assert np.abs(found.mean()) < 1e-5
