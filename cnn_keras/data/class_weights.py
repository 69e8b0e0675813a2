"""Weights of the classes of an imbalanced data set in the training loss."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .splits import Labels


def balanced_class_weights(labels: Labels, num_classes: int) -> NDArray[np.float32]:
    """Return weights with which every class has the same share of the loss, and their mean is 1.

    The weight of a class is `n / (classes that occur * n of the class)`, as in scikit-learn.

    Args:
        labels: Class indices of the training images `(n,)`.
        num_classes: Number of classes.

    Returns:
        Weights `(num_classes,)`; that of a class without images is 1.

    Example:
        >>> balanced_class_weights(np.array([0, 0, 0, 1]), num_classes=2).tolist()
        [0.6666666865348816, 2.0]
    """
    from sklearn.utils.class_weight import compute_class_weight

    weights = np.ones(num_classes, np.float32)
    classes = np.unique(labels)
    weights[classes] = compute_class_weight("balanced", classes=classes, y=labels)
    return weights
