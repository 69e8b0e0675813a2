"""Evaluate the probabilities of a network: accuracy, loss, confusion matrix, likeliest classes."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.datasets import Dataset
from ..data.splits import Labels

Probabilities = NDArray[np.float32]

SIGNIFICANCE = 0.05  # p-value from which on a result is attributed to chance
_ONE_CLASS = 0.95  # fraction of predictions that counts as all of them


class Guess(NamedTuple):
    """A class and the probability that a network gives it."""

    label: str
    probability: float


def scores(probabilities: Probabilities, labels: Labels) -> dict[str, Any]:
    """Return accuracy, cross-entropy, and the recall of each class.

    Args:
        probabilities: `(n, classes)`.
        labels: Class indices `(n,)`.

    Returns:
        ``accuracy`` (0 to 1), ``loss`` (mean, in nats), ``num_images``; ``recall``, the accuracy on
        the images of each class in the order of the classes, None for a class without images; and
        ``balanced_accuracy``, the mean recall of the classes with images.
    """
    of_labels = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(of_labels, 1e-7)).mean()  # as Keras clips them
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    confusion = confusion_matrix(probabilities, labels)
    pairs = zip(confusion.diagonal().tolist(), confusion.sum(axis=1).tolist(), strict=True)
    recall = [right / count if count else None for right, count in pairs]
    return {
        "accuracy": float(accuracy),
        "loss": float(loss),
        "num_images": len(labels),
        "balanced_accuracy": statistics.fmean(value for value in recall if value is not None),
        "recall": recall,
    }


def confusion_matrix(probabilities: Probabilities, labels: Labels) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column), `(classes, classes)`."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def evaluate_splits(probabilities: Mapping[str, Probabilities], dataset: Dataset) -> dict[str, Any]:
    """Return the results of a network on several splits, for a run's `metrics.json`.

    Args:
        probabilities: For the images of each split, by its name, `(n, classes)`.
        dataset: The data set with these splits.

    Returns:
        The `scores` on each split by its name, and the confusion matrix on the test split.
    """
    results: dict[str, Any] = {}
    for name, of_split in probabilities.items():
        labels = dataset.split(name).labels
        results[name] = scores(of_split, labels)
        if name == "test":
            results["confusion_matrix"] = confusion_matrix(of_split, labels).tolist()
    return results


def baseline_warning(
    probabilities: Probabilities, labels: Labels | None, classes: Sequence[str]
) -> str | None:
    """Return a warning if the Keras model is no better than a constant prediction.

    With labels, its accuracy is compared with that of always predicting the most frequent class, by
    a one-sided exact binomial test. Without labels, it is suspicious to predict one class for
    nearly all images.

    Args:
        probabilities: `(n, num_classes)`.
        labels: Class indices `(n,)`; None if there are no labels.
        classes: Class names.

    Returns:
        The warning as one sentence, or None.
    """
    from scipy.stats import binomtest

    predictions = probabilities.argmax(axis=1)
    observed = predictions if labels is None else labels
    counts = np.bincount(observed, minlength=len(classes))
    name, share = classes[int(counts.argmax())], float(counts.max() / len(observed))
    if labels is None:
        if share < _ONE_CLASS:
            return None
        return (
            f"The Keras model predicts '{name}' for {share:.0%} of {len(observed)} unlabeled "
            "images, so that agreement means little. Is the preprocessing that of its training?"
        )
    correct = int((predictions == labels).sum())
    if correct == len(labels):
        return None
    if binomtest(correct, len(labels), share, alternative="greater").pvalue < SIGNIFICANCE:
        return None
    return (
        f"The Keras model classifies {correct} of {len(labels)} images correctly, no better than a "
        f"constant prediction: '{name}' is {share:.0%} of them. Is the model trained, is the "
        "preprocessing that of its training, and are the labels in its order?"
    )


def top_k(probabilities: Probabilities, classes: tuple[str, ...], k: int) -> list[Guess]:
    """Return the `k` likeliest classes of one image from its probabilities `(classes,)`."""
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [Guess(classes[i], float(probabilities[i])) for i in order]
