"""Models that compute in another precision than float32, rebuilt in it with the same weights.

Half precision is for training. TFLite files are made from float32, and what they are held against
computes in it, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..command import log
from ..errors import Error, first_line

if TYPE_CHECKING:
    import keras

_OTHERS = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
_NOISE_IMAGES, _NOISE_SIDE = 4, 64


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model in float32: rebuilt where any of its layers is of another precision.

    That the weights are the same is checked, and how far the scores for noise differ is said.

    Args:
        model: Built, of layers that Keras can write into a file.

    Raises:
        Error: The layers cannot be built in float32, or not with the same weights; or Keras has
            quantized them.
    """
    import keras

    for layer in model._flatten_layers():
        if mode := getattr(layer, "quantization_mode", None):
            raise Error(
                f"Layer '{layer.name}' of '{model.name}' was quantized by Keras' own "
                f"model.quantize('{mode}'), which is not undone: give the model from before it."
            )
    found: set[str] = set()
    try:
        config = replaced(keras.saving.serialize_keras_object(model), found)
    except Exception:  # a class of its own that no file could hold, either
        return model
    if not found:
        return model
    # A mixed policy has tensors of the half one.
    precisions = ", ".join(n for n in _OTHERS if n in found and f"mixed_{n}" not in found)
    try:
        rebuilt = keras.saving.deserialize_keras_object(config)
        rebuilt.set_weights(model.get_weights())
    except Exception as error:  # of any layer, the user's own among them
        raise Error(
            f"'{model.name}' computes in {precisions} and cannot be rebuilt in float32 "
            f"({first_line(error)}): save it with keras.config.set_dtype_policy('float32')."
        ) from error
    pairs = [*zip(model.get_weights(), rebuilt.get_weights(), strict=True)]
    if not all(np.array_equal(old.astype(new.dtype), new, equal_nan=True) for old, new in pairs):
        raise Error(f"'{model.name}' has other weights when it is rebuilt in float32.")
    log(
        f"'{model.name}' computes in {precisions}: rebuilt in float32 with the same weights"
        f"{_difference(model, rebuilt)}"
    )
    return rebuilt


def replaced(value: Any, found: set[str]) -> Any:
    """Return a configuration of a model with float32 in place of every other precision.

    Args:
        value: Of JSON types, as Keras 2 and 3 write it.
        found: The other precisions are added to it.
    """
    if isinstance(value, list | tuple):
        return type(value)(replaced(part, found) for part in value)
    if not isinstance(value, dict):
        return value
    value = {key: replaced(part, found) for key, part in value.items()}
    policy = value["config"] if value.get("class_name") in ("DTypePolicy", "Policy") else {}
    for holder, key in ((value, "dtype"), (policy, "name")):
        if (name := holder.get(key)) in _OTHERS:
            found.add(name)
            holder[key] = "float32"
    return value


def _difference(model: keras.Model, rebuilt: keras.Model) -> str:
    """Say how far the scores of two models differ for noise, where one image gives one tensor."""
    from keras import ops, tree

    inputs, outputs = (getattr(model, ends, None) or [] for ends in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        return ""
    shape = (_NOISE_IMAGES, *(side or _NOISE_SIDE for side in inputs[0].shape[1:]))
    noise = np.random.default_rng(0).random(shape, np.float32)
    half, full = (
        np.asarray(ops.cast(tree.flatten(each(noise, training=False))[0], "float32"))
        for each in (model, rebuilt)
    )
    return f", scores for noise differ by up to {np.abs(half - full).max():.1g}"
