from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.errors import Error
from export.benchmark.engine_process import Inference
from export.studies.engines import ENGINES, PEERS, Engine, require_installed
from export.studies.peers import MAX_ERROR, Row, check_scores, claims, peers, photograph


def test_engines_agree_with_keras_and_are_recorded_beside_litert(tmp_path: Path) -> None:
    record = peers(["lenet5"], tmp_path, engines=["xla"], threads=[1], secs=0.02, rounds=2)
    path = tmp_path / "peers.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    litert, xla = record["rows"]
    assert (litert["engine"], xla["engine"]) == ("litert", "xla")
    assert litert["ratio"] == 1.0
    assert len(xla["rounds_ms"]) == 2
    assert 0 < xla["interval"][0] <= xla["ratio"] <= xla["interval"][1]
    assert 0 < xla["max_error"] <= MAX_ERROR  # other sums than Keras', the same network
    assert 0 < xla["peak_fraction"] < litert["peak_fraction"] * 1e3
    assert record["sgemm_peaks"][0]["gflops"] > 1
    assert record["refusals"] == []
    assert record["claims"][0]["claim"].startswith("lenet5 at 1 thread: no peer is faster")


def test_an_engine_that_does_not_run_a_network_is_recorded_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A converter that cannot write, and an engine whose process dies.
    monkeypatch.setitem(ENGINES, "mute", Engine("Mute", (), cannot_write, dies))
    monkeypatch.setitem(ENGINES, "dead", Engine("Dead", (), lambda model, folder: None, dies))
    arguments = {"engines": ["mute", "dead"], "threads": [1], "secs": 0.01, "rounds": 1}
    record = peers(["lenet5"], tmp_path, **arguments)
    reasons = {row["engine"]: row["reason"] for row in record["refusals"]}
    assert reasons == {
        "mute": "There is no such operation.",
        "dead": "its process ended with exit code 7",
    }
    assert [row["engine"] for row in record["rows"]] == ["litert"]
    assert record["claims"] == []


def test_an_engine_with_other_scores_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "wrong", Engine("Wrong", (), lambda model, folder: None, wrong))
    with pytest.raises(Error, match=r"wrong gives other scores than Keras at 1 thread: .* 1e-04"):
        peers(["lenet5"], tmp_path, engines=["wrong"], threads=[1], secs=0.01, rounds=1)
    assert list(tmp_path.iterdir()) == []


def cannot_write(model: object, folder: Path) -> None:
    raise ValueError("There is no such operation.\nA page of advice.")


def dies(folder: Path, threads: int) -> Inference:
    os._exit(7)


def wrong(folder: Path, threads: int) -> Inference:
    return lambda: np.full((1, 10), 0.1, np.float32)


@pytest.mark.parametrize("shift", [2e-4, np.nan])
def test_scores_must_be_equal(shift: float) -> None:
    expected = np.array([[0.5, 0.25, 0.25]], np.float32)
    assert check_scores((1, "x"), expected, expected) == 0
    with pytest.raises(Error):
        check_scores((1, "x"), expected + np.float32(shift), expected)


def test_a_peer_is_faster_when_its_whole_interval_is() -> None:
    def row(engine: str, ratio: float, low: float, high: float, threads: int = 1) -> Row:
        return Row("lenet5", threads, engine, 1.0, ratio, (low, high), 0.5, 0.0, [1.0])

    litert = row("litert", 1.0, 1.0, 1.0)
    (claim,) = claims([litert, row("xla", 0.97, 0.9, 1.01), row("openvino", 1.2, 1.1, 1.3)])
    assert claim.holds
    assert claim.value == 0.97
    (claim,) = claims([litert, row("xla", 0.97, 0.9, 1.01), row("openvino", 0.98, 0.97, 0.99)])
    assert not claim.holds
    assert "OpenVINO" in claim.claim
    assert claim.interval == (0.97, 0.99)


def test_the_image_is_a_photograph() -> None:
    image = photograph((32, 48, 3))
    assert image.shape == (1, 32, 48, 3)
    assert -1 <= image.min() < -0.8 < 0.8 < image.max() <= 1
    assert photograph((32, 48, 1)).shape == (1, 32, 48, 1)


@pytest.mark.slow
def test_every_peer_runs_a_residual_network_and_one_with_lrn(tmp_path: Path) -> None:
    require_installed(PEERS)  # fails where the extra `peers` is not installed
    record = peers(["resnet20", "googlenet"], tmp_path, threads=[1, 2], secs=0.1, rounds=2)
    assert record["refusals"] == []
    assert len(record["rows"]) == 2 * 2 * 4
    assert len(record["claims"]) == 4
    assert {"onnxruntime", "openvino", "tf2onnx"} <= record["versions"].keys()
