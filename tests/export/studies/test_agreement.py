from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from export.studies.agreement import agreement, claims
from tests.fixtures.tiny_files import tiny_files


def test_latencies_of_both_tools_are_recorded(tmp_path: Path) -> None:
    file = tmp_path / "tiny.tflite"
    file.write_bytes(tiny_files()["float32"])
    record = agreement(file, tmp_path / "results", pairs=2, secs=0.02)
    path = tmp_path / "results" / "benchmark_agreement.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert [len(runs) for runs in record["latency_p50_ms"].values()] == [2, 2]
    assert len(record["claims"]) == 2
    assert "<svg" in path.with_suffix(".svg").read_text()


def test_agreement_is_judged_by_the_tools_own_noise() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1.0, 0.01, (2, 10)).tolist()
    slower = [latency + 0.1 for latency in theirs]
    assert [claim.holds for claim in claims(ours, theirs, 0.0)] == [True, True]
    assert [claim.holds for claim in claims(ours, slower, 0.1)] == [True, False]
    assert [claim.holds for claim in claims(ours, slower, 0.0)] == [False, False]
