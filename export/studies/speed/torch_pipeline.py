"""A `DataLoader` of torch that decodes and resizes with Pillow; run by a Python that has torch."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset

from ...worker import serve
from .passes import BATCH, SIDE, WORKERS, Pipeline, answer_passes, jpeg_files


class Files(Dataset[tuple[torch.Tensor, int]]):
    """Images `(height, width, channels)` uint8, cropped at the center and resized, and labels."""

    def __init__(self, folder: Path) -> None:
        self.paths, self.labels = jpeg_files(folder)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        with Image.open(self.paths[index]) as image:
            resized = ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.BILINEAR)
        return torch.from_numpy(np.array(resized)), self.labels[index]


def pillow(folder: Path) -> Pipeline:
    """Return the loader: two worker processes, which stay between passes."""
    files = Files(folder)
    loader = DataLoader(
        files, BATCH, shuffle=True, num_workers=WORKERS, drop_last=True, persistent_workers=True
    )
    return Pipeline(
        lambda: (images for images, _ in loader),
        lambda: np.stack([files[index][0].numpy() for index in range(BATCH)]),
        ("torch", torch.__version__),
    )


if __name__ == "__main__":
    sys.exit(serve(answer_passes({"torch": pillow})))
