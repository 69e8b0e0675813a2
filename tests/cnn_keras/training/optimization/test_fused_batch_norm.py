from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.training.optimization.fused_batch_norm import fuse_batch_norms

IMAGES = np.random.default_rng(0).normal(3, 2, (2, 3, 3, 4)).astype("float32")  # 18 values each


def build(policy: str = "float32", **options: Any) -> keras.Model:
    layer = keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, name="bn", dtype=policy, **options
    )
    model = keras.Sequential([keras.Input((3, 3, 4)), layer])
    generator = np.random.default_rng(1)
    model.set_weights([generator.uniform(0.5, 2, w.shape) for w in model.get_weights()])
    return model


def train_once(model: keras.Model) -> list[Any]:
    """Return outputs, gradients and the moving statistics after a step."""
    with tf.GradientTape() as tape:
        images = tf.constant(IMAGES)
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 3)
    gradients = tape.gradient(loss, [images, *(v.value for v in model.trainable_variables)])
    return [outputs, *(g for g in gradients if g is not None), *model.get_weights()]


def operations(
    model: keras.Model, training: bool, images: tf.DType = tf.float32
) -> dict[str, tf.Operation]:
    """Return the operations of a model's graph by type; of each type, the last one."""
    function = tf.function(lambda images: model(images, training=training))
    graph = function.get_concrete_function(tf.TensorSpec((2, 3, 3, 4), images)).graph
    return {operation.type: operation for operation in graph.get_operations()}


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float32", 2e-6), ("mixed_float16", 2e-3), ("mixed_bfloat16", 2e-2)]
)
def test_a_step_equals_keras_but_for_rounding(policy: str, tolerance: float) -> None:
    plain, fused = build(policy), build(policy)
    fuse_batch_norms(fused)
    assert "FusedBatchNormV3" not in operations(plain, training=True)
    assert "FusedBatchNormV3" in operations(fused, training=True)
    for expected, found in zip(train_once(plain), train_once(fused), strict=True):
        assert found.dtype == expected.dtype
        scale = np.abs(np.array(expected, np.float32)).max()
        difference = np.abs(np.array(expected, np.float32) - np.array(found, np.float32)).max()
        assert difference <= tolerance * scale


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_images_in_half_precision_are_normalized_as_they_are(precision: str) -> None:
    """But the statistics are computed, and kept, in float32."""
    model = build(f"mixed_{precision}")
    fuse_batch_norms(model)
    operation = operations(model, True, tf.as_dtype(precision))["FusedBatchNormV3"]
    assert [each.dtype.name for each in operation.inputs] == [precision, *4 * ["float32"]]
    images = tf.cast(IMAGES, precision)
    model(images, training=True)
    _, _, mean, _ = model.get_weights()
    before = build().get_weights()[2]
    expected = 0.9 * before + 0.1 * np.array(images, np.float32).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(mean, expected, rtol=1e-6)


def test_inference_and_files_stay_as_they_are(tmp_path: Path) -> None:
    model = build()
    expected, config = model.predict(IMAGES, verbose=0), model.to_json()
    fuse_batch_norms(model)
    np.testing.assert_array_equal(model.predict(IMAGES, verbose=0), expected)
    assert "FusedBatchNormV3" not in operations(model, training=False)
    assert model.to_json() == config
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert "FusedBatchNormV3" not in operations(loaded, training=True)
    np.testing.assert_array_equal(loaded.predict(IMAGES, verbose=0), expected)


def test_a_frozen_layer_keeps_its_statistics() -> None:
    model = build()
    model.trainable = False
    fuse_batch_norms(model)
    expected = model.predict(IMAGES, verbose=0)
    np.testing.assert_allclose(model(IMAGES, training=True), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("policy", "options"),
    [("float64", {}), ("float32", {"axis": 1}), ("float32", {"scale": False})],
)
def test_a_layer_of_another_form_is_left_alone(policy: str, options: dict[str, Any]) -> None:
    layer = keras.layers.BatchNormalization(dtype=policy, **options)
    model = keras.Sequential([keras.Input((3, 3, 4)), layer])
    fuse_batch_norms(model)
    assert "FusedBatchNormV3" not in operations(model, training=True)
    assert "call" not in vars(layer)
