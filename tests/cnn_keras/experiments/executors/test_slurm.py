"""What needs no submitit; tests/executors tests the rest."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from cnn_keras.errors import Error
from cnn_keras.experiments.executors import slurm
from cnn_keras.experiments.executors.slurm import Slurm, preemption_signal


def test_slurm_and_submitit_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(slurm, "find_spec", lambda _: object())
    with pytest.raises(Error, match="whose command sbatch is not on this machine"):
        Slurm("debug", 1).require_slurm()
    monkeypatch.setattr(slurm, "find_spec", lambda _: None)
    with pytest.raises(Error, match="--submitit needs submitit: pip install"):
        Slurm("debug", 1).require_slurm()


def test_the_signal_is_that_of_submitit(monkeypatch: pytest.MonkeyPatch) -> None:
    assert preemption_signal() == signal.SIGUSR2
    monkeypatch.setenv("SUBMITIT_PREEMPT_SIGNAL", "USR1")
    assert preemption_signal() == signal.SIGUSR1
