"""Labels, preprocessing and more inside the file, in TFLite's own metadata format.

A ``ModelMetadata`` flatbuffer stands in the model's buffer ``TFLITE_METADATA``; the files that it
names, ``labels.txt``, ``preprocessing.json`` and ``drawing.json``, stand in a zip archive behind
the model.
MediaPipe, ML Kit and Android's metadata library read both.

Reference:
    tflite-support, ``tensorflow_lite_support/metadata/metadata_schema.fbs``, version 1.1.0. The
    slots below have its names and its order.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .flatbuffer import BROKEN, mapped, pack, parse, shape_of
from .interpreter import ModelFileError

BUFFER_NAME = b"TFLITE_METADATA"
IDENTIFIER = b"M001"
LABELS_FILE = "labels.txt"
PREPROCESSING_FILE, DRAWING_FILE = "preprocessing.json", "drawing.json"

# All fields written here are in the first version of the schema.
MIN_PARSER_VERSION = "1.0.0"

# The earliest date that a zip entry can have: equal content gives equal bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)

# What a damaged archive raises; RuntimeError is an entry that seems to be encrypted.
_BROKEN_ZIP = (EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class ModelMetadata(IntEnum):  # noqa: D101 (tables of the schema; the schema documents them)
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
_FILE_IS_DESCRIPTION, _FILE_IS_AXIS_LABELS = 1, 2
_CONTENT_IS_FEATURE, _CONTENT_IS_IMAGE = 1, 2
_UNIT_IS_NORMALIZATION = 1
_COLOR_SPACE = {3: 1, 1: 2}  # channels: RGB, GRAYSCALE


class Metadata(NamedTuple):
    """What a file says about itself.

    Attributes:
        name: Name of the network.
        description: One line about it.
        labels: Class names, in the order of the output.
        preprocessing: `cnn_keras.data.preprocessing.Preprocessing` as JSON types: ``height``,
            ``width``, ``channels`` and, per channel in pixel values 0..255, ``mean`` and ``std``.
            None where nobody has stated it.
        drawing: Measures by `cnn_keras.data.drawing.drawing`, for a drawing pad; None for color
            images.
    """

    name: str
    description: str
    labels: tuple[str, ...]
    preprocessing: dict[str, Any] | None
    drawing: dict[str, float] | None = None


def write(flatbuffer: bytes, metadata: Metadata) -> bytes:
    """Return the file with metadata, in place of what it has.

    Args:
        flatbuffer: A TFLite file.
        metadata: What to write.

    Raises:
        ModelFileError: The file is broken, or the labels are not as many as its classes.
    """
    model = parse(flatbuffer)
    graph = model.subgraphs[0]
    classes = shape_of(graph.tensors[graph.outputs[0]])[-1]
    if len(metadata.labels) != classes:
        raise ModelFileError(f"{len(metadata.labels)} labels for a file of {classes} classes.")
    _set_buffer(model, _encode(metadata))
    files = {LABELS_FILE: "".join(f"{label}\n" for label in metadata.labels)}
    for name, values in _json_files(metadata).items():
        files[name] = json.dumps(values, indent=2) + "\n"
    return _append(pack(model), files)


def read(flatbuffer: bytes) -> Metadata | None:
    """Return the file's metadata, whoever wrote it; None if it has none.

    Raises:
        ModelFileError: The file or its metadata is broken, for example cut off before its labels.
    """
    model = parse(flatbuffer)
    buffers = [model.buffers[e.buffer].data for e in model.metadata or [] if e.name == BUFFER_NAME]
    if not buffers or buffers[0] is None:
        return None
    try:
        root = _Table.root(bytes(bytearray(buffers[0])))
        files = _associated_files(flatbuffer)
        graphs = [*root.tables(ModelMetadata.SUBGRAPH_METADATA)]
        names = [
            file.string(AssociatedFile.NAME)
            for graph in graphs
            for output in graph.tables(SubGraphMetadata.OUTPUT_TENSOR_METADATA)
            for file in output.tables(TensorMetadata.ASSOCIATED_FILES)
            if file.int8(AssociatedFile.TYPE) == _FILE_IS_AXIS_LABELS
        ]
        stated = json.loads(files.get(PREPROCESSING_FILE, b"null"))
        return Metadata(
            name=root.string(ModelMetadata.NAME),
            description=root.string(ModelMetadata.DESCRIPTION),
            labels=_labels(files, names[0]) if names else (),
            preprocessing=stated or _normalization(graphs, model.subgraphs[0]),
            drawing=json.loads(files.get(DRAWING_FILE, b"null")),
        )
    except ModelFileError:
        raise
    except (*BROKEN, *_BROKEN_ZIP) as error:
        raise ModelFileError(
            "The file's metadata is broken, probably truncated; copy or export the file again."
        ) from error


def _labels(files: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    """Return the labels in the file of this name, one a line, without blank lines at the end."""
    if not files:
        raise ModelFileError(
            f"Its metadata is broken: the archive with {name} behind the model is missing, "
            "probably truncated; copy or export the file again."
        )
    if name not in files:
        raise ModelFileError(
            f"Its metadata names the labels {name}, but the archive behind the model holds only "
            f"{', '.join(files)}: call the labels' file {name} there."
        )
    try:
        return tuple(files[name].decode("utf-8-sig").rstrip().splitlines())
    except UnicodeDecodeError as error:
        raise ModelFileError(f"Its labels, {name}, are not text in UTF-8: save them so.") from error


def _normalization(metadata: Sequence[_Table], graph: Any) -> dict[str, Any] | None:
    """Return the preprocessing that a file states in the metadata's own table, if it does.

    MediaPipe, TFLite Model Maker and others write it so, one number for all channels or one each.
    """
    found = [
        unit.table(ProcessUnit.OPTIONS)
        for each in metadata[:1]
        for image in each.tables(SubGraphMetadata.INPUT_TENSOR_METADATA)
        for unit in image.tables(TensorMetadata.PROCESS_UNITS)
        if unit.int8(ProcessUnit.OPTIONS_TYPE) == _UNIT_IS_NORMALIZATION
    ]
    shape = shape_of(graph.tensors[graph.inputs[0]])
    if len(found) != 1 or len(shape) != 4 or -1 in shape[1:]:
        return None
    _, height, width, channels = shape
    mean, std = (
        values * channels if len(values) == 1 else values
        for values in map(found[0].floats, NormalizationOptions)
    )
    if len(mean) != channels or len(std) != channels or 0 in std:
        return None
    return {"height": height, "width": width, "channels": channels, "mean": mean, "std": std}


def read_name(file: str | Path) -> str:
    """Return the network's name from a valid file; an empty string if it has no metadata."""
    with mapped(file) as model:
        entries = map(model.Metadata, range(model.MetadataLength()))
        indices = [entry.Buffer() for entry in entries if entry.Name() == BUFFER_NAME]
        data = [bytes(model.Buffers(index).DataAsNumpy()) for index in indices]
        return _Table.root(data[0]).string(ModelMetadata.NAME) if data else ""


