from __future__ import annotations

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


@pytest.mark.parametrize("name", ["jobs", "threads"])
def test_numbers_are_above_0(name: str) -> None:
    with pytest.raises(UsageError, match=f"--{name} must be 1 or more, not 0"):
        ExecutorOptions(**{name: 0}).executor()
