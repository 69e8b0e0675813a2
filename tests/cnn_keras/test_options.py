from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from cnn_keras.cli import parse
from cnn_keras.command import Command, Outcome
from cnn_keras.errors import UsageError
from cnn_keras.options import ModelOptions, RecipeOptions, TrainingDataOptions, parse_options
from cnn_keras.training.recipes import Recipe
from export.cli import COMMANDS


@dataclass(frozen=True, kw_only=True)
class Study(RecipeOptions, ModelOptions, TrainingDataOptions, Command):
    """A command with shared options."""

    data: str = "digits"
    """Another default."""

    def __call__(self) -> Outcome:
        return Outcome({}, "")


def parsed(*arguments: str) -> Study:
    study: Study = parse({"study": Study, "list": COMMANDS["list"]}, ["study", *arguments], "test")
    return study


def test_a_command_has_the_options_of_its_bases() -> None:
    study = parsed("--epochs", "3", "--flip", "False", "--options", "form=1998", "--json")
    assert study.recipe_overrides() == {"epochs": 3, "flip": False}
    assert study.model_options() == {"form": "1998"}
    assert (study.data, study.train_images, study.data_dir, study.json) == (
        *("digits", None, None),
        True,
    )


def test_recipe_options_are_the_fields_of_a_recipe() -> None:
    assert {f.name for f in fields(RecipeOptions)} == {f.name for f in fields(Recipe)}


def test_options_are_pairs() -> None:
    assert parse_options(["depth=20", "form=a=b"]) == {"depth": "20", "form": "a=b"}
    with pytest.raises(UsageError, match="KEY=VALUE, not 'form'"):
        parse_options(["form"])
