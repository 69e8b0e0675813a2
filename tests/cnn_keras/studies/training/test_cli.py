from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.studies.training.cli import ProcessesStudy, TrainingRecipesStudy


def test_options_replace_values_of_all_recipes(tmp_path: Path) -> None:
    file = tmp_path / "erasing.toml"
    file.write_text('schedule = "cosine"\nrandom_erasing = 0.25\nepochs = 30\n')
    study = TrainingRecipesStudy(recipes=("paper", str(file)), batch_size=64, train_images=500)
    trainings = study.trainings()
    assert list(trainings) == ["paper", "erasing"]
    recipes = [training.recipe for training in trainings.values()]
    assert [recipe.random_erasing for recipe in recipes] == [0, 0.25]
    assert [recipe.schedule for recipe in recipes] == ["step", "cosine"]
    assert {(recipe.epochs, recipe.batch_size) for recipe in recipes} == {(10, 64)}
    assert {training.train_images for training in trainings.values()} == {500}


@pytest.mark.parametrize("recipes", [(), ("paper",), ("paper", "paper"), ("a/x.toml", "b/x.toml")])
def test_recipes_must_have_different_names(recipes: tuple[str, ...], tmp_path: Path) -> None:
    study = TrainingRecipesStudy(recipes=recipes, out=tmp_path, runs=tmp_path / "runs")
    with pytest.raises(UsageError, match="--recipes takes two or more of different names"):
        study()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seeds", [(), (1,), (1, 1), (0, -1)])
def test_differences_need_two_seeds(seeds: tuple[int, ...], tmp_path: Path) -> None:
    study = TrainingRecipesStudy(recipes=("paper", "modern"), seeds=seeds, out=tmp_path)
    with pytest.raises(UsageError, match="--seeds takes two or more different numbers"):
        study()


@pytest.mark.parametrize("processes", [(), (1,), (2, 2), (0, 2)])
def test_numbers_of_processes_must_differ(processes: tuple[int, ...], tmp_path: Path) -> None:
    study = ProcessesStudy(processes=processes, out=tmp_path, runs=tmp_path / "runs")
    with pytest.raises(UsageError, match="--processes takes two or more different numbers"):
        study()
    assert not list(tmp_path.iterdir())
