from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.weights.import_published import WeightFile, build, find
from tests.fixtures.published_weights import SIDE, logits, pixels, randomize, require_equal


def save_as_published(model: keras.Model, path: Path) -> None:
    """Save as Keras 2 did, and as keras.applications still downloads."""
    from keras.src.legacy.saving.legacy_h5_format import save_weights_to_hdf5_group

    with h5py.File(path, "w") as file:
        save_weights_to_hdf5_group(file, model)
        file.move("predictions", "probs")


@pytest.mark.parametrize(
    ("name", "their_name", "suffix", "save"),
    [
        ("vgg16", "VGG16", ".weights.h5", keras.Model.save_weights),
        ("vgg19", "VGG19", ".h5", keras.Model.save),
        ("resnet50", "ResNet50", ".keras", keras.Model.save),
        ("resnet101", "ResNet101", ".h5", save_as_published),
        ("resnet152", "ResNet152", ".weights.h5", keras.Model.save_weights),
    ],
)
def test_equals_keras_applications(
    name: str,
    their_name: str,
    suffix: str,
    save: Callable[[keras.Model, Path], None],
    tmp_path: Path,
) -> None:
    applications = keras.applications
    application = getattr(applications, their_name)
    theirs = randomize(
        application(weights=None, input_shape=(SIDE, SIDE, 3), classifier_activation=None)
    )
    path = tmp_path / f"{name}{suffix}"
    save(theirs, path)
    row = find(name, path)
    ours = build(WeightFile(path, row), SIDE)
    assert ours.output_shape == (None, 1000)

    family = applications.resnet if name.startswith("resnet") else applications.vgg16
    their_images = family.preprocess_input(pixels().astype(np.float32))
    our_images = Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())
    require_equal(logits(ours, our_images), np.asarray(theirs(their_images, training=False)))
