from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cnn_keras
from cnn_keras import unpack
from cnn_keras.errors import Error, UsageError
from cnn_keras.trained.table import DESCRIPTION, TRAINED
from cnn_keras.training.run_folder import Run

NAME = Path("lenet5:digits")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "cnn-keras/trained"


def files(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_trained_network_becomes_a_run_folder_once(cache: Path) -> None:
    run = Run.open(NAME)
    assert run.path.parents[1] == cache
    assert {path.name for path in run.path.iterdir()} == {"model.keras", *DESCRIPTION}
    expected = cnn_keras.build("lenet5", weights="digits").get_weights()
    for ours, theirs in zip(run.model().get_weights(), expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    before = files(cache)
    assert Run.open(NAME) == run
    assert files(cache) == before
    assert unpack.trained_name(run.path) == "lenet5:digits"


def test_other_paths_are_themselves(cache: Path, tmp_path: Path) -> None:
    assert unpack.run_path(tmp_path / "lenet5:digits") == tmp_path / "lenet5:digits"
    assert unpack.trained_name(tmp_path / "lenet5_digits") is None
    with pytest.raises(UsageError, match="Did you mean 'lenet5:digits'"):
        unpack.run_path(Path("lenet5:digit"))
    assert not cache.exists()


def test_a_folder_without_its_model_is_written_again(cache: Path) -> None:
    folder = unpack.run_path(NAME)
    (folder / "model.keras").unlink()
    (folder / "config.json").write_text("{}", encoding="utf-8")
    assert Run.open(NAME).config["network"] == "lenet5"
    assert len(files(cache)) == len(DESCRIPTION) + 1


def test_two_processes_may_unpack_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save = unpack.save_model

    def save_after_another(model: object, path: Path) -> None:
        monkeypatch.setattr(unpack, "save_model", save)
        unpack.run_path(NAME)
        save(model, path)

    monkeypatch.setattr(unpack, "save_model", save_after_another)
    run = Run.open(NAME)
    assert run.metrics["test"]["accuracy"] >= 0.99
    assert len(files(cache)) == len(DESCRIPTION) + 1  # no leftovers of the slower one


def test_damaged_weights_are_not_unpacked(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = replace(TRAINED[str(NAME)], sha256="0" * 64)
    monkeypatch.setitem(TRAINED, str(NAME), damaged)
    with pytest.raises(Error, match="The weights of lenet5:digits are damaged"):
        Run.open(NAME)
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(file))
    with pytest.raises(Error, match=r"lenet5:digits cannot be unpacked into .* XDG_CACHE_HOME"):
        Run.open(NAME)


@pytest.mark.parametrize("value", ["", "relative"])
def test_a_cache_without_an_absolute_path_is_in_the_home_folder(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert unpack.cache_folder() == tmp_path / ".cache/cnn-keras"
