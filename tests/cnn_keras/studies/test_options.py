from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from cnn_keras.command import Outcome
from cnn_keras.errors import UsageError
from cnn_keras.experiments.executors.executor import IN_ORDER
from cnn_keras.studies.options import TrainingStudyCommand


@dataclass(frozen=True, kw_only=True)
class Study(TrainingStudyCommand):
    """A study that does nothing."""

    def __call__(self) -> Outcome:
        return Outcome({}, "")


def test_the_options_decide_the_training() -> None:
    training = Study(epochs=3, momentum=0.8).training("lenet5", recipe={"batch_size": 64})
    assert (training.data, training.train_images) == ("fashion_mnist", 10_000)
    assert training.image_size == 32  # LeNet-5 takes no smaller images
    recipe = training.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (3, 64, 0.025)
    assert recipe.momentum == 0.8


def test_the_options_decide_the_workspace(tmp_path: Path) -> None:
    study = Study(runs=tmp_path / "runs", out=tmp_path, data_dir=tmp_path / "data", remark="Few.")
    workspace = study.workspace()
    assert workspace == (tmp_path / "runs", tmp_path, tmp_path / "data", IN_ORDER, "Few.")
    with pytest.raises(UsageError, match="--jobs must be 1 or more"):
        Study(jobs=0).workspace()


def test_zeros_stand_for_the_papers_budget() -> None:
    training = Study(epochs=0, train_images=0, image_size=0).training("resnet20")
    assert training.recipe.epochs == 164
    assert (training.train_images, training.image_size) == (None, None)


def test_a_file_replaces_the_recipe_and_the_defaults_of_the_study(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('epochs = 7\nlearning_rate = 0.5\nschedule = "cosine"\n')
    study = Study(recipe=str(path), learning_rate=0.125)
    recipe = study.training("resnet20", recipe={"batch_size": 64}).recipe
    assert (recipe.epochs, recipe.learning_rate, recipe.batch_size) == (7, 0.125, 64)
    assert recipe.schedule == "cosine"
    recipe = Study(recipe="modern").training("resnet20").recipe
    assert (recipe.epochs, recipe.label_smoothing, recipe.batch_size) == (16, 0.1, 32)
    with pytest.raises(UsageError, match="Unknown recipe 'modem'"):
        Study(recipe="modem").training("resnet20")


def test_plain_and_residual_networks_have_the_same_depths() -> None:
    plain, residual = Study().plain_and_residual((20, 56))
    assert [training.network for training in plain] == ["plain20", "plain56"]
    assert [training.network for training in residual] == ["resnet20", "resnet56"]


@pytest.mark.parametrize("seeds", [(), (1, 1), (-1,)])
def test_seeds_must_be_different_and_not_negative(seeds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="--seeds takes different numbers of at least 0, not"):
        Study(seeds=seeds).training("resnet20")


def test_a_trained_network_has_its_own_training_and_seed() -> None:
    training, seeds = Study(epochs=3).training_and_seeds("lenet5:digits")
    assert (training.network, training.data, training.train_images) == ("lenet5", "digits", None)
    assert training.recipe.epochs > 3
    assert seeds == (training.seed,)
    assert Study().training_and_seeds("lenet5") == (Study().training("lenet5"), (0, 1, 2))
    with pytest.raises(UsageError, match="Did you mean 'lenet5:digits'"):
        Study().training_and_seeds("lenet5:digit")