def _set_buffer(model: Any, data: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema

    entries = {entry.name: entry.buffer for entry in model.metadata or []}
    if BUFFER_NAME in entries:
        model.buffers[entries[BUFFER_NAME]].data = data
        return
    model.buffers.append(schema.BufferT(data=data))
    entry = schema.MetadataT(name=BUFFER_NAME, buffer=len(model.buffers) - 1)
    model.metadata = [*(model.metadata or []), entry]


def _append(model: bytes, files: Mapping[str, str]) -> bytes:
    """Write a zip archive behind the model, stored, so that readers can map the files."""
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_DATE)
            entry.create_system = 3  # Unix, on any system
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, text)
    return whole.getvalue()


def _json_files(metadata: Metadata) -> dict[str, dict[str, Any]]:
    files = {PREPROCESSING_FILE: metadata.preprocessing, DRAWING_FILE: metadata.drawing}
    return {name: values for name, values in files.items() if values is not None}


def _associated_files(data: bytes) -> dict[str, bytes]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _encode(metadata: Metadata) -> bytes:
    import flatbuffers

    abouts = {
        PREPROCESSING_FILE: "From pixels to tensor.",
        DRAWING_FILE: "How drawings fill the frame.",
    }
    files = [_file(name, abouts[name], _FILE_IS_DESCRIPTION) for name in _json_files(metadata)]
    builder = flatbuffers.Builder(1024)
    root = _write_table(
        builder,
        {
            ModelMetadata.NAME: metadata.name,
            ModelMetadata.DESCRIPTION: metadata.description,
            ModelMetadata.SUBGRAPH_METADATA: [
                {
                    SubGraphMetadata.INPUT_TENSOR_METADATA: [_input(metadata.preprocessing)],
                    SubGraphMetadata.OUTPUT_TENSOR_METADATA: [_output()],
                }
            ],
            ModelMetadata.ASSOCIATED_FILES: files,
            ModelMetadata.MIN_PARSER_VERSION: MIN_PARSER_VERSION,
        },
    )
    builder.Finish(root, file_identifier=IDENTIFIER)
    return bytes(builder.Output())


# A table is a dict from slot to value: a string, a number with its type, a table, or a list of
# strings, of tables or of floats.
_Fields = Mapping[Any, Any]


class _Int8(int):
    """An enumeration or the type of a union."""


class _UInt32(int):
    """A size in pixels."""


