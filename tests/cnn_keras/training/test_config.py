from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.training.config import Training
from cnn_keras.training.recipes import RECIPES
from cnn_keras.training.train import train


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs must be above 0"),
        ({"learning_rate": -1.0}, "learning rate must be above 0"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1"),
        ({"shift": -0.1}, "shift must be from 0 to below 1"),
        ({"rotation": 181.0}, "rotation must be from 0 to 180"),
        ({"weight_decay": -0.1}, "weight decay must not be below 0"),
        ({"warmup_steps": -1}, "Warm-up steps must not be below 0"),
        ({"warmup_steps": 5}, "warm-up rate must be above 0"),
        ({"batch_size": 1_000}, "less than one batch"),
        ({"schedule": "cosin"}, "Unknown schedule 'cosin'. Did you mean 'cosine'"),
        ({"label_smoothing": 1.0}, "label smoothing must be from 0 to below 1"),
        ({"clip_norm": -1.0}, "clip norm must be 0 or a finite number"),
        ({"clip_norm": float("nan")}, "clip norm must be 0 or a finite number"),
        ({"optimizer": "adam"}, "Unknown optimizer 'adam'. Did you mean 'adamw'"),
        ({"nesterov": True, "momentum": 0.0}, "Nesterov's momentum needs the optimizer sgd"),
        ({"nesterov": True, "optimizer": "adamw"}, "Nesterov's momentum needs the optimizer sgd"),
        ({"ema_momentum": 1.0}, "EMA momentum must be from 0 to below 1"),
        ({"gradient_accumulation_steps": 0}, "accumulation steps must be 1 or more"),
        ({"random_erasing": 1.5}, "random erasing must be from 0 to 1"),
        ({"mixup": -0.1}, "alpha of mixup must be 0 or a finite number"),
        ({"cutmix": float("nan")}, "alpha of CutMix must be 0 or a finite number"),
        ({"rand_augment": 1.1}, "magnitude of RandAugment must be from 0 to 1"),
        ({"rand_augment_operations": 0}, "operations of RandAugment must be 1 or more"),
        ({"lighting": -0.1}, "lighting must be 0 or a finite number"),
        ({"crop": "vgg_265"}, "Unknown crop 'vgg_265'. Did you mean 'vgg_256'"),
        ({"crop": "vgg"}, "Only image files are cropped, and digits has arrays"),
        ({"gradient_accumulation_steps": 11}, "An epoch has 10 batches, fewer than the 11"),
    ],
)
def test_values_out_of_range_are_refused(
    values: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(Training.of("lenet5", "digits", recipe=values, train_images=320), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("values", [{"train_images": 0}, {"image_size": -1}, {"seed": -1}])
def test_sizes_out_of_range_are_refused(values: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"must (be above|not be below) 0"):
        Training.of("lenet5", "digits", recipe={}, **values)


@pytest.mark.parametrize(
    ("data", "count", "message"),
    [
        ("digits", 9, "digits needs at least 10 validation images, one of each class, not 9"),
        ("digits", 1_420, "17 training images are less than one batch of"),
        ("npz:own.npz", 50, "can be chosen for digits, .*, not for npz:.*own.npz"),
    ],
)
def test_validation_images_out_of_range_are_refused(
    data: str, count: int, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(Training.of("lenet5", data, recipe={}, validation_images=count), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_initial_weights_are_not_frozen() -> None:
    with pytest.raises(UsageError, match="name them with --weights"):
        Training.of("lenet5", "digits", recipe={}, freeze_until="c3")


def test_given_values_replace_those_of_the_recipe() -> None:
    own = Training.of("lenet5", "digits", recipe={})
    other = Training.of("lenet5", "digits", recipe={"epochs": 3, "momentum": None})
    assert (own.recipe.epochs, other.recipe.epochs) == (30, 3)
    assert other.recipe.momentum == own.recipe.momentum


@pytest.mark.parametrize(
    ("network", "crop", "lighting"),
    [
        ("alexnet", "alexnet", 0.1),
        ("vgg16", "vgg", 0.1),
        ("googlenet", "inception", 0.0),
        ("resnet50", "resnet", 0.1),
        ("resnet20", "none", 0.0),
    ],
)
@pytest.mark.parametrize("base", ["paper", "modern"])
def test_image_files_are_augmented_as_in_the_paper(
    network: str, crop: str, lighting: float, base: str
) -> None:
    for data in ("folder:flowers", "csv:flowers.csv"):
        found = Training.of(network, data, recipe={}, base_recipe=base).recipe
        assert (found.crop, found.lighting) == (crop, lighting)
    arrays = Training.of(network, "cifar10", recipe={}, base_recipe=base).recipe
    assert (arrays.crop, arrays.lighting) == ("none", 0.0)
    without = Training.of(network, "folder:flowers", recipe={"crop": "none", "lighting": 0.0})
    assert without.to_dict()["recipe"].keys() == RECIPES["lenet5"].to_dict().keys()


def test_the_crop_of_a_file_is_refused_for_arrays(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('crop = "inception"')
    with pytest.raises(UsageError, match="Only image files are cropped"):
        Training.of("lenet5", "digits", recipe={}, base_recipe=str(tmp_path / "mine.toml"))
