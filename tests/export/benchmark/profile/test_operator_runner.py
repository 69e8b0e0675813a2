from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from export.benchmark.profile.archive import PEAKS, write_archive
from export.benchmark.profile.operator_runner import ProfileOptions, Times, profile
from export.tflite.interpreter import Interpreter
from tests.fixtures.tiny_files import SHAPE

IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, *SHAPE)).astype(np.float32)


def options(file: Path, folder: Path) -> ProfileOptions:
    path = str(folder / "operations.zip")
    image = Interpreter(file).quantize(IMAGE)
    archive = write_archive(str(file), image, path)
    return ProfileOptions(
        path,
        archive.names,
        [*PEAKS],
        num_threads=1,
        secs=0.05,
        copies=[2**14, 2**20],
        fused=archive.fused_names,
    )


def check(times: Times, count: int) -> None:
    assert len(times.operations_ms) == len(times.alone_ms) == len(times.delegated) == count
    assert len(times.peaks_ms) == len(PEAKS)
    assert len(times.copies_ms) == 2
    assert min(times.whole_ms, times.call_ms, *times.operations_ms, *times.alone_ms) > 0
    assert times.copies_ms[0] < times.copies_ms[1]
    assert times.rounds >= 20


def test_times_of_a_file(file: Callable[[str], Path], tmp_path: Path) -> None:
    times = profile(options(file("float32"), tmp_path))
    check(times, 5)
    assert all(times.delegated)


def test_operations_that_xnnpack_does_not_run(file: Callable[[str], Path], tmp_path: Path) -> None:
    times = profile(options(file("int16"), tmp_path))
    assert not all(times.delegated)


def test_needs_only_litert_and_numpy(
    file: Callable[[str], Path],
    tmp_path: Path,
    run_without: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    absent = {"tensorflow", "keras", "cnn_keras", "rich", "tyro", "PIL", "sklearn", "scipy"}
    request = json.dumps(options(file("int8"), tmp_path)._asdict()) + "\n"
    done = run_without(absent, "-m", "export.benchmark.profile.operator_runner", stdin=request)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    check(Times(**json.loads(done.stdout)), 5)
