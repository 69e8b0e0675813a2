from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files import saved_model


@pytest.fixture(scope="module")
def source() -> keras.Model:
    keras.utils.set_random_seed(0)
    head = [layers.Flatten(), layers.Dense(3, "softmax")]
    return keras.Sequential([keras.Input((4, 4, 3)), layers.Conv2D(2, 3), *head])


@pytest.fixture(scope="module")
def folder(source: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("saved") / "model"
    source.export(folder, verbose=False)
    return folder


def test_a_folder_becomes_a_model(source: keras.Model, folder: Path, tmp_path: Path) -> None:
    assert saved_model.is_saved_model(folder)
    assert not saved_model.is_saved_model(tmp_path)
    model = saved_model.load(folder, "größe 2")
    assert (model.name, model.input_shape, model.output_shape) == (
        "gr__e_2",
        (None, 4, 4, 3),
        (None, 3),
    )
    images = np.random.default_rng(0).random((2, 4, 4, 3), np.float32)
    np.testing.assert_allclose(model(images), source(images), atol=1e-6)


def test_a_saved_model_is_found_inside_other_models(source: keras.Model, folder: Path) -> None:
    model = saved_model.load(folder, "a")
    image = keras.Input((4, 4, 3))
    assert saved_model.contains_saved_model(keras.Model(image, model(image * 2)))
    assert not saved_model.contains_saved_model(source)


def test_other_signatures_and_broken_files_are_refused(folder: Path, tmp_path: Path) -> None:
    keras.Sequential([keras.Input((4,)), layers.Dense(2)]).export(tmp_path / "a", verbose=False)
    with pytest.raises(UsageError, match=r"no signature from images .* it has serv"):
        saved_model.load(tmp_path / "a", "a")
    (tmp_path / "b").mkdir()
    content = (folder / "saved_model.pb").read_bytes()
    (tmp_path / "b" / "saved_model.pb").write_bytes(content[:100])
    with pytest.raises(Error, match="cannot be read as a SavedModel"):
        saved_model.load(tmp_path / "b", "b")
