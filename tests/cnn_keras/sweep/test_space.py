from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_keras.errors import UsageError
from cnn_keras.sweep.space import Choices, Range, parse_space


def test_values_have_the_types_of_the_recipe() -> None:
    space = parse_space(
        {
            "learning_rate": [1, 0.5],
            "milestones": [[0.5], [0.5, 0.75]],
            "batch_size": {"low": 16, "high": 128, "log": True},
            "momentum": {"low": 0, "high": 0.9},
        },
        "space",
    )
    assert space == {
        "learning_rate": Choices((1.0, 0.5)),
        "milestones": Choices(((0.5,), (0.5, 0.75))),
        "batch_size": Range(16, 128, log=True, whole=True),
        "momentum": Range(0, 0.9),
    }


def test_draws_are_spread_over_a_range() -> None:
    generator = np.random.default_rng(0)
    whole = [Range(1, 3, whole=True).draw(generator) for _ in range(300)]
    assert {*whole} == {1, 2, 3}
    assert all(70 < whole.count(number) < 130 for number in (1, 2, 3))
    log = [Range(1e-4, 1.0, log=True).draw(generator) for _ in range(400)]
    assert 1e-4 <= min(log) < max(log) <= 1
    assert 160 < sum(number < 1e-2 for number in log) < 240
    assert all(float(f"{number:.4g}") == number for number in log)
    even = [Range(0.0, 1.0).draw(generator) for _ in range(400)]
    assert 160 < sum(number < 0.5 for number in even) < 240
    assert {*(Choices(("a", "b")).draw(generator) for _ in range(20))} == {"a", "b"}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({}, "space is empty"),
        ({"learning_rat": [0.1]}, "Unknown key 'learning_rat'. Did you mean 'learning_rate'"),
        ({"learning_rate": 0.1}, "learning_rate must be a list of values, or a table"),
        ({"learning_rate": []}, "learning_rate must be a list of values, or a table"),
        ({"learning_rate": ["a"]}, "learning_rate must be a finite number, not 'a'"),
        ({"learning_rate": [0.1, 0.1]}, "learning_rate has a value twice"),
        ({"learning_rate": {"low": 0.1}}, "learning_rate lacks high"),
        ({"learning_rate": {"low": 1, "high": 0.1}}, "low must be below high, not 1 and 0.1"),
        ({"learning_rate": {"low": 0, "high": 1, "log": True}}, "low must be above 0 with log"),
        ({"learning_rate": {"low": 0, "high": 1, "log": 1}}, "log must be true or false, not 1"),
        ({"learning_rate": {"lo": 0}}, "Unknown key 'lo'. Did you mean 'low'"),
        ({"batch_size": {"low": 1.5, "high": 3}}, "batch_size must be a whole number, not 1.5"),
        ({"schedule": {"low": 0, "high": 1}}, "schedule has no range: give a list"),
    ],
)
def test_a_wrong_space_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_space(document, "space")
    assert "\n" not in str(caught.value)
