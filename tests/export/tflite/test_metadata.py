from __future__ import annotations

import io
import json
import zipfile

import pytest

from export.recipes import RECIPES
from export.tflite import flatbuffer, metadata
from export.tflite.interpreter import Interpreter, ModelFileError
from export.tflite.metadata import Metadata
from export.verification.audit import audit
from export.verification.refusal import problems
from tests.fixtures import FIXTURES
from tests.fixtures.tiny_files import custom_file

GRAY = {"height": 8, "width": 8, "channels": 1, "mean": [127.5], "std": [63.75]}
RGB = {
    "height": 32,
    "width": 24,
    "channels": 3,
    "mean": [123.68, 116.779, 103.939],
    "std": [58.4, 57.1, 57.4],
}
DIGITS = Metadata("small", "Digits, 8×8.", tuple("0123456789"), GRAY)

# The flatbuffer of `Metadata("colors", "Drei Farben.", ("rot", "grün", "blau"), RGB)`. Android's
# own reader (org.tensorflow:tensorflow-lite-metadata 0.4.4, MetadataExtractor) and `flatc --json`
# with the official metadata_schema.fbs both read the values in `test_metadata_schema` from it. If
# the encoder writes other bytes, read them with one of the two before replacing the file.
GOLDEN = FIXTURES / "metadata.tflitemeta"


def image_file(shape):
    """A file of one operation, from images of this shape to two classes."""
    model = flatbuffer.parse(custom_file("any"))
    image, _, scores = model.subgraphs[0].tensors
    image.shape, scores.shape = [*shape], [1, 2]
    return flatbuffer.pack(model)


def with_labels(data, content, name="labels.txt"):
    """The file with another archive appended, as other tools may write it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        model = data[: min(entry.header_offset for entry in archive.infolist())]
    whole = io.BytesIO(model)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr(name, content)
    return whole.getvalue()


def buffer_of(data):
    model = flatbuffer.parse(data)
    (entry,) = [entry for entry in model.metadata if entry.name == b"TFLITE_METADATA"]
    return bytes(bytearray(model.buffers[entry.buffer].data))


@pytest.fixture(scope="session")
def written(trained):
    return metadata.write(trained.float32, DIGITS)


def test_read_returns_what_was_written(written):
    assert metadata.read(written) == DIGITS


def test_a_name_that_is_not_valid_text_is_escaped(trained):
    named = DIGITS._replace(name="l\udce4ufe")  # as Python reads a folder's name in Latin-1
    read = metadata.read(metadata.write(trained.float32, named))
    assert read == named._replace(name="l\\udce4ufe")


def test_preprocessing_is_optional(trained):
    plain = DIGITS._replace(preprocessing=None)
    assert metadata.read(metadata.write(trained.float32, plain)) == plain


def test_a_file_without_metadata_has_none(trained):
    assert metadata.read(trained.float32) is None


def test_writing_leaves_a_parsed_file_unchanged(written):
    file = flatbuffer.ModelFile(written)
    other = DIGITS._replace(name="other")
    assert metadata.write(file, other) == metadata.write(written, other)
    assert metadata.read(file) == DIGITS


def test_writing_again_replaces(written):
    other = DIGITS._replace(name="other", labels=tuple("abcdefghij"))
    assert metadata.read(metadata.write(written, other)) == other
    assert metadata.write(metadata.write(written, other), DIGITS) == written


def test_the_network_is_untouched(written, trained):
    before, after = (Interpreter(data)(trained.images[:5]) for data in (trained.float32, written))
    assert (before == after).all()


def test_the_archive_is_stored_and_dated_alike(written):
    with zipfile.ZipFile(io.BytesIO(written)) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == b"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n"
        assert json.loads(archive.read("preprocessing.json")) == GRAY
        for entry in archive.infolist():
            assert entry.compress_type == zipfile.ZIP_STORED  # readers map it into memory
            assert entry.date_time == (1980, 1, 1, 0, 0, 0)


def test_another_number_of_labels_than_classes_is_refused(trained):
    with pytest.raises(ModelFileError, match="2 labels for a file of 10 classes"):
        metadata.write(trained.float32, DIGITS._replace(labels=("0", "1")))


def test_a_file_truncated_before_its_labels_is_refused(written):
    with pytest.raises(ModelFileError, match="metadata is broken"):
        metadata.read(written[:-100])


def test_metadata_of_other_writers_is_read_by_its_fields(trained):
    """MediaPipe's writer calls the file `probability_labels.txt`; the table says which it is."""
    other = DIGITS._replace(preprocessing=None)
    data = metadata.write(trained.float32, other)
    renamed = data.replace(b"labels.txt", b"LABELS.TXT")
    assert metadata.read(renamed) == other


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("Äpfel\n".encode("latin-1"), "labels.txt", r"labels, labels\.txt, are not text in UTF-8"),
        ("Äpfel\n".encode("utf-16"), "labels.txt", "are not text in UTF-8"),
        (b"a\nb\n", "labelmap.txt", r"labels labels\.txt, but .* holds only labelmap\.txt"),
    ],
)
def test_labels_that_cannot_be_read_are_reported_with_their_file(
    written, tmp_path, content, name, said
):
    path = tmp_path / "other.tflite"
    path.write_bytes(with_labels(written, content, name))
    with pytest.raises(ModelFileError, match=rf"other\.tflite: .*{said}") as caught:
        audit(path)
    assert "truncated" not in str(caught.value)


