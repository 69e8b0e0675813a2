from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data.augmentation.lighting import principal_components
from cnn_keras.data.datasets import Dataset
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error
from cnn_keras.training.augmentation import training_augmentation
from cnn_keras.training.recipes import RECIPES
from cnn_keras.training.run_folder import Run


def new_run(folder: Path, channels: int) -> Run:
    preprocessing = Preprocessing(12, 16, channels, (0.0,) * channels, (1.0,) * channels)
    Run(folder).describe({}, preprocessing, ("a", "b"))
    return Run(folder)


def dataset(channels: int, allows_flip: bool = True) -> Dataset:
    images = np.random.default_rng(0).integers(0, 256, (20, 12, 16, channels), np.uint8)
    split = Split(images, np.arange(20) % 2)
    return Dataset("noise", split, split, split, ("a", "b"), allows_flip)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_components_are_those_of_the_training_images(channels: int, tmp_path: Path) -> None:
    run, images = new_run(tmp_path, channels), dataset(channels)
    recipe = replace(RECIPES["alexnet"], lighting=0.2)
    lighting = training_augmentation(run, recipe, images).lighting
    assert lighting is not None
    assert lighting.deviation == 0.2
    expected = principal_components([images.train.images])
    np.testing.assert_allclose(lighting.components, expected, atol=1e-6)
    # A training that resumes reads the same bits.
    changed = images._replace(train=Split(255 - images.train.images // 2, images.train.labels))
    again = training_augmentation(run, recipe, changed).lighting
    assert again is not None
    np.testing.assert_array_equal(again.components, lighting.components)


@pytest.mark.parametrize("text", ["[", "{}", '{"components": [["a"]]}', '{"components": [[1]]}'])
def test_broken_components_are_an_error(text: str, tmp_path: Path) -> None:
    run = new_run(tmp_path, 3)
    (tmp_path / "lighting.json").write_text(text)
    with pytest.raises(Error, match=r"lighting\.json") as caught:
        training_augmentation(run, replace(RECIPES["alexnet"], lighting=0.1), dataset(3))
    assert "\n" not in str(caught.value)


def test_an_augmentation_has_the_values_of_its_recipe(tmp_path: Path) -> None:
    recipe = replace(
        RECIPES["lenet5"], flip=True, crop="vgg", rand_augment=0.3, rand_augment_operations=1
    )
    found = training_augmentation(new_run(tmp_path, 3), recipe, dataset(3))
    assert (found.shift, found.rotation, found.flip) == (2 / 32, 10.0, True)
    assert (found.lighting, found.rand_augment, found.rand_augment_operations) == (None, 0.3, 1)
    assert found.crop == ("vgg", (16, 12))
    assert not (tmp_path / "lighting.json").exists()
    assert not training_augmentation(Run(tmp_path), recipe, dataset(3, False)).flip


def test_by_default_nothing_is_stored(tmp_path: Path) -> None:
    run = new_run(tmp_path, 3)
    found = training_augmentation(run, RECIPES["vgg"], dataset(3))
    assert (found.crop, found.lighting, found.rand_augment) == (None, None, 0)
    assert json.loads((tmp_path / "config.json").read_text()) == {}
