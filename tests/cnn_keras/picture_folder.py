"""Write folders of pictures: scans of digits, in the file formats and modes that people have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

NAMES = ("Zero", "one", "two")  # sorted, capitals come first
SUFFIXES = (".png", ".JPG", ".webp", ".jpeg")
MODES = ("L", "RGB", "P", "RGBA", "LA")


def write(folder: Path, count: int = 10, first: int = 0) -> Path:
    """Write `count` pictures of each of three digits, from the `first` scan on, all different."""
    scans = load_digits()
    for digit, name in enumerate(NAMES):
        (folder / name).mkdir(parents=True)
        for place, scan in enumerate(scans.images[scans.target == digit][first : first + count]):
            picture = Image.fromarray(np.rint(scan * (255 / 16)).astype(np.uint8))
            picture = picture.resize((40 + place % 3, 50 - place % 2))
            suffix = SUFFIXES[place % len(SUFFIXES)]
            if suffix == ".png":  # the other formats do not have them all
                picture = picture.convert(MODES[place // 4 % len(MODES)])
            picture.save(folder / name / f"{place:03}{suffix}")
    return folder
