from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.inputs import NOISE
from export.benchmark.places.board import board_file
from export.benchmark.places.board.board_file import BoardFile
from export.benchmark.places.board.connection import Connection
from export.benchmark.places.board.preparation import prepare
from export.benchmark.places.place import Job, PlaceError
from export.benchmark.runner import LoadOptions, Row, TimingOptions
from export.benchmark.runner_process import RunnerProcess
from export.tflite.interpreter import ModelFileError
from tests.places.local_board import Board

File = Callable[[str], Path]
QUICK = TimingOptions(num_runs=20, min_secs=0.05)


def job_of(file: Path, content: bytes | None = None) -> Job:
    """Return a measurement of a file; its hash is that of the content, if one is given."""
    with RunnerProcess(LoadOptions(str(file), warmup_secs=0.0)) as process:
        loaded = process.loaded
    sha256 = hashlib.sha256(content or file.read_bytes()).hexdigest()
    return Job(file, sha256, loaded, NOISE, 1, 0.0, QUICK)


@contextmanager
def loaded(board: Board, job: Job) -> Iterator[BoardFile]:
    with Connection(board.destination) as connection:
        prepared = prepare(connection, setup=False)
        with board_file.load(connection, prepared, job) as file:
            yield file


def test_outputs_and_measurement(
    board: Board, file: File, capsys: pytest.CaptureFixture[str]
) -> None:
    job = job_of(file("int8"))
    capsys.readouterr()  # of the conversion
    with RunnerProcess(job.load_options) as process:
        here = np.concatenate([process.output(index) for index in range(32)])
    with loaded(board, job) as there:
        outputs = there.outputs()
        measured = there.measure()
    np.testing.assert_array_equal(outputs.raw, here)
    assert len(np.unique(outputs.raw, axis=0)) > 1
    assert outputs.delegated_nodes == job.loaded.delegated_nodes
    row = Row(**measured.row)
    assert row.num_runs >= QUICK.num_runs
    assert row.sha256 == job.sha256
    assert (measured.runtime, measured.delegate_used) == ("LiteRT", "XNNPACK")
    assert measured.runtime_version == measured.versions["ai-edge-litert"]
    assert set(measured.extra["state"]) == {"before", "after"}
    steps = [line.partition(": ")[2] for line in capsys.readouterr().err.splitlines()[1:]]
    size = f"{job.file.stat().st_size / 1000:,.0f} kB"
    assert steps == [
        f"copy {job.file} ({size}) and its images",
        "check the outputs for 32 images",
        "time the inferences",
    ]
    assert board.left_behind() == []


def test_another_content_is_refused(board: Board, file: File) -> None:
    """The file has changed since LiteRT ran it here."""
    job = job_of(file("float32"), content=b"another")
    with pytest.raises(PlaceError, match=r"^board: the copy differs from the file"):
        loaded(board, job).__enter__()
    assert board.left_behind() == []


def test_refusal_names_the_file_here(board: Board, file: File) -> None:
    job = job_of(file("float32"))
    truncated = file("truncated").read_bytes()
    job.file.write_bytes(truncated)
    other = Job(job.file, hashlib.sha256(truncated).hexdigest(), job.loaded, NOISE, 1, 0.0, QUICK)
    with pytest.raises(ModelFileError) as caught:
        loaded(board, other).__enter__()
    assert str(caught.value) == f"board: '{job.file}' cannot be loaded: truncated or damaged."
    assert board.left_behind() == []


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("import os; os.kill(os.getpid(), 9)", r"\(SIGKILL, as when memory runs out\)"),
        ("raise ImportError('version GLIBC_2.34 not found')", "GLIBC_2.34 not found"),
    ],
)
def test_litert_that_does_not_start(script: str, line: str, board: Board, file: File) -> None:
    package = board.home / "packages" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(script)
    job = job_of(file("float32"))
    python = (board.home / "bin" / "python3").read_text(encoding="utf-8")
    board.write_program("python3", f"export PYTHONPATH={package.parent}\n{python}")
    with pytest.raises(PlaceError, match=line) as caught:
        loaded(board, job).__enter__()
    assert "\n" not in str(caught.value)
    assert board.left_behind() == []
