"""Damaged `.tflite` files, the same for the same seed."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.flatbuffer import pack, parse

# What an offset, an index, a size or a float can be that no converter writes.
_BYTES = (0, 1, 2, 3, 5, 9, 32, 127, 128, 255)
_WORDS = (0, 1, 2, 4, 7, 255, 1 << 16, 1 << 30, 2**31 - 1, 2**31, 2**32 - 1, 0x7F800000, 0x7FC00000)
_SHIFTS = (-64, -16, -4, -2, -1, 1, 2, 4, 16, 64)
_FIELDS = (0, 1, 2, 3, 5, 127, 65536, 2**31 - 1, -1, -2, None)


def mutated(data: bytes, seed: int) -> bytes:
    """Return a file with damage of one kind: every second in its bytes, the others in its graph.

    Args:
        data: A sound file.
        seed: Chooses kind and place; of ten places in its bytes, nine are outside the weights.
    """
    rng = np.random.default_rng(seed)
    if seed % 2:
        return _with_other_fields(data, rng)
    places = described(data) if rng.random() < 0.9 else np.arange(len(data))
    at = rng.choice(places, int(rng.integers(1, 4)))
    word = min(int(at[0]), len(data) - 4) & ~3
    changed = np.frombuffer(data, np.uint8).copy()
    match rng.integers(7):
        case 0:
            changed[at] ^= np.uint8(1) << rng.integers(8, size=len(at), dtype=np.uint8)
        case 1:
            changed[at] = rng.choice(_BYTES, len(at))
        case 2:
            changed[word : word + 4].view("<u4")[:] = rng.choice(_WORDS)
        case 3:
            changed[word : word + 4].view("<u4")[:] += np.uint32(rng.choice(_SHIFTS) % 2**32)
        case 4:
            block = changed[at[0] : at[0] + rng.integers(1, 33)]
            block[:] = rng.integers(256, size=len(block))
        case 5:
            return data[: at[0]]
        case 6:
            return data[: at[0]] + bytes(4 * int(rng.integers(1, 9))) + data[at[0] :]
    return changed.tobytes()


def described(data: bytes) -> NDArray[np.intp]:
    """Return the places in a file that are no weights."""
    from ai_edge_litert import schema_py_generated as schema

    outside = np.ones(len(data), bool)
    model = schema.Model.GetRootAs(data, 0)
    for buffer in map(model.Buffers, range(model.BuffersLength())):
        if buffer.DataLength() > 100:
            start = buffer._tab.Vector(buffer._tab.Offset(4))
            outside[start : start + buffer.DataLength()] = False
    return np.flatnonzero(outside)


def archive(data: bytes) -> bytes:
    """Return the associated files that stand behind a model, zipped."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return b""
    with zipfile.ZipFile(io.BytesIO(data)) as files:
        return data[min(entry.header_offset for entry in files.infolist()) :]


def _with_other_fields(data: bytes, rng: np.random.Generator) -> bytes:
    """Change one to three fields of the graph to what its schema still allows."""
    while True:
        model = parse(data)
        fields = list(_fields(model))
        for index in rng.integers(len(fields), size=rng.integers(1, 4)):
            owner, key = fields[index]
            value = _FIELDS[rng.integers(len(_FIELDS))]
            if isinstance(owner, dict):
                owner[key] = value
            elif isinstance(owner, np.ndarray):
                owner[key] = np.array(value or 0).astype(owner.dtype)
            else:
                owner[key:] = []  # the list ends here
        with suppress(Exception):  # a field cannot hold the number
            return pack(model) + archive(data)


def _fields(owner: Any) -> Iterator[tuple[Any, Any]]:
    """List every number and list below a table, as its place."""
    for key, value in vars(owner).items():
        if isinstance(value, int | float):
            yield vars(owner), key
        for at, part in enumerate(value if isinstance(value, list) else [value]):
            if isinstance(part, np.ndarray):
                yield vars(owner), key
                yield from ((part, index) for index in range(min(len(part), 5)))
            elif hasattr(part, "__dict__"):
                if isinstance(value, list):
                    yield value, at
                yield from _fields(part)
