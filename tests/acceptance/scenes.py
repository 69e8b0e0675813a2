"""Scenes made from the photographs of scikit-image and scikit-learn: any number, all different.

A scene is a part of one photograph, blended with a part of another one under a random mask, with
shapes of tinted textures on top. Parts of photographs alone would often look alike, such as two
parts of a sky.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from cnn_keras.data import photographs

CLASSES = ("astronaut", "chelsea", "china", "coffee", "flower", "hubble", "rocket", "tissue")

# Names in `skimage.data`, of images in its wheel: others would be downloaded.
_PHOTOGRAPHS = {
    "astronaut": "astronaut",
    "chelsea": "chelsea",
    "coffee": "coffee",
    "hubble": "hubble_deep_field",
    "rocket": "rocket",
    "tissue": "immunohistochemistry",
}
_TEXTURES = ("brick", "camera", "coins", "grass", "gravel", "page", "text")


@cache
def _originals() -> dict[str, Image.Image]:
    """Return the photographs of the classes, by class, and the textures, all in RGB."""
    import skimage.data

    found = {name.removesuffix(".jpg"): each for name, each in photographs.originals().items()}
    for name, source in _PHOTOGRAPHS.items() | {(name, name) for name in _TEXTURES}:
        found[name] = getattr(skimage.data, source)()
    return {name: Image.fromarray(pixels).convert("RGB") for name, pixels in found.items()}


def compose(name: str, random: np.random.Generator) -> Image.Image:
    """Return a scene of a class, in RGB, of about 500×400 pixels."""
    size = int(random.integers(440, 561)), int(random.integers(350, 451))
    scene = _part(name, size, random)
    # Noise of 5×4 pixels, enlarged: up to two thirds of another photograph in some places.
    noise = Image.fromarray(random.integers(0, 170, (4, 5), np.uint8))
    other = _part(CLASSES[random.integers(len(CLASSES))], size, random)
    scene.paste(other, mask=noise.resize(size, Image.Resampling.BICUBIC))
    for _ in range(random.integers(3, 7)):
        _draw_shape(scene, random)
    return ImageOps.autocontrast(scene, cutoff=1)


def _part(name: str, size: tuple[int, int], random: np.random.Generator) -> Image.Image:
    """Return a part of an original with at least half of its sides, mirrored at random."""
    image = _originals()[name]
    width, height = (length * random.uniform(0.5, 1) for length in image.size)
    left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
    box = (left, top, left + width, top + height)
    part = image.resize(size, Image.Resampling.BILINEAR, box)
    return ImageOps.mirror(part) if random.integers(2) else part


def _draw_shape(scene: Image.Image, random: np.random.Generator) -> None:
    """Draw an ellipse or a polygon of random position, size, texture and color."""
    size = tuple(int(length * random.uniform(0.15, 0.5)) for length in scene.size)
    mask = Image.new("L", size)
    if random.integers(2):
        ImageDraw.Draw(mask).ellipse((0, 0, *size), fill=255)
    else:
        corners = random.uniform((0, 0), size, (random.integers(3, 6), 2))
        ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners.tolist()], fill=255)
    texture = _part(_TEXTURES[random.integers(len(_TEXTURES))], size, random)
    color = Image.new("RGB", size, tuple(random.integers(0, 256, 3).tolist()))
    # A third of a shape may lie outside of the scene.
    left, top = (
        int(random.uniform(-shape / 3, length - shape / 1.5))
        for shape, length in zip(size, scene.size, strict=True)
    )
    scene.paste(Image.blend(texture, color, 0.5), (left, top), mask)
