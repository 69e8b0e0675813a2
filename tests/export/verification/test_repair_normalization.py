"""Group and layer normalization, for which 8 bits are too few."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray

import export
from export.conversion.quantize import Ranges, calibrate
from export.recipes import Recipe, recipe
from export.verification.audit import audit
from export.verification.refusal import problems, reasons_to_refuse
from export.verification.repair import repair
from export.verification.verify import Verdict, verify
from tests.fixtures.trained_network import Trained

STATIC = recipe("static_wi8_ai8")


class Normalized(NamedTuple):
    """A trained network with normalizations, as a float32 file."""

    float32: bytes
    ranges: Ranges
    reference: NDArray[np.float32]
    trained: Trained  # the digits

    def judge(self, content: bytes, row: Recipe) -> Verdict:
        return verify(content, self.reference, self.trained.images, self.trained.labels, row)


@pytest.fixture(
    scope="module",
    params=[lambda: layers.GroupNormalization(4), layers.LayerNormalization],
    ids=["group", "layer"],
)
def normalized(request: pytest.FixtureRequest, trained: Trained) -> Normalized:
    keras.utils.set_random_seed(0)
    x = image = keras.Input((8, 8, 1))
    for filters in (16, 32):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(request.param()(x))
        x = layers.MaxPooling2D()(x)
    x = layers.Dense(10, activation="softmax")(layers.Flatten()(x))
    model = keras.Model(image, x, name="net")
    adam = keras.optimizers.Adam(1e-2)
    adam.build(model.trainable_variables)  # while it trains, it takes longer
    model.compile(adam, "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(trained.images[:300], trained.labels[:300], epochs=6, verbose=0)
    float32 = export.convert(model)
    reference: Any = model.predict(trained.images, verbose=0)
    return Normalized(float32, calibrate(float32, trained.calibration[:64]), reference, trained)


def test_the_reason_gives_an_expression_that_keeps_normalizations_in_float(
    normalized: Normalized,
) -> None:
    content = export.quantize(normalized.float32, STATIC, normalized.ranges)
    (reason,) = problems(audit(content), STATIC)
    found = re.search(r"--keep-float '(.*)'", reason)
    assert found
    row = STATIC.with_float_layers(found[1])
    content = export.quantize(normalized.float32, row, normalized.ranges)
    assert problems(audit(content), row) == []
    assert normalized.judge(content, row).accepted
    assert audit(content).dtypes["int8"] > 10  # the convolutions are still integers


def test_repair_keeps_the_normalizations_in_float(normalized: Normalized) -> None:
    images = normalized.trained.images[:4]
    found = repair(normalized.float32, STATIC, normalized.ranges, normalized.judge, images)
    assert found.verdict.accepted
    assert problems(audit(found.content), found.recipe) == []
    assert all("normalization" in layer.layer for layer in found.layers)
    assert len(found.layers) <= 2


class Standardized(layers.Layer):
    """Normalization that is quantized as a whole, so that the graph has no float operations."""

    def call(self, x: Any) -> Any:
        mean, variance = (
            moment(x, axis=(1, 2, 3), keepdims=True) for moment in (keras.ops.mean, keras.ops.var)
        )
        return (x - mean) * keras.ops.rsqrt(variance + 1e-6)


def test_the_reason_gives_an_expression_without_float_operations_too() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = Standardized(name="norm")(layers.Conv2D(8, 3)(image))
    bias = keras.initializers.RandomNormal(
        stddev=1
    )  # without it a wrong scale changes no prediction
    scores = layers.Dense(3, activation="softmax", bias_initializer=bias)
    model = keras.Model(image, scores(layers.Flatten()(layers.ReLU()(x))), name="net")
    random = np.random.default_rng(0)
    images = random.normal(size=(3, 8, 8, 1))[random.integers(0, 3, 600)]
    images += 0.2 * random.normal(size=images.shape)
    images *= 10 ** random.uniform(
        -1.5, 0, (600, 1, 1, 1)
    )  # of varied contrast, which the network normalizes
    images = images.astype(np.float32)
    reference: Any = model.predict(images, verbose=0)
    float32 = export.convert(model)

    def reasons(row: Recipe) -> list[str]:
        content = export.quantize(float32, row, images)
        return reasons_to_refuse(
            audit(content), row, verify(content, reference, images, None, row).reasons
        )

    loss, advice = reasons(STATIC)
    assert loss.startswith("agrees with the Keras model on")
    found = re.search(r"--keep-float '(.*)'", advice)
    assert found
    assert reasons(STATIC.with_float_layers(found[1])) == []
