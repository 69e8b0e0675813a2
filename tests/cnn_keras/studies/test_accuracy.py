from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from cnn_keras.experiments.workspace import Workspace
from cnn_keras.studies.accuracy import accuracy
from cnn_keras.studies.cli import AccuracyStudy
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.fixtures.finished_runs import make_interrupted, write_finished_run


def test_claims_are_those_of_the_runs(tmp_path: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320)
    record = accuracy(
        training,
        (0, 1),
        Workspace(tmp_path / "runs", tmp_path),
        at_least=1.1,
        max_seconds=1e6,
    )
    assert json.loads((tmp_path / "lenet5_digits.json").read_text()) == json.loads(
        json.dumps(record)
    )
    results = [Run(tmp_path / "runs" / f"lenet5_digits_{s}").metrics["test"] for s in (0, 1)]
    reached, quick = record["claims"]
    assert reached["value"] == pytest.approx((results[0]["accuracy"] + results[1]["accuracy"]) / 2)
    assert reached["interval"][0] < reached["value"] < reached["interval"][1]
    assert not reached["holds"]
    assert quick["holds"]
    assert record["seeds"] == [0, 1]
    assert record["budget"]["train_images"] == 320
    assert set(record["hardware"]) == {"cpu", "architecture", "cores", "memory_gib"}
    assert (tmp_path / "lenet5_digits.svg").read_text().count("seed ") == 2


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Runs of LeNet-5 with three seeds, of which one is damaged."""
    training = Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320)
    for seed in (0, 1, 2):
        run = write_finished_run(training, seed, tmp_path / "runs", [0.5, 0.9])
        run.write_json("metrics.json", run.metrics | {"train_seconds": 1.0})
        if seed == 1:
            make_interrupted(run)
    return tmp_path / "runs"


def test_a_run_that_fails_leaves_the_others(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = AccuracyStudy(
        name="lenet5",
        data="digits",
        at_least=0.5,
        seeds=(0, 1, 2),
        train_images=320,
        runs=runs,
        out=tmp_path,
        epochs=2,
        remark="Few images.",
    )
    outcome = command()
    assert outcome.exit_code == 1
    Console(width=1000).print(outcome.text)
    assert "lenet5_digits_1 failed: " in capsys.readouterr().out
    record = json.loads((tmp_path / "lenet5_digits.json").read_text())
    assert record["seeds"] == [0, 2]
    assert len(record["test"]) == 2
    assert record["remark"] == "Few images."
    assert [row["run"] for row in record["failed"]] == ["lenet5_digits_1"]
