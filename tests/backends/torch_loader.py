"""Check that the torch pipeline of the loader study yields all images, as Pillow resizes them."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from export.studies.speed.passes import BATCH, SIDE, jpeg_files
from export.studies.speed.torch_pipeline import pillow


def main() -> None:
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for index in range(2 * BATCH + 3):
            path = folder / str(index % 2) / f"{index:03}.jpg"
            path.parent.mkdir(exist_ok=True)
            image = Image.fromarray(random.integers(0, 256, (30, 40, 3), np.uint8))
            image.resize((300, 260)).save(path)
        pipeline = pillow(folder)
        with Image.open(jpeg_files(folder)[0][0]) as image:
            expected = ImageOps.fit(image, (SIDE, SIDE), Image.Resampling.BILINEAR)
        np.testing.assert_array_equal(pipeline.first()[0], np.asarray(expected))
        for _ in range(2):
            assert [len(images) for images in pipeline.start()] == [BATCH, BATCH]


if __name__ == "__main__":
    main()
