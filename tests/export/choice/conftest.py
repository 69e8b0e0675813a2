"""Trials of LeNet-5 that are timed for a moment only, and a choice."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.benchmark.places.local import Local
from export.benchmark.runner import TimingOptions
from export.choice import choose, timing, trials
from export.choice.trials import Trials
from export.cli import main
from export.pipeline import ExportJob, prepare
from export.source_model import SourceModel


@pytest.fixture(scope="package", autouse=True)
def brief() -> Iterator[None]:
    """Time each file once, for a moment."""
    with pytest.MonkeyPatch.context() as patch:
        moment = TimingOptions(num_runs=5, min_secs=0.0)
        patch.setattr(timing, "_OPTIONS", timing._OPTIONS._replace(timing=moment, warmup_secs=0.0))
        patch.setattr(timing, "_PROFILE_SECS", 0.01)
        patch.setattr(trials, "_PROCESSES", 1)
        patch.setattr(choose, "_ROUNDS", 1)
        yield


@pytest.fixture(scope="package")
def job(lenet_run: Run) -> ExportJob:
    return prepare(SourceModel.of_run(lenet_run))


@pytest.fixture(scope="package")
def lenet_trials(job: ExportJob, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with choose.opened_trials(job, Local(), 1, tmp_path_factory.mktemp("tried")) as opened:
        yield opened


@pytest.fixture(scope="package")
def chosen(lenet_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a choice within 60 kB."""
    folder = tmp_path_factory.mktemp("choice")
    command = ["choose", str(lenet_run.path), "--out", str(folder), "--recipes", "float32"]
    assert main([*command, "--max-kb", "60", "--max-files", "6"]) == 0
    return folder