def _file(name: str, description: str, kind: int) -> _Fields:
    return {
        AssociatedFile.NAME: name,
        AssociatedFile.DESCRIPTION: description,
        AssociatedFile.TYPE: _Int8(kind),
    }


def _input(preprocessing: dict[str, Any] | None) -> _Fields:
    fields: dict[Any, Any] = {
        TensorMetadata.NAME: "image",
        TensorMetadata.DESCRIPTION: "The picture to classify.",
    }
    if preprocessing is None:
        return fields
    mean, std = (np.asarray(preprocessing[key], np.float64) for key in ("mean", "std"))
    image = {
        ImageProperties.COLOR_SPACE: _Int8(_COLOR_SPACE.get(preprocessing["channels"], 0)),
        ImageProperties.DEFAULT_SIZE: {
            ImageSize.WIDTH: _UInt32(preprocessing["width"]),
            ImageSize.HEIGHT: _UInt32(preprocessing["height"]),
        },
    }
    normalization = {NormalizationOptions.MEAN: list(mean), NormalizationOptions.STD: list(std)}
    return fields | {
        TensorMetadata.CONTENT: _union(Content, _CONTENT_IS_IMAGE, image),
        TensorMetadata.PROCESS_UNITS: [_union(ProcessUnit, _UNIT_IS_NORMALIZATION, normalization)],
        TensorMetadata.STATS: {
            Stats.MAX: list((255 - mean) / std),
            Stats.MIN: list((0 - mean) / std),
        },
    }


def _output() -> _Fields:
    return {
        TensorMetadata.NAME: "probabilities",
        TensorMetadata.DESCRIPTION: "Probability of each class.",
        TensorMetadata.CONTENT: _union(Content, _CONTENT_IS_FEATURE, {}),
        TensorMetadata.STATS: {Stats.MAX: [1.0], Stats.MIN: [0.0]},
        TensorMetadata.ASSOCIATED_FILES: [
            _file(LABELS_FILE, "Class names, one a line.", _FILE_IS_AXIS_LABELS)
        ],
    }


def _union(table: type[IntEnum], member: int, fields: _Fields) -> _Fields:
    """A union takes two slots, which are the table's first: which member it is, and the member."""
    kind, value, *_ = table
    return {kind: _Int8(member), value: fields}


def _write_table(builder: Any, fields: _Fields) -> int:
    """Write a table; what it points at has to be written before it."""
    offsets = {
        slot: _write_value(builder, value)
        for slot, value in fields.items()
        if not isinstance(value, int)
    }
    builder.StartObject(max(fields, default=-1) + 1)
    for slot, value in fields.items():
        if isinstance(value, _Int8):
            builder.PrependInt8Slot(slot, value, 0)
        elif isinstance(value, _UInt32):
            builder.PrependUint32Slot(slot, value, 0)
        else:
            builder.PrependUOffsetTRelativeSlot(slot, offsets[slot], 0)
    return int(builder.EndObject())


def _write_value(builder: Any, value: str | _Fields | list[Any]) -> int:
    if isinstance(value, str):
        return int(builder.CreateString(value, errors="backslashreplace"))  # of a file's name
    if isinstance(value, Mapping):
        return _write_table(builder, value)
    if value and isinstance(value[0], float):
        return int(builder.CreateNumpyVector(np.asarray(value, np.float32)))
    offsets = [_write_value(builder, item) for item in value]
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):  # a flatbuffer grows towards its front
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


class _Table:
    """A table being read; a field that is left out has its default."""

    def __init__(self, data: bytes, position: int) -> None:
        from flatbuffers.table import Table

        self._table = Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, int.from_bytes(data[:4], "little"))

    def _field(self, slot: IntEnum) -> int:
        offset = self._table.Offset(4 + 2 * slot)  # a vtable begins with two sizes
        return int(self._table.Pos + offset) if offset else 0

    def string(self, slot: IntEnum) -> str:
        position = self._field(slot)
        return self._table.String(position).decode() if position else ""

    def int8(self, slot: IntEnum) -> int:
        position = self._field(slot)
        return self._table.Bytes[position] if position else 0

    def floats(self, slot: IntEnum) -> list[float]:
        position = self._field(slot)
        if not position:
            return []
        offset = position - self._table.Pos
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        values = np.frombuffer(self._table.Bytes, "<f4", count, start)
        return [float(f"{value:.7g}") for value in values]  # as somebody has written them

    def table(self, slot: IntEnum) -> _Table:
        return _Table(self._table.Bytes, self._table.Indirect(self._field(slot)))

    def tables(self, slot: IntEnum) -> Iterator[_Table]:
        position = self._field(slot)
        if position:
            offset = position - self._table.Pos
            start = self._table.Vector(offset)
            for index in range(self._table.VectorLen(offset)):
                yield _Table(self._table.Bytes, self._table.Indirect(start + 4 * index))
