"""Several crops of each image of a split, whose probabilities an evaluation averages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
from PIL import Image

from ..augmentation.crops import evaluation_boxes
from ..preprocessing import Box, Preprocessing, UInt8Images
from .image_files import AnySplit, FileSplit, decode
from .parallel import in_order

CROPS = (1, 10)
"""Numbers of crops: the central one, or AlexNet's ten."""


def image_crops(
    split: AnySplit, preprocessing: Preprocessing, count: int, size: int
) -> Iterator[UInt8Images]:
    """Yield crops of the images of a split in order, in the input size.

    Args:
        split: Images in their own size.
        preprocessing: Has the size of the input.
        count: 1 for the central crop of 224 pixels, for an input of 224, of an image whose shorter
            side is rescaled to 256; 10 for this one and those of the corners, and for all of them
            mirrored.
        size: Number of images at a time.

    Yields:
        `(n, count, height, width, channels)`, with `size` images or those that are left.

    Raises:
        Error: A file is broken or no image.

    Reference:
        Krizhevsky et al. 2012, section 4.1.
    """
    num_boxes = 1 if count == 1 else count // 2

    def crops_of(index: int) -> UInt8Images:
        start, stop = size * index, min(size * (index + 1), len(split.labels))
        boxes = (stop - start) * [
            partial(_box, preprocessing, number) for number in range(num_boxes)
        ]
        if isinstance(split, FileSplit):
            paths = [path for path in split.paths[start:stop] for _ in range(num_boxes)]
            part = decode(paths, preprocessing.shape, boxes)
            for error in part.broken.values():
                raise error
            pixels = part.images
        else:
            images = [_image(each) for each in split.images[start:stop] for _ in range(num_boxes)]
            pixels = np.stack(list(map(preprocessing.pixels, images, boxes)))
        crops = pixels.reshape(stop - start, num_boxes, *preprocessing.shape)
        return crops if count == 1 else np.concatenate([crops, crops[..., ::-1, :]], axis=1)

    with in_order(crops_of, -(-len(split.labels) // size)) as parts:
        yield from parts


def _box(preprocessing: Preprocessing, number: int, size: tuple[int, int]) -> Box:
    return evaluation_boxes(size, (preprocessing.width, preprocessing.height))[number]


def _image(pixels: UInt8Images) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
