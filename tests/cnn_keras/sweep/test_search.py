from __future__ import annotations

from cnn_keras.sweep.search import Listed, grid, random
from cnn_keras.sweep.space import Choices, Range

SPACE = {"learning_rate": Range(1e-3, 1, log=True), "batch_size": Choices((16, 32))}


def test_random_trials_follow_from_the_seed() -> None:
    drawn = random(SPACE, 5, seed=3)
    assert drawn == random(SPACE, 5, seed=3) == random(SPACE, 9, seed=3)[:5]
    assert drawn != random(SPACE, 5, seed=4)
    assert len({each["learning_rate"] for each in drawn}) == 5


def test_random_trials_are_different() -> None:
    small = {"batch_size": Choices((16, 32)), "flip": Choices((True, False))}
    drawn = random(small, 10, seed=0)
    assert len(drawn) == 4
    assert sorted(map(repr, drawn)) == sorted(map(repr, grid(small)))


def test_a_list_is_proposed_once() -> None:
    listed = Listed([{"flip": True}])
    assert [listed.propose(), listed.propose()] == [[{"flip": True}], []]
