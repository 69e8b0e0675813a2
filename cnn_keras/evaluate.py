"""What a network's probabilities are worth: accuracy, loss, confusion, the classes of a picture."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .data import Labels

Probabilities = NDArray[np.float32]


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


def top_k(probabilities: Probabilities, classes: tuple[str, ...], k: int) -> list[Guess]:
    """Return the `k` likeliest classes of one image, `probabilities` being `(classes,)`."""
    order = np.argsort(-probabilities, kind="stable")[:k]
    return [Guess(classes[i], float(probabilities[i])) for i in order]
