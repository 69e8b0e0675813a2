from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from cnn_keras.data.augmentation.augment import Augmentation
from cnn_keras.data.augmentation.crops import RandomCrop
from cnn_keras.data.augmentation.lighting import Lighting
from cnn_keras.data.loading.image_files import FileSplit
from cnn_keras.data.pipeline import training_batches
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split


def epochs_of(
    batch_size: int, first_epoch: int = 0, first_step: int = 0
) -> dict[tuple[int, int], np.ndarray]:
    """Return the image of each index in each epoch."""
    split = Split(np.full((48, 16, 16, 3), 100, np.uint8), np.arange(48, dtype=np.int64))
    preprocessing = Preprocessing(16, 16, 3, (0.0,) * 3, (1.0,) * 3)
    batches = training_batches(
        split,
        preprocessing,
        Augmentation(1 / 8, 20.0, True, 1.0, Lighting(np.diag([9.0, 5.0, 2.0]), 0.1), 0.3, 1),
        batch_size=batch_size,
        epochs=2,
        seed=3,
        first_epoch=first_epoch,
        first_step=first_step,
    )
    images = {}
    for step, (pixels, labels) in enumerate(batches):
        epoch = first_epoch + step // (48 // batch_size)
        images |= {(epoch, int(y)): x for x, y in zip(pixels.numpy(), labels.numpy(), strict=True)}
    return images


def test_an_image_depends_on_seed_epoch_and_index_alone() -> None:
    small, large, resumed = epochs_of(8), epochs_of(24), epochs_of(16, first_epoch=1)
    assert len(small) == 96
    assert len({image.tobytes() for image in small.values()}) == 96
    for key, image in large.items():
        np.testing.assert_array_equal(small[key], image)
    assert len(resumed) == 48
    for key, image in resumed.items():
        np.testing.assert_array_equal(small[key], image)


def test_image_files_are_cropped_by_seed_epoch_and_index(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 20, 30, 3), np.uint8)
    images = [Image.fromarray(each) for each in pixels]
    for index, image in enumerate(images):
        image.save(tmp_path / f"{index}.png")
    paths = tuple(str(tmp_path / f"{index}.png") for index in range(6))
    split = FileSplit(paths, np.arange(6, dtype=np.int64), (16, 16, 3))
    crop = RandomCrop("resnet", (16, 16))
    for batch_size in (2, 3):
        batches = training_batches(
            split,
            Preprocessing(16, 16, 3, (0.0,) * 3, (1.0,) * 3),
            Augmentation(crop=crop),
            batch_size=batch_size,
            epochs=3,
            seed=5,
        )
        for step, (found, labels) in enumerate(batches):
            epoch = step // (6 // batch_size)
            for x, index in zip(found.numpy(), labels.numpy(), strict=True):
                key = np.array([5, epoch * 6 + index], np.uint64)
                random = np.random.Generator(np.random.Philox(key=key))
                box = crop((30, 20), random)
                image = images[index].resize((16, 16), Image.Resampling.BILINEAR, box)
                np.testing.assert_array_equal(x, np.asarray(image))
