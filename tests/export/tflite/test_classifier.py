"""What a file says about its images and classes, read from files that the app reads, too."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import UsageError
from export.tflite import metadata
from export.tflite.classifier import Description, classify, describe
from export.tflite.interpreter import Interpreter, ModelFileError
from tests.fixtures.android.write_models import (
    CLASSES,
    FOLDER,
    LABELS,
    METADATA,
    PREPROCESSING,
    SHAPE,
)

NUMBERS = ("0", "1", "2", "3", "4")


@pytest.mark.parametrize("name", ["float32", "static_wi8_ai8", "mediapipe"])
def test_a_file_describes_itself(name: str) -> None:
    found = describe(FOLDER / f"{name}.tflite")
    assert found.preprocessing == Preprocessing.from_dict(PREPROCESSING)
    assert found.classes == LABELS


def test_labels_that_are_not_as_many_as_the_classes_become_numbers() -> None:
    found = describe(FOLDER / "few_labels.tflite")
    assert (found.labels, found.num_classes, found.classes) == (("one", "two"), CLASSES, NUMBERS)


@pytest.mark.parametrize("name", ["int8", "uint8"])
def test_the_suggested_range_gives_raw_pixels(name: str) -> None:
    file = FOLDER / f"{name}.tflite"
    with pytest.raises(UsageError, match="does not state its preprocessing") as caught:
        describe(file)
    low, high = map(float, str(caught.value).partition("--pixel-range ")[2].split()[:2])
    found = describe(file, (low, high))
    assert found.classes == NUMBERS
    pixels = np.resize(np.arange(256, dtype=np.uint8), (1, *SHAPE))
    quantized = Interpreter(file).quantize(found.preprocessing(pixels)).astype(int)
    np.testing.assert_array_equal(quantized, pixels.astype(int) - 128 * (name == "int8"))
    outputs = classify(file, found.preprocessing(pixels))
    assert outputs.shape == (1, CLASSES)
    assert outputs.dtype == np.float32


def test_a_float_file_takes_the_given_range() -> None:
    file = FOLDER / "no_metadata.tflite"
    with pytest.raises(UsageError, match="for example --pixel-range 0 1 or --pixel-range -1 1"):
        describe(file)
    assert describe(file, (-1, 1)).preprocessing.range == (-1, 1)
    with pytest.raises(UsageError, match="states its preprocessing: leave out --pixel-range"):
        describe(FOLDER / "float32.tflite", (0, 1))


@pytest.mark.parametrize(
    "changes",
    [
        {"height": 13},
        {"std": [58.4, 0.0, 57.4]},
        {"mean": [123.68, float("nan"), 103.939]},
        {"mean": [123.68], "std": [58.4]},
        {"width": "wide"},
    ],
)
def test_a_broken_preprocessing_is_refused(changes: dict[str, object], tmp_path: Path) -> None:
    file = tmp_path / "changed.tflite"
    about = METADATA._replace(preprocessing=None)
    file.write_bytes(metadata.write((FOLDER / "no_metadata.tflite").read_bytes(), about))
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("preprocessing.json", json.dumps(PREPROCESSING | changes))
    with pytest.raises(ModelFileError, match="preprocessing") as caught:
        describe(file)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("five_channels", "takes images of 5 channels, not gray or RGB"),
        ("truncated", "truncated or damaged"),
        ("two_inputs", "2 inputs and 1 output"),
    ],
)
def test_other_files_are_refused(name: str, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        describe(FOLDER / f"{name}.tflite", (0, 1))


def test_a_description_needs_no_labels() -> None:
    found = describe(FOLDER / "vision.tflite", (0, 1))
    assert found == Description(found.preprocessing, (), found.num_classes)
    assert found.classes[:2] == ("0", "1")
