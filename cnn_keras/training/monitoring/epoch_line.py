"""The line about an epoch in the log of a training."""

from __future__ import annotations

import math
from collections.abc import Mapping


def epoch_line(row: Mapping[str, float], epoch: int, epochs: int) -> str:
    """Return the results of an epoch as a line.

    Args:
        row: The epoch's row of history.csv.
        epoch: Number of the epoch, from 1.
        epochs: Number of epochs of the training.
    """
    rate = row.get("images_per_second", math.nan)  # which early versions did not write
    speed = "" if math.isnan(rate) else f"  {rate:,.0f} images/s"
    return (
        f"epoch {epoch}/{epochs}  loss {row['loss']:.4f}  accuracy {row['accuracy']:.4f}  "
        f"validation accuracy {row['val_accuracy']:.4f}  {row['seconds']:.1f} s{speed}  learning "
        f"rate {row['learning_rate']:.3g}"
    )
