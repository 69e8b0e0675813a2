from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.errors import Error
from export.benchmark import engine_process
from export.benchmark.engine_process import EngineProcess, Inference


def loads(folder: Path, threads: int) -> Inference:
    return lambda: np.full((1, 10), 0.1 * threads, np.float32)


def fails(folder: Path, threads: int) -> Inference:
    raise RuntimeError("Unsupported kernel\nwith a trace")


def prints_and_fails(folder: Path, threads: int) -> Inference:
    os.write(1, b"loading\n")
    os.write(2, b"a warning\n")
    return fails(folder, threads)


def dies(folder: Path, threads: int) -> Inference:
    os._exit(7)


def test_an_engine_is_timed_in_its_own_process(tmp_path: Path) -> None:
    with EngineProcess(loads, tmp_path, 2) as process:
        np.testing.assert_array_equal(process.scores, np.full((1, 10), 0.2, np.float32))
        assert process.scores.dtype == np.float32
        samples = process.run(0.01)
        assert len(samples) >= engine_process.MIN_RUNS
        assert (samples > 0).all()
        assert samples.sum() < 1e3
        assert len(process.run(0.0)) == engine_process.MIN_RUNS


@pytest.mark.parametrize("load", [fails, prints_and_fails])
def test_the_message_of_a_failure_is_the_engines_own(
    load: engine_process.Load, tmp_path: Path
) -> None:
    with pytest.raises(Error, match=r"^Unsupported kernel$"):
        EngineProcess(load, tmp_path, 1)


def test_the_end_of_the_process_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"^its process ended with exit code 7$"):
        EngineProcess(dies, tmp_path, 1)
