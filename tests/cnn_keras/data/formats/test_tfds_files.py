from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.errors import Error
from tests.fixtures.command_line import run_main

if TYPE_CHECKING:
    from collections.abc import Iterator

INSTALLED = find_spec("tensorflow_datasets") is not None
needs_tfds = pytest.mark.skipif(
    not INSTALLED, reason='tensorflow-datasets is missing: pip install ".[tfds]"'
)
CLASSES = ("zebra, striped", "ant")  # not in alphabetical order, and with a comma
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def write_data_set(folder: Path, splits: dict[str, int], sides: tuple[int | None, ...]) -> None:
    """Write a data set `tiny` of noise, which needs no download.

    Args:
        folder: Folder of data sets.
        splits: Number of images by split.
        sides: Height and width of all images; None for different ones.
    """
    import tensorflow_datasets as tfds

    with tfds.core.registered.skip_registration():  # it is found by its files, as a download

        class Tiny(tfds.core.GeneratorBasedBuilder):  # type: ignore[misc]
            VERSION = tfds.core.Version("1.0.0")

            def _info(self) -> Any:
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(
                        {
                            "image": tfds.features.Image(shape=(*sides, 3)),
                            "label": tfds.features.ClassLabel(names=list(CLASSES)),
                        }
                    ),
                    supervised_keys=("image", "label"),
                )

            def _split_generators(self, manager: Any) -> dict[str, Any]:
                return {name: self._generate_examples(name) for name in splits}

            def _generate_examples(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
                random = np.random.default_rng(len(name))
                for index in range(splits[name]):
                    size = [side or 32 + index % 7 for side in sides]
                    label = -1 if name == "test" and index < 2 else index % 2
                    image = random.integers(0, 256, (*size, 3), np.uint8)
                    yield index, {"image": image, "label": label}

    Tiny(data_dir=folder).download_and_prepare()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tensorflow_datasets")
    splits = {"train": 40, "validation": 8, "test": 12, "unsupervised": 3}
    write_data_set(folder, splits, (None, None))
    return folder


@needs_tfds
def test_images_of_any_size_and_all_splits(data_dir: Path) -> None:
    first = datasets.load("tfds:tiny", data_dir, (32, 32, 3))
    assert first.name == "tiny"
    assert sorted(first.classes) == sorted(CLASSES)
    counts = [len(first.split(name).labels) for name in ("train", "validation", "test")]
    assert counts == [40, 8, 10]  # two test images have no label
    assert first.train.read().shape == (40, 32, 32, 3)
    again = datasets.load("tfds:tiny:1.0.0", data_dir, (32, 32, 3))
    assert again.fingerprint == first.fingerprint
    folder = data_dir / "tiny" / "1.0.0" / "image_files"
    assert len(list(folder.rglob("*.png"))) == 58
    assert [path.name for path in folder.parent.glob(".*")] == []


@needs_tfds
def test_missing_splits_are_held_out(tmp_path: Path) -> None:
    write_data_set(tmp_path, {"train": 40}, (28, 28))
    found = datasets.load("tfds:tiny", tmp_path, (28, 28, 3))
    counts = [len(found.split(name).labels) for name in ("train", "validation", "test")]
    assert counts == [28, 4, 8]


@needs_tfds
def test_a_network_is_trained_and_the_images_are_checked(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = ("--data", "tfds:tiny", "--data-dir", data_dir)
    options = ("--epochs", "1", "--batch-size", "8", "--out", tmp_path / "run")
    code, out, err = run_main(capsys, "train", "lenet5", *data, *options)
    assert code == 0, err
    assert "on 10 images" in out
    code, out, err = run_main(capsys, "evaluate", tmp_path / "run", "--data-dir", data_dir)
    assert code == 0, err
    code, out, err = run_main(capsys, "dataset", "check", "tfds:tiny", "--data-dir", data_dir)
    assert (code, err) == (0, "")
    assert "58 PNG" in out


@needs_tfds
@pytest.mark.parametrize(("name", "reason"), [("none_such", "not found"), ("", "data set")])
def test_an_unknown_name_is_one_line(
    name: str, reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("dataset", "check", f"tfds:{name}", "--data-dir", tmp_path)
    code, out, err = run_main(capsys, *arguments)
    assert code in (1, 2)
    assert reason in err
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.skipif(INSTALLED, reason="tensorflow-datasets is installed")
def test_a_missing_package_is_one_line() -> None:
    with pytest.raises(Error, match=r'^tfds:mnist needs TensorFlow Datasets: pip install "\.\[tf'):
        datasets.load("tfds:mnist")
