"""What a network's probabilities are worth: accuracy, loss, confusion, the classes of a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.datasets import Dataset
from ..data.splits import Labels

Probabilities = NDArray[np.float32]

SIGNIFICANCE = 0.05  # what chance gives in one of twenty trials or more is put down to it
_ONE_CLASS = 0.95  # share of the answers that is nearly all


class Guess(NamedTuple):
    """A class and the probability that a network gives it."""

    label: str
    probability: float


def scores(probabilities: Probabilities, labels: Labels) -> dict[str, Any]:
    """Return accuracy (0 to 1), mean cross-entropy in nats, and the number of images.

    Args:
        probabilities: `(n, classes)`.
        labels: Class numbers `(n,)`.
    """
    chosen = probabilities[np.arange(len(labels)), labels]
    loss = -np.log(np.maximum(chosen, 1e-7)).mean()  # Keras' own floor
    accuracy = (probabilities.argmax(axis=1) == labels).mean()
    return {"accuracy": float(accuracy), "loss": float(loss), "num_images": len(labels)}


def confusion_matrix(probabilities: Probabilities, labels: Labels) -> NDArray[np.int64]:
    """Count images by true class (row) and predicted class (column), `(classes, classes)`."""
    classes = probabilities.shape[1]
    pairs = labels * classes + probabilities.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def results(answers: Mapping[str, Probabilities], dataset: Dataset) -> dict[str, Any]:
    """Return what a network is worth on several splits: what a run's `metrics.json` says of it.

    Args:
        answers: By the name of a split, probabilities `(n, classes)` for its images.
        dataset: Has the splits.

    Returns:
        Of each split its `scores`, and of the test split, if it is one, the confusion matrix.
    """
    found: dict[str, Any] = {}
    for name, probabilities in answers.items():
        labels = dataset.split(name).labels
        found[name] = scores(probabilities, labels)
        if name == "test":
            found["confusion_matrix"] = confusion_matrix(probabilities, labels).tolist()
    return found


def doubt_of(
    probabilities: Probabilities, labels: Labels | None, classes: Sequence[str]
) -> str | None:
    """Say so if a network's answers are no better than one that knows nothing gives.

    With labels: it is right no more often than always naming the commonest class explains, by the
    exact binomial test, one-sided. Without: nearly all its answers are one class.

    Args:
        probabilities: `(n, num_classes)`.
        labels: Class numbers `(n,)`; None if nobody knows them.
        classes: Names of the classes.

    Returns:
        The doubt as a sentence, if there is any.
    """
    from scipy.stats import binomtest

    answers = probabilities.argmax(axis=1)
    given = answers if labels is None else labels
    counts = np.bincount(given, minlength=len(classes))
    name, share = classes[int(counts.argmax())], float(counts.max() / len(given))
    if labels is None:
        if share < _ONE_CLASS:
            return None
        return (
            f"The Keras model answers '{name}' for {share:.0%} of {len(given)} unlabeled pictures, "
            "so that agreement says little: are the pixels as it needs them?"
        )
    right = int((answers == labels).sum())
    if right == len(labels):
        return None
    if binomtest(right, len(labels), share, alternative="greater").pvalue < SIGNIFICANCE:
        return None
    return (
        f"The Keras model itself gets {right} of {len(labels)} pictures right, no more than by "
        f"chance: '{name}' alone is {share:.0%} of them. Is it trained, are the pixels as it needs "
        "them, and the labels in its order?"
    )


def top_k(probabilities: Probabilities, classes: tuple[str, ...], k: int) -> list[Guess]:
    """Return the `k` likeliest classes of one image, `probabilities` being `(classes,)`."""
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [Guess(classes[i], float(probabilities[i])) for i in order]


def wilson(accuracy: float, num_images: int) -> tuple[float, float]:
    """Return the 95 % interval of an accuracy that was counted on so many images.

    Reference:
        Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
        the American Statistical Association 22, 1927.
    """
    z = 1.959964  # of the normal distribution, two-sided 95 %
    center = accuracy + z**2 / (2 * num_images)
    spread = z * (accuracy * (1 - accuracy) / num_images + (z / (2 * num_images)) ** 2) ** 0.5
    scale = 1 + z**2 / num_images
    return (center - spread) / scale, (center + spread) / scale


def mean_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the mean of several seeds' results and its 95 % interval (Student's t).

    Raises:
        ValueError: Fewer than two values have no interval.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError("An interval over seeds needs two or more.")
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(t.ppf(0.975, len(values) - 1)) * error
    return mean, mean - reach, mean + reach
