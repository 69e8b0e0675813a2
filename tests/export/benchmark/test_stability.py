from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.runner import LoadOptions
from export.benchmark.runner_process import RunnerProcess
from export.benchmark.stability import (
    ProcessorLoad,
    describe,
    is_stable,
    median_interval,
    sensors,
    throttled_at,
    throttling,
)


def autoregressive(count: int, correlation: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    noise = rng.normal(0.0, 1.0, count)
    for index in range(1, count):
        noise[index] += correlation * noise[index - 1]
    return np.asarray(100.0 + noise)


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_interval_covers_the_median_of_correlated_runs(correlation: float) -> None:
    intervals = [median_interval(autoregressive(1000, correlation, seed)) for seed in range(60)]
    covered = sum(low <= 100.0 <= high for low, high in intervals)
    assert covered >= 49  # 95 % of 60 are 57; a bootstrap of single runs covers 20 of them


def test_correlation_widens_the_interval() -> None:
    widths = [
        np.subtract(*reversed(median_interval(autoregressive(1000, correlation, 0))))
        for correlation in (0.0, 0.9)
    ]
    assert widths[1] > 2 * widths[0]


def test_a_few_runs_have_an_interval() -> None:
    assert median_interval(np.array([1.0])) == (1.0, 1.0)
    low, high = median_interval(np.array([1.0, 2.0, 3.0]))
    assert 1.0 <= low <= high <= 3.0


def test_a_warm_up_is_stable_if_its_last_windows_agree() -> None:
    assert not is_stable([1.0, 1.0])
    assert is_stable([2.0, 1.0, 1.02, 1.01])
    assert not is_stable([1.0, 1.0, 1.0, 1.03])


def test_outliers_are_counted() -> None:
    latency = np.ones(100)
    latency[:3] = 10.0
    assert describe(latency, ProcessorLoad())["outlier_share"] == pytest.approx(0.03)


def test_quarters_are_compared() -> None:
    latency = np.repeat([1.0, 1.0, 1.5, 2.0], 5)
    assert throttling(latency) == {
        "first_quarter_p50_ms": 1.0,
        "last_quarter_p50_ms": 2.0,
        "ratio": 2.0,
    }
    assert throttling(np.ones(3)) is None


def windows(*mean_ms: float) -> list[dict[str, float]]:
    return [{"at_s": float(at), "mean_ms": ms} for at, ms in enumerate(mean_ms, 1)]


def test_throttling_is_found_where_it_begins() -> None:
    assert throttled_at(windows(1, 1, 1, 1, 1.2, 1.3, 1.2, 1.2)) == 5.0
    assert throttled_at(windows(1, 1, 1, 1, 1.2, 1, 1.2, 1, 1.2)) is None  # not lasting
    assert throttled_at(windows(1, 1, 1, 1.05, 1.05, 1.05, 1.05)) is None  # too little
    assert throttled_at(windows(1, 2)) is None


def test_the_load_of_other_programs_is_seen() -> None:
    load = ProcessorLoad()
    assert load.shares() == {"other_programs_share": None, "steal_share": None}
    child = os.fork()
    if not child:  # it is busy until it is killed
        while True:
            pass
    try:
        load.start()
        time.sleep(0.5)
        load.stop()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    shares = load.shares()
    assert shares["other_programs_share"] is not None
    assert 0.5 / (os.cpu_count() or 1) <= shares["other_programs_share"] <= 1.0


def test_sensors_are_numbers_or_none() -> None:
    assert set(sensors()) == {"temperature_celsius", "frequency_mhz"}


@pytest.mark.slow
def test_a_quota_of_the_processor_shows_as_throttling(file: Callable[[str], Path]) -> None:
    """As `cpulimit` does, the process is stopped half of the time, from the fifth second on."""
    with RunnerProcess(LoadOptions(str(file("float32")), warmup_secs=0.1)) as process:
        done = threading.Event()
        pid = process._process._process.pid  # type: ignore[attr-defined]

        def limit() -> None:
            if done.wait(5.0):
                return
            while not done.is_set():
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.05)
                os.kill(pid, signal.SIGCONT)
                done.wait(0.05)

        limiter = threading.Thread(target=limit)
        limiter.start()
        try:
            found = [*process.sustain(12.0)]
        finally:
            done.set()
            limiter.join()
    assert len(found) >= 10
    at = throttled_at(found)
    assert at is not None
    assert 4.0 <= at <= 9.0
