"""LeNet-5, trained on MNIST, classifies a photographed page of handwritten digits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from export import app_models
from tests.fixtures.android import handwriting
from tests.fixtures.command_line import run_main

FILES = app_models.models_folder(app_models.APP)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("handwriting")
    paths = []
    for crop in handwriting.crops():
        paths.append(folder / f"{crop.digit}_{crop.style}.png")
        crop.image.save(paths[-1])
    return paths


def wrong(
    capsys: pytest.CaptureFixture[str], source: object, images: list[Path], *options: str
) -> dict[str, str]:
    """Return the labels of the images that are classified wrongly."""
    code, out, err = run_main(capsys, "predict", source, *images, *options, "--json")
    assert code == 0
    assert "inverted" not in err
    labels = [row["top"][0]["label"] for row in json.loads(out)]
    return {
        path.stem: label
        for path, label in zip(images, labels, strict=True)
        if label != path.stem[0]
    }


@pytest.mark.parametrize(
    "source", ["lenet5:mnist", FILES / "lenet5_mnist_static_wi8_ai8.tflite"], ids=["run", "int8"]
)
def test_all_digits_are_classified_correctly(
    source: object, images: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(images) == 30
    assert wrong(capsys, source, images, "--invert", "--autocontrast") == {}


def test_gray_paper_is_what_makes_it_fail(
    images: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """MNIST's background is black. The documentation states the number."""
    file = FILES / "lenet5_mnist_float32.tflite"
    assert len(wrong(capsys, file, images, "--invert")) == 23
