"""Write and read the metadata of a file: name, labels, preprocessing.

The model's buffer ``TFLITE_METADATA`` holds a ``ModelMetadata`` flatbuffer. The files that it
names, ``labels.txt``, ``preprocessing.json`` and ``drawing.json``, are in a zip archive appended to
the model. MediaPipe, ML Kit and Android's metadata library read both.
"""

from __future__ import annotations

import copy
import io
import json
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .flatbuffer import PARSE_ERRORS, ModelFile, as_model_file, memory_map, pack, shape_of
from .interpreter import ModelFileError
from .metadata_schema import (
    AXIS_LABELS_FILE,
    COLOR_SPACE,
    DESCRIPTION_FILE,
    FEATURE_CONTENT,
    IDENTIFIER,
    IMAGE_CONTENT,
    MIN_PARSER_VERSION,
    NORMALIZATION_UNIT,
    AssociatedFile,
    Content,
    Fields,
    ImageProperties,
    ImageSize,
    Int8,
    ModelMetadata,
    NormalizationOptions,
    ProcessUnit,
    Stats,
    SubGraphMetadata,
    Table,
    TensorMetadata,
    UInt32,
    union,
    write_table,
)

BUFFER_NAME = b"TFLITE_METADATA"
LABELS_FILE = "labels.txt"
PREPROCESSING_FILE, DRAWING_FILE = "preprocessing.json", "drawing.json"

# The earliest date of a zip entry; a fixed one, so that equal content gives equal bytes.
_ZIP_DATE = (1980, 1, 1, 0, 0, 0)

