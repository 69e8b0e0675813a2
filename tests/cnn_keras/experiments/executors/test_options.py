from __future__ import annotations

from typing import Any

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.executors.executor import IN_ORDER
from cnn_keras.experiments.executors.options import ExecutorOptions
from cnn_keras.experiments.executors.processes import Processes
from cnn_keras.experiments.executors.threads import divided_threads


def test_the_options_choose_an_executor() -> None:
    assert ExecutorOptions().executor() is IN_ORDER
    assert ExecutorOptions(jobs=2).executor() == Processes(2, divided_threads(2))
    assert ExecutorOptions(jobs=2, threads=3).executor() == Processes(2, 3)
    assert ExecutorOptions(threads=1).executor() == Processes(1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "--jobs must be 1 or more, not 0"),
        ({"threads": 0}, "--threads must be 1 or more, not 0"),
        ({"job_minutes": 0}, "--job-minutes must be 1 or more, not 0"),
        ({"gpus": -1}, "--gpus must be 0 or more, not -1"),
        ({"gpus": 1}, "--gpus is for a cluster"),
        ({"jobs": 2, "ray": "auto"}, "--jobs is for this machine"),
        ({"ray": "auto", "submitit": "debug"}, "Give either --ray or --submitit"),
        ({"ray": "head"}, "--ray takes HOST:PORT"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ExecutorOptions(**options).executor()
