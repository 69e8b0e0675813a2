from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.training_runs import TrainedBefore
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import make_interrupted, write_finished_run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two networks with three seeds, of which two are damaged."""
    folder = tmp_path_factory.mktemp("runs")
    for network in ("lenet5", "nin"):
        for seed in (0, 1, 2):
            run = write_finished_run(of(network), seed, folder, [0.5, 0.9])
            if (network, seed) in (("lenet5", 1), ("nin", 2)):
                make_interrupted(run)
    return folder


def of(network: str) -> Training:
    return Training.of(network, "digits", recipe={"epochs": 2}, train_images=320)


def test_only_seeds_of_complete_networks_are_returned(runs: Path) -> None:
    seeds, failed = training_runs.train_all(
        [of("lenet5"), of("nin")], (0, 1, 2), Workspace(runs, runs)
    )
    assert seeds == [0]
    assert [row["run"] for row in failed] == ["lenet5_digits_1", "nin_digits_2"]
    for row in failed:
        assert "last.keras cannot be loaded" in row["reason"]
    assert [run.config["seed"] for run in training_runs.finished_runs(of("nin"), (0, 1), runs)] == [
        0,
        1,
    ]
    with pytest.raises(Error, match="No run of the study is complete: nin_digits_2: "):
        training_runs.train_all([of("lenet5"), of("nin")], (1, 2), Workspace(runs, runs))


def test_another_configuration_stops_all(runs: Path) -> None:
    other = Training.of("lenet5", "digits", recipe={"epochs": 3}, train_images=320)
    with pytest.raises(UsageError):
        training_runs.train_all([other], (0, 1), Workspace(runs, runs))


def test_the_name_of_a_run_has_its_variant_and_the_last_part_of_a_folder() -> None:
    training = Training.of("lenet5", "folder:/some/where/flowers", recipe={})
    assert training_runs.run_name(training, "long") == "lenet5_long_flowers"


def test_the_budget_has_the_recipe() -> None:
    budget = training_runs.budget(of("lenet5"))
    assert (budget["data"], budget["train_images"], budget["epochs"]) == ("digits", 320, 2)


def test_a_trained_network_is_not_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    training = TrainedBefore.find("lenet5:digits")
    assert (training.network, training.data) == ("lenet5", "digits")
    assert training_runs.run_name(training) == "lenet5_digits"
    assert training_runs.budget(training)["trained_network"] == "lenet5:digits"
    runs = tmp_path / "runs"
    assert training_runs.train_all([training], [training.seed], Workspace(runs, runs)) == (
        [training.seed],
        [],
    )
    [run] = training_runs.finished_runs(training, [training.seed], runs)
    assert run.config["recipe"] == json.loads(json.dumps(training.recipe.to_dict()))
    assert not runs.exists()
