"""Train a network with a plain torch loop; run as a subprocess by a Python that has torch."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 (the usual name)

from ...worker import serve
from .torch_networks import build
from .trainer import MEAN, STD, Case, take_turns

Batch = tuple[torch.Tensor, torch.Tensor]


class TorchTrainer:
    """See `trainer.Trainer`.

    The images are in memory and a batch is augmented as a whole, as in `training_batches`.

    Args:
        case: What is trained.
        channels_last: Whether channels are the last dimension in memory; else they are the first
            one, as is torch's default.
    """

    def __init__(self, case: Case, channels_last: bool) -> None:
        torch.manual_seed(0)
        self.case = case
        self.layout = torch.channels_last if channels_last else torch.contiguous_format
        self.model = build(case.network, case.channels, case.num_classes)
        self.model = self.model.to(memory_format=self.layout)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=case.learning_rate,
            momentum=case.momentum,
            weight_decay=case.weight_decay,
        )
        shape = (case.num_images, case.channels, case.image_size, case.image_size)
        self.images = torch.randint(0, 256, shape, dtype=torch.uint8)
        self.labels = torch.randint(0, case.num_classes, (case.num_images,))
        self.batches = self._batches()
        self.batch = next(self.batches)
        self.num_parameters = sum(weights.numel() for weights in self.model.parameters())
        self.version = ("torch", torch.__version__)

    def fit(self, steps: int) -> float:
        """Train on the next batches."""
        self._step(next(self.batches))
        start = time.perf_counter()
        for _ in range(steps):
            self._step(next(self.batches))
        return time.perf_counter() - start

    def compute(self, steps: int) -> float:
        """Train on one batch."""
        self._step(self.batch)
        start = time.perf_counter()
        for _ in range(steps):
            self._step(self.batch)
        return time.perf_counter() - start

    def load(self, steps: int) -> float:
        """Iterate over the next batches."""
        next(self.batches)
        start = time.perf_counter()
        for _ in range(steps):
            next(self.batches)
        return time.perf_counter() - start

    def _step(self, batch: Batch) -> float:
        images, labels = batch
        self.optimizer.zero_grad()
        scores, *auxiliary = self.model(images)
        loss = F.cross_entropy(scores, labels)
        for each in auxiliary:
            loss = loss + self.case.auxiliary_weight * F.cross_entropy(each, labels)
        loss.backward()
        self.optimizer.step()
        return float(loss.item())

    def _batches(self) -> Iterator[Batch]:
        while True:
            for chosen in torch.randperm(len(self.images)).split(self.case.batch_size):
                images = self._augment(self.images[chosen].float())
                images = (images - MEAN) / STD
                yield images.contiguous(memory_format=self.layout), self.labels[chosen]

    def _augment(self, images: torch.Tensor) -> torch.Tensor:
        """Shift and mirror each image at random; the border is filled with black."""
        count, side = len(images), self.case.image_size
        if reach := round(self.case.shift * side):
            padded = F.pad(images, (reach,) * 4)
            tops, lefts = torch.randint(0, 2 * reach + 1, (2, count, 1))
            rows, columns = tops + torch.arange(side), lefts + torch.arange(side)
            index = torch.arange(count)[:, None, None]
            images = padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
        if self.case.flip:
            mirrored = (torch.rand(count) < 0.5)[:, None, None, None]
            images = torch.where(mirrored, images.flip(3), images)
        return images


def start(request: dict[str, Any]) -> TorchTrainer:
    """Return the trainer of a request: the fields of a `Case`, and `channels_last`."""
    channels_last = request.pop("channels_last")
    return TorchTrainer(Case(**request), channels_last)


if __name__ == "__main__":
    sys.exit(serve(take_turns(start)))
