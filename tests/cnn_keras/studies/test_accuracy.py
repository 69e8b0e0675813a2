from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnn_keras.runs import Run
from cnn_keras.studies.accuracy import accuracy
from cnn_keras.train import Training


def test_it_claims_what_the_runs_found(tmp_path: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320)
    record = accuracy(training, (0, 1), 1.1, tmp_path / "runs", tmp_path, max_seconds=1e6)
    assert json.loads((tmp_path / "lenet5_digits.json").read_text()) == json.loads(
        json.dumps(record)
    )
    found = [Run(tmp_path / "runs" / f"lenet5_digits_{s}").metrics["test"] for s in (0, 1)]
    reached, quick = record["claims"]
    assert reached["value"] == pytest.approx((found[0]["accuracy"] + found[1]["accuracy"]) / 2)
    assert reached["interval"][0] < reached["value"] < reached["interval"][1]
    assert not reached["holds"]
    assert quick["holds"]
    assert record["seeds"] == [0, 1]
    assert record["budget"]["train_images"] == 320
    assert set(record["hardware"]) == {"cpu", "architecture", "cores", "memory_gib"}
    assert (tmp_path / "lenet5_digits.svg").read_text().count("seed ") == 2
