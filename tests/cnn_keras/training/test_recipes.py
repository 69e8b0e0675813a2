from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from cnn_keras.data.augmentation.crops import CROPS
from cnn_keras.errors import UsageError
from cnn_keras.training.config import Training
from cnn_keras.training.recipes import IMAGE_FILE_VALUES, RECIPES, Crop, Recipe, recipe
from cnn_keras.training.train import train
from cnn_keras.zoo import ZOO


def test_every_network_has_a_recipe() -> None:
    assert {row.recipe for row in ZOO.values()} == set(RECIPES)


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'resnet'"):
        recipe("resnets")


@pytest.mark.parametrize("milestones", [(0.5, 0.5), (0.8, 0.5), (0.0, 0.5), (0.5, 1.0)])
def test_milestones_rise(milestones: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="Milestones must rise"):
        replace(RECIPES["lenet5"], milestones=milestones)


def test_a_papers_recipe_is_stored_with_the_keys_of_earlier_versions() -> None:
    expected = ("learning_rate", "momentum", "weight_decay", "batch_size", "epochs", "milestones")
    expected += ("factor", "shift", "rotation", "flip", "warmup_steps", "warmup_rate")
    for row in RECIPES.values():
        assert tuple(row.to_dict()) == expected
        assert Recipe(**row.to_dict()) == row


def test_values_that_differ_from_a_papers_are_stored() -> None:
    changed = replace(RECIPES["lenet5"], schedule="cosine", label_smoothing=0.1)
    added = changed.to_dict().items() - RECIPES["lenet5"].to_dict().items()
    assert added == {("schedule", "cosine"), ("label_smoothing", 0.1)}
    assert Recipe(**changed.to_dict()) == changed


@pytest.mark.parametrize("values", [{"label_smoothing": 0.1}, {"mixup": 0.2}, {"cutmix": 1.0}])
def test_labels_are_soft_if_they_are_smoothed_or_mixed(values: dict[str, float]) -> None:
    assert not RECIPES["lenet5"].has_soft_labels
    assert replace(RECIPES["lenet5"], **values).has_soft_labels  # type: ignore[arg-type]


def test_the_crops_are_those_of_image_files() -> None:
    assert set(get_args(Crop)) == {"none", *CROPS}
    assert set(IMAGE_FILE_VALUES) <= set(RECIPES)


# Sigmoids learn slowly at first.
@pytest.mark.parametrize(
    ("options", "epochs"), [({"form": "1998"}, 10), ({"activation": "sigmoid"}, 30)]
)
def test_every_form_of_lenet_learns_by_its_recipe(
    options: dict[str, str], epochs: int, tmp_path: Path
) -> None:
    training = Training.of("lenet5", "digits", recipe={"epochs": epochs}, options=options)
    run = train(training, tmp_path / "run")
    assert run.metrics["test"]["accuracy"] > 0.93


@pytest.mark.slow
def test_lenet_reads_99_percent_of_the_digits(tmp_path: Path) -> None:
    accuracies = []
    for seed in range(5):
        start_time = time.perf_counter()
        run = train(Training.of("lenet5", "digits", recipe={}, seed=seed), tmp_path / str(seed))
        assert time.perf_counter() - start_time < 40
        accuracies.append(run.metrics["test"]["accuracy"])
    assert np.mean(accuracies) >= 0.99
