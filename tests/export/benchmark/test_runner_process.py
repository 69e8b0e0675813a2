from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.runner import LoadOptions, TimingOptions
from export.benchmark.runner_process import RunnerProcess, measure
from export.tflite.interpreter import ModelFileError
from tests.fixtures.tiny_files import BROKEN, tiny_files

QUICK = TimingOptions(num_runs=20, min_secs=0.05)
File = Callable[[str], Path]


def popen(process: RunnerProcess) -> subprocess.Popen[bytes]:
    return process._process._process


@pytest.mark.parametrize("name", [*BROKEN, "flex", "two_inputs", "dynamic_size"])
def test_bad_file_is_one_line(name: str, file: File) -> None:
    with pytest.raises(ModelFileError, match=name) as caught:
        RunnerProcess(LoadOptions(str(file(name))))
    assert len(str(caught.value).splitlines()) == 1


def test_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        RunnerProcess(LoadOptions(str(tmp_path / "none.tflite")))


@pytest.mark.parametrize("seed", range(6))
def test_damage_never_reaches_the_parent(seed: int, tmp_path: Path) -> None:
    """A file with random bytes loads, is refused or ends the process: never more than one line."""
    content = bytearray(tiny_files()["float32"])
    rng = np.random.default_rng(seed)
    for place in rng.integers(8, len(content), 40):
        content[place] = rng.integers(256)
    path = tmp_path / "damaged.tflite"
    path.write_bytes(content)
    refusal = ""
    try:
        measure(LoadOptions(str(path), warmup_secs=0.0), TimingOptions(num_runs=1, min_secs=0.0))
    except ModelFileError as error:
        refusal = str(error)
    assert "\n" not in refusal


@pytest.mark.parametrize(
    ("name", "said"), [("SIGSEGV", "is damaged: .*"), ("SIGTERM", "was not read: .* from outside")]
)
def test_end_by_a_signal_is_one_line(name: str, said: str, file: File) -> None:
    with RunnerProcess(LoadOptions(str(file("float32")))) as process:
        popen(process).send_signal(signal.Signals[name])
        popen(process).wait()
        with pytest.raises(ModelFileError, match=rf"float32\.tflite' {said} \({name}\)"):
            process.run(QUICK)


def test_leaving_ends_the_process(file: File) -> None:
    with RunnerProcess(LoadOptions(str(file("float32")))) as process:
        assert popen(process).poll() is None
    assert popen(process).poll() is not None
