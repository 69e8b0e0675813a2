from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context

from cnn_keras.training.optimization.gradient_sums import ordered_gradient_sums

IMAGES = np.random.default_rng(0).standard_normal((4, 8, 8, 3)).astype(np.float32)


def sums_of_a_training_step(branches: int) -> list[int]:
    """Return the numbers of inputs of all AddN of a compiled training step."""
    image = keras.Input((8, 8, 3))
    shared = keras.layers.Conv2D(4, 1)(image)
    outputs = [keras.layers.Conv2D(2, 1 + 2 * (i % 2), padding="same")(shared) for i in range(4)]
    model = keras.Model(image, keras.layers.Concatenate()(outputs[:branches]))
    model.compile(keras.optimizers.SGD(0.01), "mse")
    model.make_train_function()
    labels = np.zeros((4, 8, 8, 2 * branches), np.float32)
    batches = tf.data.Dataset.from_tensors((IMAGES, labels))
    context.context().enable_graph_collection()
    model.train_function(iter(batches))
    metadata = context.context().export_run_metadata()
    context.context().disable_graph_collection()
    graphs = [graph.post_optimization_graph for graph in metadata.function_graphs]
    return [len(node.input) for graph in graphs for node in graph.node if node.op == "AddN"]


def test_no_more_than_two_gradients_are_added_at_once() -> None:
    assert max(sums_of_a_training_step(4)) == 4  # TensorFlow's own
    with ordered_gradient_sums():
        assert set(sums_of_a_training_step(4)) == {2}
    assert max(sums_of_a_training_step(4)) == 4


def test_the_sums_are_those_of_tensorflow() -> None:
    x = tf.Variable(np.float32([1e8, 1.0, 3.0]))
    weights = [np.float32([1.0, 2.0, 3.0]), np.float32([-4.0, 0.5, 1e-8]), np.float32([7.0, 8, 9])]

    def gradient() -> np.ndarray:
        with tf.GradientTape() as tape:
            loss = tf.add_n([tf.reduce_sum(x * weight) for weight in weights])
        found: np.ndarray = tape.gradient(loss, x).numpy()
        return found

    before = gradient()
    with ordered_gradient_sums():
        np.testing.assert_array_equal(gradient(), before)
