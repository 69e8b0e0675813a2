from __future__ import annotations

from dataclasses import replace

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.training.recipes import RECIPES, recipe
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
