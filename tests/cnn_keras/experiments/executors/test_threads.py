from __future__ import annotations

import os

import pytest

from cnn_keras.experiments.executors.threads import divided_threads


def test_trainings_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert [divided_threads(jobs) for jobs in (1, 2, 3, 8, 20)] == [8, 4, 2, 1, 1]
