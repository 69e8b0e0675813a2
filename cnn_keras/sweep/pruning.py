"""Ends the worse trials early.

All trials of a proposal wait for each other, so that what is pruned does not depend on how many are
trained at a time.

Reference:
    Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
    optimization", arXiv:1502.07943: successive halving.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .trials import Trial


def prune(trials: Sequence[Trial], epoch: int, keep: float) -> list[Trial]:
    """Prune the trials with the lowest validation accuracy, of equal ones the later.

    Args:
        trials: Trials that are trained until this epoch.
        epoch: The epoch.
        keep: Share that continues; one trial at least.

    Returns:
        The trials that continue, in the same order.
    """
    ranked = sorted(trials, key=lambda trial: -trial.accuracy(epoch))
    for trial in ranked[math.ceil(keep * len(trials)) :]:
        trial.state = "pruned"
    return [trial for trial in trials if trial.state == "running"]
