from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.experiments.executors.executor import Task
from cnn_keras.experiments.executors.followed import Followed, require_visible
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_run


def test_each_new_epoch_is_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = Training.of("lenet5", "digits", recipe={"epochs": 3})
    resumed = Task(training, write_run(tmp_path / "resumed", training, [0.5, 0.75]))
    started = Task(training, tmp_path / "started")
    (resumed.out / "history.csv").rename(tmp_path / "later.csv")
    write_run(tmp_path / "before", training, [0.5])
    (tmp_path / "before" / "history.csv").rename(resumed.out / "history.csv")
    followed = Followed([resumed, started])
    followed.log_new_epochs()
    assert capsys.readouterr().err == ""
    (tmp_path / "later.csv").rename(resumed.out / "history.csv")
    assert require_visible(started) == (
        f"{started.out} is not here: all machines need the same folder, for example on NFS."
    )
    write_run(started.out, training, [0.25])
    assert require_visible(started) is None
    followed.log_new_epochs()
    followed.log_new_epochs()
    lines = capsys.readouterr().err.splitlines()
    assert [line[:32] for line in lines] == [
        "resumed: epoch 2/3  loss 0.5000 ",
        "started: epoch 1/3  loss 1.0000 ",
    ]
    (started.out / "history.csv").write_text("epoch\nx\n")  # an unfinished copy
    followed.log_new_epochs()
    assert capsys.readouterr().err == ""
