from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

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


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("train --help", ["(default: the recipe's own)"]),
        (
            "train resnet20 --help",
            [
                "0.1, of resnet20's recipe",
                "0.5 0.75, of resnet20's",
                "step, of",
                "True, of",
                "164,",
            ],
        ),
        (
            "train vgg16 --help",
            ["vgg for image files, else none, of", "0.1 for image files, else 0"],
        ),
        ("train -h lenet5 --recipe modern", ["cosine, of lenet5's recipe modern", "0.05, of"]),
        ("train lenet5 -h --recipe {file}", ["7, of lenet5's recipe {file}", "none, of lenet5's"]),
        ("train lenet5 -h --recipe gone.toml", ["(default: the recipe's own)"]),
        ("train lenet5 -h --recipe", ["0.05, of lenet5's recipe"]),
        ("study lesion --networks resnet56 --help", ["0.025)", "0.9, of resnet56's recipe"]),
    ],
)
def test_help_shows_the_values_of_the_recipe(
    words: str,
    shown: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    file = tmp_path / "mine.toml"
    file.write_text("epochs = 7\nmilestones = []\n")
    with pytest.raises(SystemExit):
        parse(COMMANDS, words.format(file=file).split(), "test")
    text = capsys.readouterr().out
    for each in shown:
        assert each.format(file=file) in text
    if words.startswith("train"):
        lines = text.splitlines()
        for field in fields(RecipeOptions):
            option = f" --{field.name.replace('_', '-')} "
            at = next(index for index, line in enumerate(lines) if option in line)
            assert "default: None" not in " ".join(lines[at : at + 2])


def test_options_are_pairs() -> None:
    assert parse_options(["depth=20", "form=a=b"]) == {"depth": "20", "form": "a=b"}
    with pytest.raises(UsageError, match="KEY=VALUE, not 'form'"):
        parse_options(["form"])