# Exceptions for a damaged archive; RuntimeError is raised for an entry that seems encrypted.
_ZIP_ERRORS = (EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


class Metadata(NamedTuple):
    """What a file states about itself.

    Attributes:
        name: Name of the network.
        description: One line about it.
        labels: Class names, in the order of the output.
        preprocessing: `cnn_keras.data.preprocessing.Preprocessing` as JSON types: ``height``,
            ``width``, ``channels`` and, per channel in pixel values 0..255, ``mean`` and ``std``.
            None if it is unknown.
        drawing: Measures by `cnn_keras.data.drawing.drawing`, for a drawing pad; None for color
            images.
    """

    name: str
    description: str
    labels: tuple[str, ...]
    preprocessing: dict[str, Any] | None
    drawing: dict[str, float] | None = None


def write(file: bytes | ModelFile, metadata: Metadata) -> bytes:
    """Return a file with metadata, which replaces any that it has.

    Args:
        file: A TFLite file.
        metadata: What to write.

    Raises:
        ModelFileError: The file is broken, or has another number of classes than labels.
    """
    return write_model(as_model_file(file).model, metadata)


def write_model(model: Any, metadata: Metadata) -> bytes:
    """Return a file of a ``ModelT``, which is not changed, with metadata; see `write`."""
    graph = model.subgraphs[0]
    classes = shape_of(graph.tensors[graph.outputs[0]])[-1]
    if len(metadata.labels) != classes:
        raise ModelFileError(f"{len(metadata.labels)} labels for a file of {classes} classes.")
    files = {LABELS_FILE: "".join(f"{label}\n" for label in metadata.labels)}
    for name, values in _json_files(metadata).items():
        files[name] = json.dumps(values, indent=2) + "\n"
    return _append(pack(_with_buffer(model, _encode(metadata))), files)


def read(file: bytes | ModelFile) -> Metadata | None:
    """Return a file's metadata, also that of other writers; None if it has none.

    Raises:
        ModelFileError: The file or its metadata is broken, for example truncated before its labels.
    """
    file = as_model_file(file)
    model = file.model
    buffers = [model.buffers[e.buffer].data for e in model.metadata or [] if e.name == BUFFER_NAME]
    if not buffers or buffers[0] is None:
        return None
    try:
        root = Table.root(bytes(bytearray(buffers[0])))
        files = _associated_files(file.content)
        graphs = [*root.tables(ModelMetadata.SUBGRAPH_METADATA)]
        names = [
            each.string(AssociatedFile.NAME)
            for graph in graphs
            for output in graph.tables(SubGraphMetadata.OUTPUT_TENSOR_METADATA)
            for each in output.tables(TensorMetadata.ASSOCIATED_FILES)
            if each.int8(AssociatedFile.TYPE) == AXIS_LABELS_FILE
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
    except (*PARSE_ERRORS, *_ZIP_ERRORS) as error:
        raise ModelFileError(
            "The file's metadata is broken, probably truncated; copy or export the file again."
        ) from error


def _labels(files: Mapping[str, bytes], name: str) -> tuple[str, ...]:
    """Return the labels, which the named file lists one a line, without trailing blank lines."""
    if not files:
        raise ModelFileError(
            f"Its metadata is broken: the archive with {name} at its end is missing, "
            "probably truncated; copy or export the file again."
        )
    if name not in files:
        raise ModelFileError(
            f"Its metadata names the labels {name}, but the archive at its end holds only "
            f"{', '.join(files)}: name the file with the labels {name} there."
        )
    try:
        return tuple(files[name].decode("utf-8-sig").rstrip().splitlines())
    except UnicodeDecodeError as error:
        raise ModelFileError(
            f"Its labels, {name}, are not text in UTF-8: save them in UTF-8."
        ) from error


def _normalization(metadata: Sequence[Table], graph: Any) -> dict[str, Any] | None:
    """Return the preprocessing from the schema's own table, or None if it has none.

    MediaPipe, TFLite Model Maker and others write it there: one number for all channels, or one
    each.
    """
    found = [
        unit.table(ProcessUnit.OPTIONS)
        for each in metadata[:1]
        for image in each.tables(SubGraphMetadata.INPUT_TENSOR_METADATA)
        for unit in image.tables(TensorMetadata.PROCESS_UNITS)
        if unit.int8(ProcessUnit.OPTIONS_TYPE) == NORMALIZATION_UNIT
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
    with memory_map(file) as model:
        entries = map(model.Metadata, range(model.MetadataLength()))
        indices = [entry.Buffer() for entry in entries if entry.Name() == BUFFER_NAME]
        data = [bytes(model.Buffers(index).DataAsNumpy()) for index in indices]
        return Table.root(data[0]).string(ModelMetadata.NAME) if data else ""


def _with_buffer(model: Any, data: bytes) -> Any:
    """Return a copy of a model with other metadata, which shares everything else with it."""
    from ai_edge_litert import schema_py_generated as schema

    changed, buffer = copy.copy(model), schema.BufferT(data=data)
    changed.buffers = [*model.buffers]
    entries = {entry.name: entry.buffer for entry in model.metadata or []}
    if BUFFER_NAME in entries:
        changed.buffers[entries[BUFFER_NAME]] = buffer
        return changed
    changed.buffers.append(buffer)
    entry = schema.MetadataT(name=BUFFER_NAME, buffer=len(model.buffers))
    changed.metadata = [*(model.metadata or []), entry]
    return changed


def _append(model: bytes, files: Mapping[str, str]) -> bytes:
    """Append a zip archive to the model, uncompressed, so that readers can map the files."""
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            entry = zipfile.ZipInfo(name, _ZIP_DATE)
            entry.create_system = 3  # Unix, on every system
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

    descriptions = {
        PREPROCESSING_FILE: "From pixels to tensor.",
        DRAWING_FILE: "How drawings fill the frame.",
    }
    files = [_file(name, descriptions[name], DESCRIPTION_FILE) for name in _json_files(metadata)]
    builder = flatbuffers.Builder(1024)
    root = write_table(
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


def _file(name: str, description: str, kind: int) -> Fields:
    return {
        AssociatedFile.NAME: name,
        AssociatedFile.DESCRIPTION: description,
        AssociatedFile.TYPE: Int8(kind),
    }


def _input(preprocessing: dict[str, Any] | None) -> Fields:
    fields: dict[Any, Any] = {
        TensorMetadata.NAME: "image",
        TensorMetadata.DESCRIPTION: "The picture to classify.",
    }
    if preprocessing is None:
        return fields
    mean, std = (np.asarray(preprocessing[key], np.float64) for key in ("mean", "std"))
    image = {
        ImageProperties.COLOR_SPACE: Int8(COLOR_SPACE.get(preprocessing["channels"], 0)),
        ImageProperties.DEFAULT_SIZE: {
            ImageSize.WIDTH: UInt32(preprocessing["width"]),
            ImageSize.HEIGHT: UInt32(preprocessing["height"]),
        },
    }
    normalization = {NormalizationOptions.MEAN: list(mean), NormalizationOptions.STD: list(std)}
    return fields | {
        TensorMetadata.CONTENT: union(Content, IMAGE_CONTENT, image),
        TensorMetadata.PROCESS_UNITS: [union(ProcessUnit, NORMALIZATION_UNIT, normalization)],
        TensorMetadata.STATS: {
            Stats.MAX: list((255 - mean) / std),
            Stats.MIN: list((0 - mean) / std),
        },
    }


def _output() -> Fields:
    return {
        TensorMetadata.NAME: "probabilities",
        TensorMetadata.DESCRIPTION: "Probability of each class.",
        TensorMetadata.CONTENT: union(Content, FEATURE_CONTENT, {}),
        TensorMetadata.STATS: {Stats.MAX: [1.0], Stats.MIN: [0.0]},
        TensorMetadata.ASSOCIATED_FILES: [
            _file(LABELS_FILE, "Class names, one a line.", AXIS_LABELS_FILE)
        ],
    }
