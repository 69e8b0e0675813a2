from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from cnn_keras.data.loading.parallel import close_all, in_order
from cnn_keras.errors import Error


def square(index: int) -> tuple[int, int]:
    """Return the process and the square; the first elements take the longest."""
    time.sleep(0.02 if index < 4 else 0)
    return os.getpid(), index**2


@pytest.mark.parametrize("workers", [0, 1, 3])
@pytest.mark.parametrize("first", [0, 5])
def test_elements_are_computed_in_order(first: int, workers: int) -> None:
    with in_order(square, 12, first, workers) as elements:
        found = list(elements)
    assert [value for _, value in found] == [index**2 for index in range(first, 12)]
    processes = {process for process, _ in found}
    assert len(processes) == max(1, workers)
    assert (os.getpid() in processes) == (workers == 0)


def test_workers_end_with_the_context() -> None:
    with in_order(square, 10**6, 0, 2) as elements:
        processes = {next(elements)[0] for _ in range(4)}
        assert all(Path(f"/proc/{process}").exists() for process in processes)
    assert not any(Path(f"/proc/{process}").exists() for process in processes)


@pytest.mark.parametrize("workers", [0, 1])
def test_elements_that_are_closed_elsewhere_end(workers: int) -> None:
    with in_order(square, 10**6, 0, workers) as elements:
        process, _ = next(elements)
        close_all()
        assert list(elements) == []
    assert Path(f"/proc/{process}").exists() == (workers == 0)


def test_threads_compute_only_a_few_elements_ahead() -> None:
    computed = []

    def note(index: int) -> int:
        computed.append(index)
        return index

    with in_order(note, 10**6) as elements:
        for _ in range(10):
            next(elements)
    assert len(computed) <= 10 + 4 * len(os.sched_getaffinity(0))


def test_a_worker_that_is_killed_is_an_error() -> None:
    with in_order(square, 10**6, 0, 1) as elements:
        os.kill(next(elements)[0], signal.SIGKILL)
        with pytest.raises(Error, match=r"^A worker process was killed, .* use fewer --workers\."):
            list(elements)


def fail(index: int) -> int:
    if index == 3:
        raise ValueError("the fourth")
    return index


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_is_raised_at_its_element(workers: int) -> None:
    with in_order(fail, 9, 0, workers) as elements:
        assert [next(elements) for _ in range(3)] == [0, 1, 2]
        with pytest.raises(ValueError, match="the fourth"):
            next(elements)
