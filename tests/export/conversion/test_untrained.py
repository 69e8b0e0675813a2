from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras.errors import Error, UsageError
from export.conversion import untrained
from export.conversion.untrained import untrained_files
from export.recipes import select
from export.tflite.interpreter import Interpreter
from tests.fixtures.command_line import read_json_lines, run_main

RECIPES = ("float32", "static_wi8_ai8")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def in_cache(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))


def test_outputs_vary_and_the_files_agree() -> None:
    """A comparison of outputs that are all alike would prove nothing."""
    found = untrained_files("resnet20", select(RECIPES), 16, 5)
    images = np.load(found.images)
    assert images.shape == (32, 16, 16, 3)
    float32, int8 = (Interpreter(file)(images) for file in found.files)
    assert len(np.unique(int8.argmax(axis=1))) > 1
    assert len(np.unique(int8, axis=0)) == 32
    assert np.abs(float32 - int8).max() < 0.1


def test_files_are_converted_once_by_the_same_code(monkeypatch: pytest.MonkeyPatch) -> None:
    files = untrained_files("resnet20", select(RECIPES), 16, 5).files
    times = [file.stat().st_mtime_ns for file in files]
    again = untrained_files("resnet20", select(RECIPES), 16, 5).files
    assert [file.stat().st_mtime_ns for file in again] == times
    content = [file.read_bytes() for file in files]
    monkeypatch.setattr(untrained, "_code_hash", lambda: "other")
    converted = untrained_files("resnet20", select(RECIPES), 16, 5).files
    assert [file.read_bytes() for file in converted] == content
    assert not any(file.exists() for file in files)


def test_further_training_is_refused() -> None:
    with pytest.raises(UsageError, match="aware_wi8_ai8 needs a trained network"):
        untrained_files("resnet20", select(["aware_wi8_ai8"]), 16, 5)


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cnn-keras").write_text("a file")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(Error, match=r"resnet20 cannot be written into .* XDG_CACHE_HOME"):
        untrained_files("resnet20", select(RECIPES), 16, 5)


def test_the_command_marks_the_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--image-size", "16", "--classes", "5", "--min-secs", "0.01", "--warmup-secs", "0")
    code, out, _ = run_main(capsys, "benchmark", "resnet20", "--recipes", *RECIPES, *options)
    assert code == 0
    assert out.count("untrained") == 2
    rows = read_json_lines(tmp_path / "benchmarks.jsonl")
    assert [(row["untrained"], row["inputs"]) for row in rows] == [(True, "photographs")] * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("resnet21",), "Unknown network 'resnet21'. Did you mean 'resnet20'?"),
        (("net.tflite", "--image-size", "8"), "--classes and --options are for networks"),
        (("resnet20", "--recipes", "float17"), "Unknown recipe 'float17'"),
    ],
)
def test_wrong_arguments(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run_main(capsys, "benchmark", *arguments)
    assert code == 2
    assert message in err
