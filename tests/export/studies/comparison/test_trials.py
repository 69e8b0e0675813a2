from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from export.benchmark.cli import Benchmark
from export.studies.comparison import trials
from export.studies.comparison.trials import (
    KINDS,
    Trial,
    finished,
    half_a_core,
    planned,
    run_trials,
)
from tests.fixtures.tiny_files import tiny_files

# When other programs run, more processes follow until the interval is narrow enough.
QUICK = Benchmark(
    (),
    num_runs=5,
    min_secs=0.02,
    warmup_secs=0.0,
    processes=4,
    max_processes=12,
    precision="50%",
)


def test_ten_trials_of_each_kind() -> None:
    counted = {
        (kind, load): sum((each.kind, each.load) == (kind, load) for each in planned_trials())
        for kind in KINDS
        for load in ("idle", "half")
    }
    assert counted["copy", "idle"] == counted["itself", "idle"] == counted["slower", "half"] == 10
    assert counted["copy", "half"] + counted["itself", "half"] == 10
    assert [counted[kind, "idle"] for kind in KINDS[3:]] == [10, 10, 10]
    assert [counted[kind, "half"] for kind in KINDS[3:]] == [0, 0, 0]


def planned_trials() -> list[Trial]:
    return planned(["500us"], ["idle", "half"], KINDS)


def test_trials_are_run_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference kernels of 16-bit integers take many times as long as float32."""
    monkeypatch.setattr(trials, "REPETITIONS", 1)
    folder = tmp_path / "comparison"
    for name, content in (
        ("500us", "float32"),
        ("equal/500us", "dynamic"),
        ("slower_5/500us", "int16"),
        ("slower_10/500us", "int16"),
    ):
        path = folder / f"{name}.tflite"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny_files()[content])
    wanted = planned(["500us"], ["idle"], ("itself", "slower", "gate_unchanged", "gate_slower"))
    run_trials(wanted, folder, QUICK)
    results = dict(finished(folder))
    assert list(results) == wanted
    slower, gate = results[wanted[1]], results[wanted[3]]
    assert (slower["verdict"], slower["right"]) == ("slower", True)
    assert 4 <= slower["processes"] <= 12
    assert slower["interval"][0] > 1
    assert (gate["verdict"], gate["right"]) == ("refused", True)
    assert results[wanted[2]]["interval"] is None
    run_trials(wanted, folder, QUICK)
    assert [trial for trial, _ in finished(folder)] == wanted


def test_half_a_core_is_loaded() -> None:
    before = os.times()
    with half_a_core():
        time.sleep(1.0)
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    assert 0.1 < used < 0.8
