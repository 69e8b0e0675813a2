from __future__ import annotations

import flatbuffers
import numpy as np

from export.tflite.metadata_schema import (
    IDENTIFIER,
    ImageProperties,
    ImageSize,
    Int8,
    ModelMetadata,
    ProcessUnit,
    Stats,
    SubGraphMetadata,
    Table,
    UInt32,
    union,
    write_table,
)
from tests.fixtures import FIXTURES


def encode(fields: object) -> bytes:
    builder = flatbuffers.Builder(0)
    builder.Finish(write_table(builder, fields), IDENTIFIER)
    return bytes(builder.Output())


def test_a_written_table_is_read_back() -> None:
    graphs = [{SubGraphMetadata.NAME: name} for name in ("first", "größe \udcff")]
    root = Table.root(encode({ModelMetadata.NAME: "net", ModelMetadata.SUBGRAPH_METADATA: graphs}))
    assert root.string(ModelMetadata.NAME) == "net"
    names = [graph.string(SubGraphMetadata.NAME) for graph in root.tables(ModelMetadata(3))]
    assert names == ["first", "größe \\udcff"]


def test_absent_fields_have_default_values() -> None:
    root = Table.root(encode({}))
    assert root.string(ModelMetadata.NAME) == ""
    assert root.int8(ProcessUnit.OPTIONS_TYPE) == 0
    assert root.floats(Stats.MAX) == []
    assert list(root.tables(ModelMetadata.SUBGRAPH_METADATA)) == []


def test_a_union_has_its_kind_in_the_slot_before_its_value() -> None:
    size = {ImageSize.WIDTH: UInt32(24), ImageSize.HEIGHT: UInt32(32)}
    fields = union(ProcessUnit, 1, {ImageProperties.DEFAULT_SIZE: size})
    assert fields[ProcessUnit.OPTIONS_TYPE] == Int8(1)
    root = Table.root(encode(fields))
    assert root.int8(ProcessUnit.OPTIONS_TYPE) == 1
    assert root.table(ProcessUnit.OPTIONS).table(ImageProperties.DEFAULT_SIZE)


def test_floats_have_the_digits_of_float32() -> None:
    root = Table.root(encode({Stats.MAX: [0.1, 123.675, 1e-7], Stats.MIN: [-2.5]}))
    assert root.floats(Stats.MAX) == [0.1, 123.675, 1e-7]
    assert root.floats(Stats.MIN) == [-2.5]


class Reader:
    """Reads a flatbuffer's tables by slot, independently of the module under test."""

    def __init__(self, data, at):
        self.data, self.at = data, at

    def number(self, at, kind="<u4"):
        return int(np.frombuffer(self.data, kind, 1, at)[0])

    def field(self, slot):
        vtable = self.at - self.number(self.at, "<i4")
        assert 4 + 2 * slot < self.number(vtable, "<u2")
        return self.at + self.number(vtable + 4 + 2 * slot, "<u2")

    def byte(self, slot):
        return self.data[self.field(slot)]

    def follow(self, slot):
        return self.field(slot) + self.number(self.field(slot))

    def text(self, slot):
        at = self.follow(slot)
        return self.data[at + 4 : at + 4 + self.number(at)].decode()

    def floats(self, slot):
        return np.frombuffer(
            self.data, "<f4", self.number(self.follow(slot)), self.follow(slot) + 4
        )

    def table(self, slot):
        return Reader(self.data, self.follow(slot))

    def only(self, slot):
        at = self.follow(slot)
        assert self.number(at) == 1
        return Reader(self.data, at + 4 + self.number(at + 4))


def test_slots_are_those_of_the_official_schema():
    """The slots are those of the official schema, counted by hand; a union takes two."""
    data = (FIXTURES / "metadata.tflitemeta").read_bytes()
    assert data[4:8] == b"M001"
    root = Reader(data, int.from_bytes(data[:4], "little"))
    assert [root.text(slot) for slot in (0, 1, 7)] == ["colors", "Drei Farben.", "1.0.0"]
    assert root.only(6).text(0) == "preprocessing.json"
    image, output = root.only(3).only(2), root.only(3).only(3)
    assert [image.text(0), output.text(0)] == ["image", "probabilities"]
    assert image.table(3).byte(0) == 2  # ImageProperties
    assert image.table(3).table(1).byte(0) == 1  # RGB
    size = image.table(3).table(1).table(1)
    assert [size.number(size.field(slot)) for slot in (0, 1)] == [24, 32]  # width, height
    assert image.only(4).byte(0) == 1  # NormalizationOptions
    mean, std = (image.only(4).table(1).floats(slot) for slot in (0, 1))
    np.testing.assert_allclose(mean, [123.68, 116.779, 103.939], rtol=1e-6)
    np.testing.assert_allclose(std, [58.4, 57.1, 57.4], rtol=1e-6)
    np.testing.assert_allclose(image.table(5).floats(0), (255 - mean) / std, rtol=1e-6)  # max
    np.testing.assert_allclose(image.table(5).floats(1), -mean / std, rtol=1e-6)  # min
    assert output.only(6).text(0) == "labels.txt"
    assert output.only(6).byte(2) == 2  # TENSOR_AXIS_LABELS
