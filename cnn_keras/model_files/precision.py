"""Rebuilding of models in float32 that compute in another precision.

TFLite files are converted from float32 models and compared with them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..command import log, quiet
from ..errors import Error, first_line
from .nested_layers import operations

if TYPE_CHECKING:
    import keras

_OTHER_POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
_NOISE_IMAGES, _NOISE_SIDE = 4, 64


def in_float32(model: keras.Model) -> keras.Model:
    """Return a model in float32: the model itself, or a copy if a layer has another precision.

    Checks that the copy has the same weights, and logs how far its scores for noise differ.

    Args:
        model: A built model whose layers Keras can serialize.

    Raises:
        Error: The layers cannot be built in float32 or not with the same weights, or Keras has
            quantized them.
    """
    import keras

    for layer in (model, *operations(model, sublayers=True)):
        if mode := getattr(layer, "quantization_mode", None):
            raise Error(
                f"Layer '{layer.name}' of '{model.name}' was quantized by Keras' own "
                f"model.quantize('{mode}'), which cannot be undone: give the model from before it."
            )
    found: set[str] = set()
    try:
        config = with_float32_policy(keras.saving.serialize_keras_object(model), found)
    except Exception:  # a custom class that no file could hold either
        return model
    if not found:
        return model
    # A mixed policy has tensors of its half precision.
    precisions = ", ".join(n for n in _OTHER_POLICIES if n in found and f"mixed_{n}" not in found)
    try:
        rebuilt = keras.saving.deserialize_keras_object(config)
        rebuilt.set_weights(model.get_weights())
    except Exception as error:  # of any layer, including custom ones
        raise Error(
            f"'{model.name}' computes in {precisions} and cannot be rebuilt in float32 "
            f"({first_line(error)}): save it with keras.config.set_dtype_policy('float32')."
        ) from error
    pairs = [*zip(model.get_weights(), rebuilt.get_weights(), strict=True)]
    if not all(np.array_equal(old.astype(new.dtype), new, equal_nan=True) for old, new in pairs):
        raise Error(f"'{model.name}' has other weights when it is rebuilt in float32.")
    log(
        f"'{model.name}' computes in {precisions}: rebuilt in float32 with the same weights"
        f"{_score_difference(model, rebuilt)}"
    )
    return rebuilt


def with_float32_policy(config: Any, found: set[str]) -> Any:
    """Return the configuration of a model with float32 in place of every other precision.

    Args:
        config: JSON types, as Keras 2 and Keras 3 write them.
        found: Receives the names of the other precisions.
    """
    if isinstance(config, list | tuple):
        return type(config)(with_float32_policy(part, found) for part in config)
    if not isinstance(config, dict):
        return config
    config = {key: with_float32_policy(part, found) for key, part in config.items()}
    policy = config["config"] if config.get("class_name") in ("DTypePolicy", "Policy") else {}
    for holder, key in ((config, "dtype"), (policy, "name")):
        if (name := holder.get(key)) in _OTHER_POLICIES:
            found.add(name)
            holder[key] = "float32"
    return config


def _score_difference(model: keras.Model, rebuilt: keras.Model) -> str:
    """Describe how far the scores of two models differ for noise, if each has one input and output.

    Returns:
        The end of a sentence, or an empty string.
    """
    from keras import ops, tree

    inputs, outputs = (getattr(model, name, None) or [] for name in ("inputs", "outputs"))
    if len(inputs) != 1 or len(outputs) != 1:
        return ""
    shape = (_NOISE_IMAGES, *(side or _NOISE_SIDE for side in inputs[0].shape[1:]))
    noise = np.random.default_rng(0).random(shape, np.float32)
    with quiet(2):  # TensorFlow prints that oneDNN lacks float16 on most CPUs
        half, full = (
            np.asarray(ops.cast(tree.flatten(each(noise, training=False))[0], "float32"))
            for each in (model, rebuilt)
        )
    return f", scores for noise differ by up to {np.abs(half - full).max():.1g}"
