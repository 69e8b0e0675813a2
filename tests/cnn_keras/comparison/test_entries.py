from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cnn_keras.comparison.entries import open_entries
from cnn_keras.errors import Error, UsageError
from cnn_keras.experiments.estimates import wilson
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 3})


def test_results_of_a_finished_and_of_a_killed_run(tmp_path: Path) -> None:
    runs = [
        write_run(tmp_path / "finished", TRAINING, [0.5, 0.9, 0.8], 0.85),
        write_run(tmp_path / "killed", TRAINING, [0.5, 0.7], with_speed=False),
        write_run(tmp_path / "new", TRAINING),
    ]
    finished, killed, new = (entry.results for entry in open_entries(runs))
    assert finished["status"] == "finished"
    assert finished["test_accuracy"] == 0.85
    assert finished["test_accuracy_interval"] == list(wilson(0.85, 100))
    assert finished["balanced_accuracy"] == pytest.approx(0.84)
    assert (finished["best_validation_accuracy"], finished["best_epoch"]) == (0.9, 2)
    assert (finished["train_seconds"], finished["images_per_second"]) == (7.5, 200)
    assert killed["status"] == "epoch 2 of 3"
    assert (killed["validation_accuracy"], killed["train_seconds"]) == (0.7, 5.0)
    assert new["status"] == "epoch 0 of 3"
    for result in (killed, new):
        for key in ("test_accuracy", "test_accuracy_interval", "images_per_second"):
            assert result[key] is None
    assert new["epochs"] is new["best_epoch"] is new["train_seconds"] is None
    assert finished.keys() == killed.keys() == new.keys()


def test_a_trained_run_has_its_number_of_parameters(lenet_run: Run, tmp_path: Path) -> None:
    killed = shutil.copytree(lenet_run.path, tmp_path / "killed")
    for name in ("model.keras", "metrics.json"):
        (killed / name).unlink()
    entries = open_entries([lenet_run.path, killed])
    assert [entry.results["num_parameters"] for entry in entries] == [61_706, 61_706]


def test_imported_runs_and_ensembles_have_a_status(tmp_path: Path) -> None:
    ensemble = write_run(tmp_path / "a", TRAINING, (), 0.9, members=["../x", "../y"])
    published = tmp_path / "b"
    published.mkdir()
    (published / "config.json").write_text(
        '{"network": "vgg16", "data": "photographs", "seed": 0, "imported": {"name": "VGG16"}}'
    )
    entries = open_entries([ensemble, published])
    assert [entry.status for entry in entries] == ["ensemble of 2", "imported"]
    assert entries[0].results["test_accuracy"] == 0.9
    assert entries[1].results["test_accuracy"] is None
    assert entries[1].settings["training"]["imported"] == {"name": "VGG16"}


def test_names_are_as_long_as_they_must_be(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / name, TRAINING) for name in ("x/lenet", "y/lenet", "y/other")]
    assert [entry.name for entry in open_entries(paths)] == ["x/lenet", "y/lenet", "y/other"]
    assert [entry.name for entry in open_entries(paths[1:])] == ["lenet", "other"]


def test_what_is_no_run_folder_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", TRAINING)
    file, empty, broken = tmp_path / "file.keras", tmp_path / "empty", tmp_path / "broken"
    file.touch()
    empty.mkdir()
    broken.mkdir()
    (broken / "config.json").write_text('{"network": "lenet5", "seed": 0}')
    for path, message in [
        (tmp_path / "absent", r"No such run folder: .*absent\."),
        (file, r"file\.keras is a file: expected a run folder\."),
        (empty, r"empty is not a run folder: it has no config\.json\."),
        (broken, r"broken/config\.json lacks 'data': restore the file\."),
    ]:
        with pytest.raises(Error, match=message):
            open_entries([run, path])
    with pytest.raises(UsageError, match="Name two run folders or more"):
        open_entries([run])
    with pytest.raises(UsageError, match=r"run/\.\./run is named twice"):
        open_entries([run, run / ".." / "run"])
