from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.training.config import Training
from cnn_keras.training.monitoring.tensorboard import image_grid
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train

TRAINING = Training.of(
    "lenet5", "digits", recipe={"epochs": 2, "ema_momentum": 0.5}, train_images=320
)


def read_events(folder: Path) -> dict[str, dict[int, tf.Tensor]]:
    """Return the tensors of a folder's event files by tag and step."""
    found: dict[str, dict[int, tf.Tensor]] = {}
    for path in folder.glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return found


def decode(summary: np.ndarray) -> np.ndarray:
    """Return the pixels of an image: a summary has its width, height, and one PNG per image."""
    (png,) = summary[2:]
    return np.asarray(Image.open(io.BytesIO(png)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(TRAINING, tmp_path_factory.mktemp("tensorboard") / "run", tensorboard=True)


def test_tensorboard_changes_no_weight(run: Run, tmp_path: Path) -> None:
    other = train(TRAINING, tmp_path / "without")
    pairs = zip(run.model().get_weights(), other.model().get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_scalars_are_those_of_the_history(run: Run) -> None:
    logs = {name: read_events(run.path / "tensorboard" / name) for name in ("train", "validation")}
    for epoch, row in enumerate(run.history):
        for column in ("loss", "accuracy", "learning_rate", "images_per_second"):
            scalar = logs["train"][f"epoch_{column}"][epoch]
            np.testing.assert_allclose(scalar, row[column], rtol=1e-6)
        for column in ("loss", "accuracy"):
            scalar = logs["validation"][f"epoch_{column}"][epoch]
            np.testing.assert_allclose(scalar, row[f"val_{column}"], rtol=1e-6)


def test_images_are_the_first_batch_and_the_confusion_of_each_epoch(run: Run) -> None:
    images = read_events(run.path / "tensorboard" / "images")
    assert {name: list(steps) for name, steps in images.items()} == {
        "first training batch": [0],
        "confusion of validation images": [0, 1],
    }
    grid = decode(images["first training batch"][0])
    assert grid.shape == (4 * 34, 8 * 34)  # a batch of 32 images of 32 by 32 pixels
    digit = grid[:32, :32]
    assert digit.min() == 0
    assert digit.max() > 200
    confusion = [decode(image) for image in images["confusion of validation images"].values()]
    assert confusion[0].shape == (660, 660, 3)
    assert not np.array_equal(*confusion)


def test_a_grid_has_the_pixels_before_the_normalization() -> None:
    preprocessing = Preprocessing(4, 6, 3, mean=(10.0, 20.0, 30.0), std=(2.0, 3.0, 4.0))
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    grid = image_grid(preprocessing(pixels), preprocessing)
    assert grid.shape == (6, 5 * 8, 3)
    for index in range(5):
        np.testing.assert_array_equal(grid[:4, 8 * index : 8 * index + 6], pixels[index])


@pytest.mark.parametrize(
    ("count", "side", "shape"),
    [(128, 32, (8, 8)), (20, 32, (2, 8)), (64, 224, (4, 4)), (3, 1024, (1, 1)), (2, 2000, (1, 1))],
)
def test_a_grid_is_at_most_a_square(count: int, side: int, shape: tuple[int, int]) -> None:
    preprocessing = Preprocessing(side, side, 1, (0.0,), (1.0,))
    grid = image_grid(np.zeros((count, side, side, 1), np.float32), preprocessing)
    assert grid.shape == (shape[0] * (side + 2), shape[1] * (side + 2), 1)
