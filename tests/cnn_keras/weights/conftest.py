from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import save_file

import cnn_keras
from tests.fixtures.published_weights import (
    SIDE,
    images_of,
    logits,
    randomize,
    resnet18_as_torchvision,
)


@pytest.fixture(scope="session")
def resnet18() -> keras.Model:
    """With three classes, whose logits are some units apart."""
    model = randomize(cnn_keras.build("resnet18", (SIDE, SIDE, 3), 3))
    kernel, bias = model.get_layer("logits").get_weights()
    scale = np.abs(logits(model, images_of("resnet18"))).max() / 4
    model.get_layer("logits").set_weights([kernel / scale, bias / scale])
    return model


@pytest.fixture(scope="session")
def resnet18_file(resnet18: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("torchvision") / "resnet18.safetensors"
    save_file(resnet18_as_torchvision(resnet18), path)
    return path
