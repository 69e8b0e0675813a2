"""The number of threads of a training."""

from __future__ import annotations

import os


def set_threads(count: int) -> None:
    """Limit the threads of TensorFlow in this process, before its first operation.

    The order of sums, and so the last bits of the weights, may depend on this number.

    Args:
        count: Threads of an operation, and operations at a time.

    Raises:
        RuntimeError: TensorFlow has started with another number.
    """
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(count)
    tf.config.threading.set_inter_op_parallelism_threads(count)


def divided_threads(jobs: int) -> int:
    """Return the threads of each of several trainings on this machine, at least 1."""
    return max(1, len(os.sched_getaffinity(0)) // jobs)
