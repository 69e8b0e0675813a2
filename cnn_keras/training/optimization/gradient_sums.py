"""Add the gradients of parallel branches in a fixed order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras


@contextmanager
def ordered_gradient_sums() -> Iterator[None]:
    """Let TensorFlow add three or more gradients of a tensor always in the same order.

    TensorFlow adds them with one `AddN`, which writes the sum into the memory of an input that
    nothing else uses at that moment, and adds that input first. Which one it is depends on the
    threads, and so do the last bits of the sum; `tf.config.experimental.enable_op_determinism` does
    not change this. Sums of two do not depend on their order.

    It holds for the functions that are traced within the context. Other backends stay as they are.
    """
    if keras.backend.backend() != "tensorflow":
        yield
        return
    # TensorFlow has no public setting. Its version is pinned to a minor release.
    from tensorflow.python import pywrap_tfe
    from tensorflow.python.eager import backprop

    before = backprop._default_vspace
    pywrap_tfe.TFE_Py_RegisterVSpace(before._replace(aggregate_fn=_sum_in_order))
    try:
        yield
    finally:
        pywrap_tfe.TFE_Py_RegisterVSpace(before)


def _sum_in_order(gradients: Sequence[Any]) -> Any:
    """Return the sum of gradients, added one after the other."""
    import tensorflow as tf
    from tensorflow.python.eager import backprop

    if len(gradients) < 3 or not all(isinstance(each, tf.Tensor) for each in gradients):
        return backprop._aggregate_grads(gradients)
    total = gradients[0]
    for gradient in gradients[1:]:
        # Without the snapshots, which copy nothing, TensorFlow's optimizer makes one AddN of all.
        total = tf.raw_ops.Snapshot(input=tf.add_n([total, gradient]))
    return total