def test_a_missing_archive_is_reported_with_the_file(written, tmp_path):
    path = tmp_path / "cut.tflite"
    path.write_bytes(written[: written.index(b"PK\3\4")])
    with pytest.raises(
        ModelFileError, match=r"cut\.tflite: .*labels\.txt .* missing, probably trunc"
    ):
        audit(path)


def test_labels_of_a_windows_editor_are_read(written):
    lines = "\ufeff" + "\r\n".join("abcdefghij") + "\r\n\r\n"
    assert metadata.read(with_labels(written, lines)).labels == tuple("abcdefghij")


@pytest.mark.parametrize("labels", ["abc", "abcdefghijk"])
def test_the_audit_refuses_another_number_of_labels_than_classes(written, labels):
    found = audit(with_labels(written, "\n".join(labels)))
    assert problems(found) == [f"has {len(labels)} labels for 10 classes"]
    assert problems(found, RECIPES["float32"]) == problems(found)  # as `verify` asks


@pytest.mark.parametrize("channels", [1, 3])
def test_a_normalization_in_the_metadatas_own_table_is_read(channels):
    """MediaPipe and TFLite Model Maker write it there, without `preprocessing.json`."""
    stated = {1: GRAY, 3: RGB}[channels] | {"height": 4, "width": 6}
    data = metadata.write(image_file((1, 4, 6, channels)), Metadata("", "", ("a", "b"), stated))
    data = data.replace(b"preprocessing.json", b"PREPROCESSING.JSON")
    assert metadata.read(data).preprocessing == stated


def test_a_single_number_of_a_normalization_applies_to_all_channels():
    stated = {"height": 4, "width": 6, "channels": 3, "mean": [127.5], "std": [1.0]}
    data = metadata.write(image_file((1, 4, 6, 3)), Metadata("", "", ("a", "b"), stated))
    data = data.replace(b"preprocessing.json", b"PREPROCESSING.JSON")
    assert metadata.read(data).preprocessing == stated | {"mean": [127.5] * 3, "std": [1.0] * 3}


def test_the_encoder_writes_the_bytes_that_standard_readers_have_read():
    colors = Metadata("colors", "Drei Farben.", ("rot", "grün", "blau"), RGB)
    assert metadata._encode(colors) == GOLDEN.read_bytes()
