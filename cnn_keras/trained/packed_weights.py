"""Packed weights: the arrays of a network's layers as a compressed `.npz` file of few bytes.

The array with the name `LAYER/0` is the first one of a layer, in float16. If the file would be too
large, the kernels are in int8, and `LAYER/0/scale` has the float32 scale of each output channel.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import Error
from ..model_files.layer_weights import Weights

MAX_FLOAT16_BYTES = 1_200_000
"""Size up to which a file is in float16: several networks shall fit into a wheel of a few MB."""

_SCALE = "/scale"
_MAX_INT8 = 127


def pack(weights: Weights) -> bytes:
    """Return the content of a file of packed weights.

    The same weights give the same bytes.

    Raises:
        Error: A weight is not finite in float16.

    Example:
        >>> content = pack({"logits": [np.array([[0.1, 0.5]]), np.array([1.0, 2.0])]})
        >>> unpack(content)["logits"][1]
        array([1., 2.], dtype=float32)
    """
    content = _npz(_float16_arrays(weights))
    return content if len(content) <= MAX_FLOAT16_BYTES else _npz(_int8_arrays(weights))


def unpack(content: bytes) -> dict[str, list[NDArray[np.float32]]]:
    """Return the weights of a packed file in float32, by layer."""
    weights: dict[str, list[NDArray[np.float32]]] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        for name in arrays.files:
            if name.endswith(_SCALE):
                continue
            array = arrays[name].astype(np.float32)
            if name + _SCALE in arrays.files:
                array *= arrays[name + _SCALE]
            layer = name.rpartition("/")[0]
            weights.setdefault(layer, []).append(array)  # in the order in which `pack` wrote them
    return weights


def _float16_arrays(weights: Weights) -> dict[str, NDArray[Any]]:
    return {
        f"{layer}/{index}": _to_float16(layer, array)
        for layer, arrays in weights.items()
        for index, array in enumerate(arrays)
    }


def _int8_arrays(weights: Weights) -> dict[str, NDArray[Any]]:
    packed: dict[str, NDArray[Any]] = {}
    for layer, arrays in weights.items():
        for index, array in enumerate(arrays):
            name = f"{layer}/{index}"
            if array.ndim < 2:  # a bias or a normalization, which has few values
                packed[name] = _to_float16(layer, array)
                continue
            # The output channels of all kernels are on their last axis.
            largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))
            scale = (np.where(largest > 0, largest, 1) / _MAX_INT8).astype(np.float32)
            packed[name] = np.rint(array / scale).astype(np.int8)
            packed[name + _SCALE] = scale
    return packed


def _to_float16(layer: str, array: NDArray[Any]) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        converted = array.astype(np.float16)
    if not np.isfinite(converted).all():
        raise Error(f"A weight of layer '{layer}' is not finite in float16.")
    return converted


def _npz(arrays: dict[str, NDArray[Any]]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, allow_pickle=False, **arrays)
    return file.getvalue()
