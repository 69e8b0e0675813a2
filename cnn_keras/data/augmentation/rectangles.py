"""Rectangles of pixels, one for each image of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf


class Rectangles(NamedTuple):
    """Rectangles of pixels, one for each image: `(batch,)` int32 each, the ends not included."""

    top: tf.Tensor
    bottom: tf.Tensor
    left: tf.Tensor
    right: tf.Tensor

    def mask(self, height: int, width: int) -> tf.Tensor:
        """Return which pixels are inside, `(batch, height, width, 1)` bool."""
        import tensorflow as tf

        top, bottom, left, right = (edges[:, tf.newaxis, tf.newaxis, tf.newaxis] for edges in self)
        rows, columns = tf.range(height)[:, tf.newaxis, tf.newaxis], tf.range(width)[:, tf.newaxis]
        return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
