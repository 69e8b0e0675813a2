"""Gradients on the TensorFlow, JAX and torch backends of Keras.

They are computed eagerly, in the network's own precision. Weights and moving statistics stay
unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.preprocessing import Float32Images
from ..data.splits import Labels

if TYPE_CHECKING:
    import keras

    from ..blocks import Tensor

Array = NDArray[np.floating[Any]]


def gradient(function: Callable[[Tensor], Tensor], at: Array) -> Array:
    """Return the gradient of a scalar function of one tensor.

    Args:
        function: Function of Keras layers, models and `keras.ops`; it is called once.
        at: Value of the tensor, of any shape.

    Returns:
        The gradient in the shape of `at`, zeros if the function does not depend on the tensor.

    Example:
        >>> import keras
        >>> gradient(lambda x: keras.ops.sum(x**2), np.float32([1, 2])).tolist()
        [2.0, 4.0]
    """
    return gradients(function, [at])[0]


def gradients(function: Callable[..., Tensor], at: Sequence[Array]) -> list[Array]:
    """Return the gradient of a scalar function with respect to each of its arguments.

    Args:
        function: Function of as many tensors as `at` has arrays; see `gradient`.
        at: Values of the tensors.
    """
    import keras

    tensors = [keras.ops.convert_to_tensor(array) for array in at]
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(tensors)
            value = function(*tensors)
        found = tape.gradient(value, tensors, unconnected_gradients="zero")
    elif backend == "jax":
        import jax

        found = jax.grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    elif backend == "torch":
        import torch

        with torch.enable_grad():
            tensors = [tensor.detach().requires_grad_() for tensor in tensors]
            value = function(*tensors)
        found = torch.autograd.grad(value, tensors, allow_unused=True, materialize_grads=True)
    else:
        raise NotImplementedError(f"Keras' backend {backend} computes no gradients.")
    return [keras.ops.convert_to_numpy(tensor) for tensor in found]


def weight_gradients(
    model: keras.Model,
    loss: Callable[[Labels, Tensor], Tensor],
    images: Float32Images,
    labels: Labels,
    *,
    training: bool = True,
) -> dict[str, Array]:
    """Return the gradient of a loss with respect to every trainable weight.

    Args:
        model: From images to one output.
        loss: Scalar function of labels and output, for example a `keras.losses.Loss`.
        images: One batch, `(n, height, width, channels)`.
        labels: `(n,)`.
        training: Whether the network is in training mode, in which normalization uses the
            statistics of the batch.

    Returns:
        Gradients in the weights' shapes, by the weights' paths, such as ``"conv1/kernel"``.
    """
    import keras

    weights = model.trainable_variables
    others = [variable.value for variable in model.non_trainable_variables]

    def of_weights(*values: Tensor) -> Tensor:
        output, _ = model.stateless_call(list(values), others, images, training=training)
        return loss(labels, output)

    found = gradients(of_weights, [keras.ops.convert_to_numpy(variable) for variable in weights])
    return {variable.path: array for variable, array in zip(weights, found, strict=True)}
