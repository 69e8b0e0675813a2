"""The command `predict` with files of a run, and with files from elsewhere."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data.loading.image_files import read_images
from cnn_keras.training.run_folder import Run
from export.cli import main
from export.tflite import metadata
from export.tflite.litert_check import valid_file
from tests.fixtures import FIXTURES
from tests.fixtures.android.write_models import FOLDER
from tests.fixtures.command_line import run_main

DIGITS = ("0", "3", "5", "7", "8")
PHOTOGRAPH = FIXTURES / "images" / "china_420.jpg"

# The largest difference from the run's probabilities. For the integer files, whose probabilities
# have steps of 1/256, it is 0.011.
TOLERANCES = {
    "float32": 1e-5,
    "static_wi8_ai8": 0.02,
    "static_wi8_ai8_int8": 0.02,
    "static_wi8_ai8_uint8": 0.02,
}


@pytest.fixture(scope="module")
def files(
    lenet_run: Run, exported: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The files of the run, by recipe and integer type."""
    out = tmp_path_factory.mktemp("integer_files")
    for dtype in ("int8", "uint8"):
        types = ("--input-type", dtype, "--output-type", dtype)
        recipe = ("--recipes", "static_wi8_ai8", *types)
        assert main(["export", str(lenet_run.path), "--out", str(out), *recipe]) == 0
    paths = [*exported.glob("*.tflite"), *out.glob("*.tflite")]
    return {path.stem.removeprefix(f"{lenet_run.path.name}_"): path for path in paths}


@pytest.fixture(scope="module")
def white_on_black() -> list[Path]:
    return [FIXTURES / "images" / f"digit_{digit}.png" for digit in DIGITS]


