"""Check that the plain torch loop of the throughput study trains, and augments its images."""

from __future__ import annotations

import torch

from export.studies.speed.torch_training import start
from export.studies.speed.trainer import MEAN, STD, Case


def main() -> None:
    case = Case("resnet20", 16, 1, 10, 8, 1 / 8, True, 1e-3, 0.9, 1e-4, 1.0)
    for channels_last in (False, True):
        trainer = start(case._asdict() | {"channels_last": channels_last})
        before = [weights.clone() for weights in trainer.model.parameters()]
        assert min(trainer.fit(2), trainer.compute(2), trainer.load(2)) > 0
        after = trainer.model.parameters()
        assert not any(map(torch.equal, before, after))
        images, labels = trainer.batch
        assert images.shape == (8, 1, 16, 16)
        assert labels.shape == (8,)
        images, _ = next(trainer.batches)
        assert images.is_contiguous(memory_format=trainer.layout)
        check_augmentation(trainer.images, trainer._augment(trainer.images.float()))
        assert abs(float(images.mean())) < 1
        assert float(images.min()) >= -MEAN / STD


def check_augmentation(images: torch.Tensor, found: torch.Tensor) -> None:
    """Each image is the original one or its mirror image, shifted by up to two pixels."""
    padded = torch.nn.functional.pad(images.float(), (2, 2, 2, 2))
    kinds = set()
    for index, image in enumerate(found):
        matches = [
            (top, left, flip)
            for top in range(5)
            for left in range(5)
            for flip in (False, True)
            if torch.equal(crop(padded[index], top, left, flip), image)
        ]
        assert len(matches) == 1
        kinds.add(matches[0])
    assert len(kinds) > 10


def crop(padded: torch.Tensor, top: int, left: int, flip: bool) -> torch.Tensor:
    part = padded[:, top : top + 16, left : left + 16]
    return part.flip(2) if flip else part


if __name__ == "__main__":
    main()
