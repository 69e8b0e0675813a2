from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.errors import Error
from export.studies.scaling import all_reduce as module
from export.studies.scaling.all_reduce import PROCESSES, all_reduce


def test_two_processes_send_the_bytes_of_a_ring() -> None:
    found = all_reduce(parameters=2**20)
    expected = 2 * (PROCESSES - 1) / PROCESSES * 4 * 2**20
    # Other tests may use the loopback device at the same time.
    assert 0.99 * expected < found.sent_bytes < 2 * expected
    assert found.seconds > 0


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "_SENT", tmp_path / "none")
    with pytest.raises(Error, match="which only Linux has"):
        all_reduce(1)