@pytest.fixture(scope="module")
def black_on_white(
    white_on_black: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """The same digits in dark ink on gray paper, as a camera sees them."""
    folder = tmp_path_factory.mktemp("paper")
    for path, digit in zip(white_on_black, read_images(white_on_black, (32, 32, 1)), strict=True):
        paper = 220 - digit[..., 0] * (190 / 255)
        Image.fromarray(paper.astype(np.uint8)).save(folder / path.name)
    return [folder / path.name for path in white_on_black]


def predictions(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[list[dict[str, Any]], str]:
    """Run the command; return its document and its stderr."""
    code, out, err = run_main(capsys, "predict", *arguments, "--json")
    assert code == 0
    return json.loads(out), err


@pytest.mark.parametrize("name", TOLERANCES)
def test_a_file_answers_as_its_run(
    name: str,
    lenet_run: Run,
    files: dict[str, Path],
    white_on_black: list[Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ("--top", "10")
    expected, _ = predictions(capsys, lenet_run.path, *white_on_black, *options)
    found, err = predictions(capsys, files[name], *white_on_black, *options)
    assert err == ""
    for of_file, of_run in zip(found, expected, strict=True):
        assert of_file.keys() == of_run.keys()
        assert of_file["image"] == of_run["image"]
        assert of_file["looks_inverted"] is of_run["looks_inverted"] is False
        assert of_file["top"][0]["label"] == of_run["top"][0]["label"]
        ours, theirs = (
            {guess["label"]: guess["probability"] for guess in each["top"]}
            for each in (of_file, of_run)
        )
        assert ours == pytest.approx(theirs, abs=TOLERANCES[name])
    assert [each["top"][0]["label"] for each in found] == list(DIGITS)


@pytest.mark.parametrize("source", ["run", *TOLERANCES])
def test_digits_on_paper_warn_and_are_read_inverted(
    source: str,
    lenet_run: Run,
    files: dict[str, Path],
    black_on_white: list[Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = lenet_run.path if source == "run" else files[source]
    found, err = predictions(capsys, path, *black_on_white)
    assert err.count("\n") == 1
    assert err == (
        f"5 of 5 images, for example {black_on_white[0]}, look inverted: the training images have "
        "a dark background; give --invert.\n"
    )
    assert all(each["looks_inverted"] for each in found)
    found, err = predictions(capsys, path, *black_on_white, "--invert")
    assert err == ""
    assert not any(each["looks_inverted"] for each in found)
    assert [each["top"][0]["label"] for each in found] == list(DIGITS)


def test_invert_warns_where_it_is_wrong(
    files: dict[str, Path],
    white_on_black: list[Path],
    black_on_white: list[Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = white_on_black[0]
    _, err = predictions(capsys, files["float32"], image, "--invert")
    assert err.startswith(f"{image} looks inverted: ")
    assert err.endswith("; leave out --invert.\n")
    _, err = predictions(capsys, files["float32"], image, black_on_white[1])
    assert err.startswith(f"1 of 2 images, for example {black_on_white[1]}, looks inverted: ")


def test_a_file_needs_neither_tensorflow_nor_keras(
    files: dict[str, Path],
    white_on_black: list[Path],
    run_without: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """A board needs ai-edge-litert, numpy, Pillow, rich and tyro."""
    absent = {"tensorflow", "keras", "tf_keras", "sklearn", "scipy", "matplotlib", "h5py"}
    absent |= {"litert_quantizer", "jinja2", "safetensors", "ml_dtypes"}
    arguments = ("-m", "export", "predict", str(files["static_wi8_ai8"]), str(white_on_black[1]))
    done = run_without(absent, *arguments, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["top"][0]["label"] == "3"


def test_without_metadata_the_pixel_range_is_given_and_classes_are_numbers(
    lenet_run: Run,
    files: dict[str, Path],
    white_on_black: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bare = tmp_path / "bare.tflite"
    about = metadata.Metadata("lenet5", "", tuple("abcdefghij"), None)
    bare.write_bytes(metadata.write(files["float32"].read_bytes(), about))
    low, high = map(str, lenet_run.preprocessing.range)
    found, _ = predictions(capsys, bare, white_on_black[1], "--pixel-range", low, high)
    assert found[0]["top"][0]["label"] == "d"
    assert found[0]["looks_inverted"] is False  # nothing is known of the training images
    file = FOLDER / "uint8.tflite"
    found, _ = predictions(capsys, file, PHOTOGRAPH, "--pixel-range", "-1.99194", "2.00762")
    assert {guess["label"] for guess in found[0]["top"]} < set("01234")


def test_a_run_folder_may_have_the_name_of_a_file(
    lenet_run: Run,
    white_on_black: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "run.tflite").symlink_to(lenet_run.path)
    found, _ = predictions(capsys, tmp_path / "run.tflite", white_on_black[1])
    assert found[0]["top"][0]["label"] == "3"


def test_labels_that_are_too_few_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    found, err = predictions(capsys, FOLDER / "few_labels.tflite", PHOTOGRAPH)
    assert err.endswith("has 2 labels for 5 classes, so their numbers are printed.\n")
    assert {guess["label"] for guess in found[0]["top"]} < set("01234")


def test_scores_that_are_not_probabilities_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sums.tflite"
    file.write_bytes(valid_file())
    found, err = predictions(capsys, file, PHOTOGRAPH, "--pixel-range", "0", "255")
    assert found[0]["top"][0]["probability"] > 100  # the sum of the pixels
    assert err.endswith("scores that are not probabilities: only their order counts.\n")
    arguments = ("predict", file, PHOTOGRAPH, "--pixel-range", "0", "3e38")
    code, out, err = run_main(capsys, *arguments)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "gives NaN or infinite scores" in err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("{models}/missing.tflite {image}", 1, "Cannot read"),
        ("{models}/truncated.tflite {image}", 1, "truncated or damaged"),
        ("{models}/no_scale.tflite {image}", 1, "is damaged: LiteRT crashed on it (SIGABRT)"),
        ("{models}/no_bias.tflite {image} --pixel-range 0 1", 1, "crashed on it (SIGSEGV)"),
        ("{models}/no_metadata.tflite {image}", 2, "give the values of black and white"),
        ("{models}/float32.tflite {image} --pixel-range 0 1", 2, "leave out --pixel-range"),
        ("{models}/uint8.tflite {image} --pixel-range 1 0", 2, "a greater value of white"),
        ("{models}/uint8.tflite {image} --pixel-range 0 inf", 2, "a greater value of white"),
        ("{models}/uint8.tflite {image} --pixel-range nan 1", 2, "a greater value of white"),
        ("{run} {image} --pixel-range 0 1", 2, "a run has its own preprocessing"),
        ("{models}/float32.tflite {models}/no.png", 1, "No such image"),
        ("{models}/float32.tflite", 2, "Name one image or more"),
        ("{models}/float32.tflite {image} --top 0", 2, "--top must be 1 or more"),
        ("{models}/float32.tflite {image} --autocontrast", 2, "training images of"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    arguments: str, code: int, message: str, lenet_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = arguments.format(models=FOLDER, image=PHOTOGRAPH, run=lenet_run.path)
    found, out, err = run_main(capsys, "predict", *filled.split())
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
