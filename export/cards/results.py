"""The results of a run on its test images: accuracy, classes and confusions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from cnn_keras.experiments.estimates import wilson


class SplitResult(NamedTuple):
    """The results on the images of a split.

    Attributes:
        split: Name of the split.
        num_images: Number of its images.
        accuracy: Fraction of them that are classified correctly.
        interval: 95 % confidence interval of the accuracy.
        balanced_accuracy: Mean accuracy of the classes; None in runs of early versions.
        loss: Mean cross-entropy in nats; None in runs that did not measure it.
    """

    split: str
    num_images: int
    accuracy: float
    interval: tuple[float, float]
    balanced_accuracy: float | None
    loss: float | None


class ClassResult(NamedTuple):
    """The results on the test images of a class.

    Attributes:
        name: Name of the class.
        num_images: Number of its images.
        correct: Number of those that are classified correctly.
    """

    name: str
    num_images: int
    correct: int

    @property
    def accuracy(self) -> float:
        """Fraction of the images that are classified correctly."""
        return self.correct / self.num_images

    @property
    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the accuracy."""
        return wilson(self.accuracy, self.num_images)


class Confusion(NamedTuple):
    """Test images of one class that are taken for another.

    Attributes:
        true: Class of the images.
        predicted: Class that the network predicts.
        num_images: Number of these images.
        fraction: Their fraction of the images of the class.
    """

    true: str
    predicted: str
    num_images: int
    fraction: float


def split_results(metrics: dict[str, Any]) -> list[SplitResult]:
    """Return the results on the validation and test images that `metrics.json` has.

    Example:
        >>> split_results({"test": {"accuracy": 0.5, "num_images": 8}})[0].accuracy
        0.5
    """
    return [
        SplitResult(
            split,
            found["num_images"],
            found["accuracy"],
            wilson(found["accuracy"], found["num_images"]),
            found.get("balanced_accuracy"),
            found.get("loss"),
        )
        for split in ("validation", "test")
        if (found := metrics.get(split))
    ]


def class_results(classes: Sequence[str], matrix: Sequence[Sequence[int]]) -> list[ClassResult]:
    """Return the results of each class that has test images.

    Args:
        classes: Class names.
        matrix: Images by true class (row) and predicted class (column).
    """
    return [
        ClassResult(name, sum(row), row[index])
        for index, (name, row) in enumerate(zip(classes, matrix, strict=True))
        if any(row)
    ]


def largest_confusions(
    classes: Sequence[str], matrix: Sequence[Sequence[int]], count: int
) -> list[Confusion]:
    """Return the most frequent confusions, the largest first.

    Args:
        classes: Class names.
        matrix: Images by true class (row) and predicted class (column).
        count: Number of confusions, or fewer if the network makes fewer.

    Example:
        >>> largest_confusions(["cat", "dog"], [[3, 1], [0, 2]], 5)
        [Confusion(true='cat', predicted='dog', num_images=1, fraction=0.25)]
    """
    counts = np.array(matrix)
    totals = counts.sum(axis=1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:count]
    pairs = [divmod(int(index), len(classes)) for index in order]
    return [
        Confusion(classes[i], classes[j], int(counts[i, j]), float(counts[i, j] / totals[i]))
        for i, j in pairs
        if counts[i, j]
    ]
