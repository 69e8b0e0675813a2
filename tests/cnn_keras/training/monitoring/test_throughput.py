from __future__ import annotations

import math

import pytest

from cnn_keras.training.monitoring import throughput
from cnn_keras.training.monitoring.throughput import Throughput


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test sets."""
    now = [0.0]
    monkeypatch.setattr(throughput.time, "perf_counter", lambda: now[0])
    return now


def run_epoch(callback: Throughput, clock: list[float], step_ends: list[float]) -> float:
    callback.on_epoch_begin(0)
    for step, end in enumerate(step_ends):
        clock[0] = end
        callback.on_train_batch_end(step)
    clock[0] += 100  # validation
    logs: dict[str, float] = {}
    callback.on_epoch_end(0, logs)
    return logs["images_per_second"]


def test_neither_the_first_step_nor_validation_counts(clock: list[float]) -> None:
    callback = Throughput(batch_size=32)
    assert run_epoch(callback, clock, [50.0, 51.0, 52.0, 54.0]) == 24.0  # 3 steps in 4 s
    assert run_epoch(callback, clock, [155.0, 156.0]) == 32.0  # 2 steps in 2 s, from 154 s on


def test_the_first_step_alone_has_no_throughput(clock: list[float]) -> None:
    assert math.isnan(run_epoch(Throughput(32), clock, [50.0]))
