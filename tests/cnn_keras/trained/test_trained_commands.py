"""Commands that take the name of a trained network for a run folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnn_keras.trained.table import TRAINED
from cnn_keras.training.config import Training
from cnn_keras.training.fine_tuning import Pretrained
from cnn_keras.training.run_folder import Run
from tests.fixtures import FIXTURES
from tests.fixtures.command_line import run_main

NAME = "lenet5:digits"


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(path))
        yield path


def test_evaluate_finds_the_accuracy_of_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "evaluate", NAME, "--json")
    document = json.loads(out)
    assert (code, document["run"]) == (0, NAME)
    metrics = json.loads((TRAINED[NAME].folder / "metrics.json").read_bytes())
    assert document["accuracy"] == metrics["test"]["accuracy"] >= 0.99


def test_predict_classifies_a_digit(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "predict", NAME, FIXTURES / "images/digit_3.png", "--json")
    assert (code, json.loads(out)[0]["top"][0]["label"]) == (0, "3")


def test_compare_shows_it_beside_a_run(lenet_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "compare", NAME, lenet_run.path, "--json")
    assert code == 0
    first = json.loads(out)["runs"][0]
    assert (first["name"], first["num_parameters"]) == (NAME, 61_706)


@pytest.mark.parametrize("command", ["evaluate", "predict", "compare", "export"])
def test_an_unknown_name_is_an_error_of_one_line(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = {"predict": ["3.png"], "compare": [NAME], "export": ["--out", "files"]}
    code, out, err = run_main(capsys, command, "lenet5:digit", *others.get(command, []))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "Unknown trained network 'lenet5:digit'. Did you mean 'lenet5:digits'?" in err


def test_a_training_starts_from_it(cache: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={}, weights=Path(NAME))
    assert training.weights == NAME  # not a path of this machine
    found = Pretrained.open(Path(NAME))
    assert (found.shape, found.classes) == ((32, 32, 1), tuple("0123456789"))
    assert found.weights.keys() == TRAINED[NAME].weights().keys()


def test_a_training_of_another_network_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--data", "digits", "--weights", NAME, "--out", tmp_path / "run"]
    code, _, err = run_main(capsys, "train", "resnet20", *arguments)
    assert (code, err.count("\n")) == (2, 1)
    assert f"The weights in {NAME} are of lenet5, not resnet20" in err
