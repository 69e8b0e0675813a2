from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.executors.executor import IN_ORDER, Task, unfinished
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import make_interrupted, write_finished_run

SMALL = Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320)


@pytest.fixture
def tasks(tmp_path: Path) -> list[Task]:
    """A broken training, and one that is finished."""
    made = []
    for name, seed in (("broken", 1), ("finished", 0)):
        run = write_finished_run(SMALL, 0, tmp_path, [0.5, 0.9], name)
        if seed:
            make_interrupted(run)
        made.append(Task(SMALL, run.path))
    return made


def test_a_failure_does_not_stop_the_others(
    tasks: list[Task], capsys: pytest.CaptureFixture[str]
) -> None:
    broken, finished = IN_ORDER.train_all(tasks)
    assert broken.reason is not None
    assert "last.keras cannot be loaded" in broken.reason
    assert finished == (finished.run, None)
    assert finished.run.metrics["num_train_images"] == 320
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "broken"
    assert lines[1] == f"broken failed: {broken.reason}"
    assert lines[2] == "finished"


def test_a_folder_is_trained_once(tasks: list[Task], tmp_path: Path) -> None:
    broken, finished = tasks
    assert unfinished([broken, finished, broken]) == [broken]
    other = Training.of("lenet5", "digits", recipe={"epochs": 3}, train_images=320)
    with pytest.raises(UsageError, match="use the same options"):
        unfinished([Task(other, finished.out)])


def test_a_wrong_option_and_a_full_disk_stop_all(tasks: list[Task], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "photo.jpg").write_bytes(b"")
    with pytest.raises(UsageError, match="not a run folder"):
        IN_ORDER.train_all([Task(SMALL, tmp_path / "other"), *tasks])
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="Not a directory"):
        IN_ORDER.train_all([Task(SMALL, tmp_path / "file" / "run"), *tasks])
