"""Read and write the tables of TFLite's metadata schema.

The schema's generated Python code is packaged only in mediapipe (132 MB, and OpenCV) and in
tflite-support (180 MB, protobuf below 4, no Python above 3.11), so its few tables are defined here.

Reference:
    tflite-support, ``tensorflow_lite_support/metadata/metadata_schema.fbs``, version 1.1.0. The
    slots below have its names and its order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import IntEnum
from typing import Any

import numpy as np

IDENTIFIER = b"M001"

# All fields written here are in the first version of the schema.
MIN_PARSER_VERSION = "1.0.0"


class ModelMetadata(IntEnum):  # noqa: D101 (documented in the schema)
    NAME, DESCRIPTION, VERSION, SUBGRAPH_METADATA = 0, 1, 2, 3
    AUTHOR, LICENSE, ASSOCIATED_FILES, MIN_PARSER_VERSION = 4, 5, 6, 7


class SubGraphMetadata(IntEnum):  # noqa: D101
    NAME, DESCRIPTION, INPUT_TENSOR_METADATA, OUTPUT_TENSOR_METADATA = 0, 1, 2, 3


class TensorMetadata(IntEnum):  # noqa: D101
    NAME, DESCRIPTION, DIMENSION_NAMES, CONTENT = 0, 1, 2, 3
    PROCESS_UNITS, STATS, ASSOCIATED_FILES = 4, 5, 6


class AssociatedFile(IntEnum):  # noqa: D101
    NAME, DESCRIPTION, TYPE, LOCALE = 0, 1, 2, 3


class Content(IntEnum):  # noqa: D101
    CONTENT_PROPERTIES_TYPE, CONTENT_PROPERTIES, RANGE = 0, 1, 2


class ImageProperties(IntEnum):  # noqa: D101
    COLOR_SPACE, DEFAULT_SIZE = 0, 1


class ImageSize(IntEnum):  # noqa: D101
    WIDTH, HEIGHT = 0, 1


class ProcessUnit(IntEnum):  # noqa: D101
    OPTIONS_TYPE, OPTIONS = 0, 1


class NormalizationOptions(IntEnum):  # noqa: D101
    MEAN, STD = 0, 1


class Stats(IntEnum):  # noqa: D101
    MAX, MIN = 0, 1


# Members of the schema's enumerations and unions.
DESCRIPTION_FILE, AXIS_LABELS_FILE = 1, 2
FEATURE_CONTENT, IMAGE_CONTENT = 1, 2
NORMALIZATION_UNIT = 1
COLOR_SPACE = {3: 1, 1: 2}  # channels: RGB, GRAYSCALE

# A table is a dict from slot to value: a string, a number with its type, a table, or a list of
# strings, of tables or of floats.
Fields = Mapping[Any, Any]


class Int8(int):
    """An enumeration or the type of a union."""


class UInt32(int):
    """A size in pixels."""


def union(table: type[IntEnum], member: int, fields: Fields) -> Fields:
    """Return the first two slots of a table as a union: the kind of the member, and the member."""
    kind, value, *_ = table
    return {kind: Int8(member), value: fields}


def write_table(builder: Any, fields: Fields) -> int:
    """Write a table and what it points to, and return its offset."""
    offsets = {
        slot: _write_value(builder, value)
        for slot, value in fields.items()
        if not isinstance(value, int)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, value in fields.items():
        if isinstance(value, Int8):
            builder.PrependInt8Slot(slot, value, 0)
        elif isinstance(value, UInt32):
            builder.PrependUint32Slot(slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
    return int(builder.EndObject())


def _write_value(builder: Any, value: str | Fields | list[Any]) -> int:
    if isinstance(value, str):
        return int(
            builder.CreateString(value, errors="backslashreplace")
        )  # a file name may hold surrogates
    if isinstance(value, Mapping):
        return write_table(builder, value)
    if value and isinstance(value[0], float):
        return int(builder.CreateNumpyVector(np.asarray(value, np.float32)))
    offsets = [_write_value(builder, item) for item in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):  # a flatbuffer is built back to front
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


class Table:
    """Reads a table of a flatbuffer; an absent field has its default value."""

    def __init__(self, data: bytes, position: int) -> None:
        from flatbuffers.table import Table

        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> Table:
        """Return the root table of a flatbuffer."""
        return cls(data, int.from_bytes(data[:4], "little"))

    def _field(self, slot: IntEnum) -> int:
        offset = self._table.Offset(4 + 2 * slot)  # a vtable begins with two sizes
        return int(self._table.Pos + offset) if offset else 0

    def string(self, slot: IntEnum) -> str:
        """Return a string; an empty one by default."""
        position = self._field(slot)
        return self._table.String(position).decode() if position else ""

    def int8(self, slot: IntEnum) -> int:
        """Return a member of an enumeration; 0 by default."""
        position = self._field(slot)
        return self._table.Bytes[position] if position else 0

    def floats(self, slot: IntEnum) -> list[float]:
        """Return a list of floats, rounded to the seven digits that float32 holds."""
        position = self._field(slot)
        if not position:
            return []
        offset = position - self._table.Pos
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        values = np.frombuffer(self._table.Bytes, "<f4", count, start)
        return [float(f"{value:.7g}") for value in values]

    def table(self, slot: IntEnum) -> Table:
        """Return a table, which must be present."""
        return Table(self._table.Bytes, self._table.Indirect(self._field(slot)))

    def tables(self, slot: IntEnum) -> Iterator[Table]:
        """Yield the tables of a list."""
        position = self._field(slot)
        if position:
            offset = position - self._table.Pos
            start = self._table.Vector(offset)
            for index in range(self._table.VectorLen(offset)):
                yield Table(self._table.Bytes, self._table.Indirect(start + 4 * index))
