from __future__ import annotations

import json
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.cli import COMMANDS, parse
from cnn_keras.training.cli import Train
from cnn_keras.training.config import Training, public_config
from cnn_keras.training.run_folder import Run
from cnn_keras.weights.cli import ImportWeights
from export.cards import origin
from tests.fixtures.finished_runs import write_run

TRAININGS: list[dict[str, Any]] = [
    {"network": "resnet20", "data": "fashion_mnist", "base_recipe": "modern", "seed": 3},
    {"network": "lenet5", "data": "digits", "options": {"form": "1998"}, "train_images": 500},
    {"network": "alexnet", "data": "npz:own data.npz", "image_size": 64},
    {"network": "nin", "data": "cifar10", "class_weights": "balanced", "validation_images": 500},
]


@pytest.mark.parametrize("values", TRAININGS, ids=lambda values: values["network"])
def test_the_command_repeats_the_training(
    values: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    training = Training.of(recipe={"epochs": 7, "milestones": None}, **values)
    run = Run(write_run(tmp_path / "run", training))
    (tmp_path / origin.RECIPE_FILE).write_text(origin.recipe_text(run))
    program, *words = shlex.split(origin.command(run))
    command = parse(COMMANDS, words, program)
    assert isinstance(command, Train)
    again = Training.of(
        command.name,
        command.data,
        recipe=command.recipe_overrides(),
        base_recipe=command.recipe,
        seed=command.seed,
        options=command.model_options(),
        train_images=command.train_images,
        image_size=command.image_size,
        class_weights=command.class_weights,
        validation_images=command.validation_images,
    )
    assert json.loads(json.dumps(again.to_dict())) == run.config
    assert command.out == Path(origin.run_name(run))


def test_folders_of_the_machine_are_not_named(tmp_path: Path) -> None:
    pretrained = {"weights": "/home/ada/runs/first", "skipped_files": ["a.png"]}
    training = Training.of("alexnet", "folder:/home/ada/my flowers", recipe={})
    run = Run(write_run(tmp_path / "run", training, **pretrained))
    assert origin.run_name(run) == "alexnet_my_flowers"
    command = origin.command(run)
    assert "--data 'folder:my flowers'" in command
    assert "--weights first" in command
    assert "--skip-broken" in command
    assert "/home" not in command + json.dumps(public_config(run.config))
    assert run.config["data"] == "folder:/home/ada/my flowers"


def test_recipes_of_early_versions_are_written_as_toml(tmp_path: Path) -> None:
    run = Run(write_run(tmp_path / "run", Training.of("lenet5", "digits", recipe={})))
    assert "linear_warmup = false" in origin.recipe_text(run)
    (run.path / origin.RECIPE_FILE).write_text("# The author's own.\n")
    assert origin.recipe_text(run) == "# The author's own.\n"
    summary = origin.recipe_summary(origin.recipe_of(run))
    assert "epochs 30" in summary
    assert "milestones 0.5 0.8" in summary
    assert "cutmix" not in summary
    cosine = origin.recipe_summary(replace(origin.recipe_of(run), schedule="cosine"))
    assert "schedule cosine" in cosine
    assert "milestones" not in cosine


@pytest.mark.parametrize(
    ("name", "title", "page", "license_name"),
    [
        ("mnist", "MNIST", "https://keras.io/api/datasets/mnist/", "CC BY-SA 3.0"),
        ("csv:/home/ada/list.csv", "list.csv", None, None),
        ("photographs", "photographs", None, None),
        (
            "tfds:cifar10_corrupted/fog_2:1.0.0",
            "cifar10_corrupted/fog_2:1.0.0",
            "https://www.tensorflow.org/datasets/catalog/cifar10_corrupted",
            None,
        ),
    ],
)
def test_data_sets(name: str, title: str, page: str | None, license_name: str | None) -> None:
    found = origin.data_facts(name)
    assert (found.title, found.page, found.license) == (title, page, license_name)


def test_published_weights_have_the_command_of_their_import(tmp_path: Path) -> None:
    training = Training.of("vgg16", "digits", recipe={})
    imported = {"publisher": "torchvision", "name": "vgg16_bn", "file": "vgg16 bn.pth"}
    folder = write_run(tmp_path / "run", training, imported=imported | {"sha256": "0" * 64})
    run = Run(folder)
    assert origin.kind_of(run) == "published weights"
    program, *words = shlex.split(origin.command(run))
    command = parse(COMMANDS, words, program)
    assert isinstance(command, ImportWeights)
    assert (command.name, command.file) == ("vgg16_bn", Path("vgg16 bn.pth"))
    assert (command.data, command.image_size) == ("digits", 8)  # the size in the run's files
