from __future__ import annotations

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import pytest

from cnn_keras.errors import Error
from cnn_keras.training.config import Training
from cnn_keras.training.recipe_file import named_recipe, read_recipe_values, recipe_toml
from cnn_keras.training.recipes import NAMED, RECIPES, Recipe
from cnn_keras.training.run_folder import Run
from cnn_keras.zoo import ZOO
from tests.fixtures.command_line import run_main

PAPER = RECIPES["cifar_resnet"]


def test_the_modern_recipe_keeps_what_it_does_not_name() -> None:
    modern = named_recipe("modern", PAPER)
    assert (modern.schedule, modern.nesterov, modern.label_smoothing) == ("cosine", True, 0.1)
    assert (modern.epochs, modern.batch_size, modern.shift) == (164, 128, 4 / 32)
    assert named_recipe("paper", PAPER) == PAPER


def test_the_fast_recipe_shortens_that_of_the_paper() -> None:
    fast = named_recipe("fast", PAPER)
    assert (fast.schedule, fast.epochs, fast.weight_decay) == ("one_cycle", 13, 5e-4)
    assert (fast.learning_rate, fast.batch_size, fast.flip) == (0.1, 128, True)


def test_a_file_replaces_values_of_the_paper_and_options_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'schedule = "one_cycle"\nmilestones = [1e-1, 0.5]\nepochs = 3\nlearning_rate = 1\n'
        "nesterov = true\n"
    )
    values = {"schedule": "one_cycle", "milestones": (0.1, 0.5), "learning_rate": 1}
    assert asdict(named_recipe(str(path), PAPER)) == (
        asdict(PAPER) | values | {"epochs": 3, "nesterov": True}
    )
    assert type(named_recipe(str(path), PAPER).learning_rate) is float
    given = {"epochs": 5, "nesterov": False}
    training = Training.of("resnet20", "digits", recipe=given, base_recipe=str(path))
    assert asdict(training.recipe) == asdict(PAPER) | values | given


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("network", ZOO)
def test_each_named_recipe_suits_each_network(network: str, name: str) -> None:
    named_recipe(name, RECIPES[ZOO[network].recipe])


@pytest.mark.parametrize("paper", RECIPES.values(), ids=RECIPES)
def test_a_recipe_in_full_is_read_back(paper: Recipe, tmp_path: Path) -> None:
    recipe = replace(
        named_recipe("modern", paper), warmup_steps=5, warmup_rate=1e-5, precision="bfloat16"
    )
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_toml(recipe))
    assert named_recipe(str(path), RECIPES["nin"]) == recipe
    assert set(read_recipe_values(path)) == {field.name for field in fields(Recipe)}
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("precision = 'float64'", "precision must be 'float32' or 'bfloat16' or 'float16', not"),
        ("precision = 16", "precision must be 'float32' or 'bfloat16' or 'float16', not 16."),
        ("scedule = 'step'", "Unknown key 'scedule'. Did you mean 'schedule'?"),
        ("[recipe]\nepochs = 3", "Unknown key 'recipe'. Choose from: learning_rate, momentum, "),
        ("epochs = 3.0", "epochs must be a whole number, not 3.0."),
        ("epochs = true", "epochs must be a whole number, not true."),
        ("momentum = '0.9'", "momentum must be a finite number, not '0.9'."),
        ("momentum = false", "momentum must be a finite number, not false."),
        ("clip_norm = inf", "clip_norm must be a finite number, not inf."),
        ("milestones = 0.5", "milestones must be a list of finite numbers, not 0.5."),
        ("milestones = [0.5, 'end']", "milestones must be a list of finite numbers, not [0.5, 'e"),
        ("flip = 1", "flip must be true or false, not 1."),
        ("optimizer = 'adam'", "optimizer must be 'sgd' or 'adamw' or 'lamb', not 'adam'."),
        ("schedule = 3", "schedule must be 'step' or 'cosine' or 'one_cycle', not 3."),
        ("momentum = 1.5", "The momentum must be from 0 to below 1, not 1.5."),
        ("epochs = ", " is not valid TOML: Invalid value (at "),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(Error) as raised:
        named_recipe(str(path), PAPER)
    (line,) = str(raised.value).splitlines()
    assert line.startswith(str(path))
    assert message in line


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"none\.toml cannot be read: No such file or directory\."):
        named_recipe(str(tmp_path / "none.toml"), PAPER)
    with pytest.raises(Error, match=r"Unknown recipe 'moderne': expected paper, modern, fast or a"):
        named_recipe("moderne", PAPER)


def test_options_without_effect_are_refused() -> None:
    for given, name in (
        ({"milestones": (0.5,)}, "milestones"),
        ({"schedule": "one_cycle", "warmup_rate": 0.1}, "warmup-rate"),
    ):
        with pytest.raises(Error, match=f"no --{name}"):
            Training.of("lenet5", "digits", recipe=given, base_recipe="modern")


def test_the_modern_recipe_trains_and_stands_in_the_run_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    arguments = ("train", "lenet5", "--data", "digits", "--out", out, "--epochs", "6")
    code, _, _ = run_main(capsys, *arguments, "--recipe", "modern")
    assert code == 0
    run = Run.open(out)
    assert Recipe(**run.config["recipe"]).to_dict() == {
        **replace(RECIPES["lenet5"], epochs=6).to_dict(),
        "schedule": "cosine",
        "nesterov": True,
        "label_smoothing": 0.1,
        "ema_momentum": 0.9,
    } | {"milestones": [0.5, 0.8]}
    assert run.metrics["test"]["accuracy"] > 0.95
    code, _, err = run_main(capsys, *arguments)
    assert code == 2
    assert "has a training with schedule cosine, not step" in err
    # The file in the run folder gives the same training.
    code, _, err = run_main(capsys, *arguments[:-2], "--recipe", out / "recipe.toml")
    assert code == 0
    assert "is already finished" in err


def test_a_wrong_file_writes_nothing(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path, out = tmp_path / "mine.toml", tmp_path / "run"
    path.write_text("epoch = 3")
    code, _, err = run_main(
        capsys, "train", "lenet5", "--data", "digits", "--out", out, "--recipe", path
    )
    assert code == 2
    assert err.count("\n") == 1
    assert f"{path}: Unknown key 'epoch'. Did you mean 'epochs'?" in err
    assert not out.exists()
