from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import export
from export.benchmark.places import digest
from export.benchmark.places.local import Local
from export.benchmark.places.ssh import Ssh
from export.choice.timing import Timer, layer_ms
from tests.fixtures.trained_network import Trained
from tests.places.local_board import Board


@pytest.fixture
def file(trained: Trained, tmp_path: Path) -> Path:
    path = tmp_path / "small.tflite"
    path.write_bytes(export.quantize(trained.float32, "static_wi8_ai8", trained.calibration))
    return path


def test_a_file_is_timed_and_profiled_by_layer(trained: Trained, file: Path) -> None:
    with Timer(Local(), 1, trained.images[:32]) as timer:
        assert timer.name == "local, 1 thread"
        assert timer.time(file) > 0
        layers = timer.profile(file)
    assert len(layers) == 4
    assert min(layers) >= 0 < sum(layers)


def test_a_file_is_timed_on_a_board_if_it_computes_the_same_there(
    trained: Trained, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board(tmp_path)
    monkeypatch.setenv("PATH", f"{board.ssh.parent}{os.pathsep}{os.environ['PATH']}")
    with Timer(Ssh("board"), 2, trained.images[:32]) as timer:
        assert timer.name == "ssh:board, 2 threads"
        assert timer.time(file) > 0
        assert len(timer.profile(file)) == 4
        job, expected = timer._job(file)
        wrong = np.roll(expected.outputs, 1, axis=1)
        timer._known[file] = job, expected._replace(outputs=wrong)
        with pytest.raises(digest.DigestError):
            timer.time(file)
    assert board.left_behind() == []


def test_what_is_before_the_first_layer_belongs_to_it() -> None:
    assert layer_ms([0, 10, 0, 20], [1.0, 2.0, 4.0, 8.0]) == [7.0, 8.0]
