"""RandAugment: random operations of one magnitude for each image.

The operations are Keras' own layers. `keras.layers.RandAugment` (Keras 3.15) itself is not used: it
draws the operations once for a whole batch, shifts and turns in one direction only, and the lower
its factor is, the more its solarization and posterization change an image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import tensorflow as tf

Operation = Callable[[Any, Any], Any]
"""Returns a changed image `(1, height, width, channels)` for an image and a strength.

The absolute strength is the magnitude, from 0 to 1. Its sign is the direction of a change that has
one.
"""


def rand_augment(
    images: tf.Tensor, operations: Sequence[Operation], magnitude: float, numbers: tf.Tensor
) -> tf.Tensor:
    """Change each image by random operations, one after the other.

    Args:
        images: `(batch, height, width, channels)` float32, pixels from 0 to 255.
        operations: Those of which each image gets some, see `all_operations`.
        magnitude: How much they change an image, from 0 to 1.
        numbers: `(batch, 2 * count)` uniform numbers from 0 to below 1, two for each operation
            of an image: the first chooses it, and the second its direction, which is negative below
            a half.

    Reference:
        Cubuk et al., "RandAugment", arXiv:1909.13719, section 3.
    """
    import tensorflow as tf

    def changed(row: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        image, pairs = row[0][tf.newaxis], tf.unstack(row[1])
        for u_operation, u_sign in zip(pairs[::2], pairs[1::2], strict=True):
            strength = tf.where(u_sign < 0.5, -magnitude, magnitude)
            branches = [
                lambda image=image, strength=strength, operation=operation: operation(
                    image, strength
                )
                for operation in operations
            ]
            chosen = tf.cast(u_operation * len(branches), tf.int32)
            image = tf.ensure_shape(tf.switch_case(chosen, branches), (1, *images.shape[1:]))
        return image[0]

    return tf.map_fn(changed, (images, numbers), fn_output_signature=tf.float32)


def all_operations(height: int, width: int, channels: int) -> dict[str, Operation]:
    """Return the operations of the paper by name, for images of a size.

    Their ranges are those of AutoAugment (arXiv:1805.09501, table 6). As in timm and torchvision,
    each of them changes an image more with a larger magnitude. The border is filled with black.

    Call it outside of the graph of a pipeline, which may not create the variables of Keras' layers:
    those for their own random numbers.
    """
    import keras
    import tensorflow as tf

    border = {"fill_mode": "constant", "fill_value": 0.0}
    auto_contrast, equalization = keras.layers.AutoContrast(), keras.layers.Equalization()
    color, contrast = keras.layers.RandomColorDegeneration(1.0), keras.layers.RandomContrast(1.0)
    posterization, sharpness = (
        keras.layers.RandomPosterization(8),
        keras.layers.RandomSharpness(1.0),
    )
    solarization = keras.layers.Solarization()
    rotation, shear = keras.layers.RandomRotation(1.0, **border), keras.layers.RandomShear(**border)
    translation = keras.layers.RandomTranslation(0.0, 0.0, **border)
    for layer in (
        *(auto_contrast, equalization, color, contrast, posterization),
        *(sharpness, solarization, rotation, shear, translation),
    ):
        layer.backend.set_backend("tensorflow")  # that of the pipeline, whatever the network's is

    def rotate(image: Any, strength: Any) -> Any:
        angle = strength * math.radians(30)
        cosine, sine = tf.cos(angle), tf.sin(angle)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        # Affine map, about the center, from an output pixel to the input pixel that it copies.
        x, y = cx - cosine * cx + sine * cy, cy - sine * cx - cosine * cy
        matrix = row(cosine, -sine, x, sine, cosine, y, 0.0, 0.0)
        return rotation.transform_images(image, {"rotation_matrix": matrix})

    def row(*values: Any) -> tf.Tensor:
        return tf.stack(values)[tf.newaxis]

    def shift_bits(strength: Any) -> Any:
        return tf.cast(tf.round(4 * tf.abs(strength)), tf.uint8)

    found: dict[str, Operation] = {
        "identity": lambda x, s: x,
        "auto_contrast": lambda x, s: auto_contrast.transform_images(x, None),
        "equalize": lambda x, s: equalization.transform_images(x, None),
        "rotate": rotate,
        "solarize": lambda x, s: solarization.transform_images(
            x, {"additions": 0.0, "thresholds": 256 * (1 - tf.abs(s))}
        ),
        "color": lambda x, s: color.transform_images(x, {"factor": -0.9 * s}),
        "posterize": lambda x, s: posterization.transform_images(
            x, {"shift_factor": shift_bits(s)}
        ),
        "contrast": lambda x, s: contrast.transform_images(x, {"contrast_factor": 1 + 0.9 * s}),
        # Keras' layer adds to the pixels instead.
        "brightness": lambda x, s: tf.clip_by_value(x * (1 + 0.9 * s), 0, 255),
        "sharpness": lambda x, s: sharpness.transform_images(x, {"factor": (1 + 0.9 * s) / 2}),
        "shear_x": lambda x, s: shear.transform_images(x, {"shear_factor": row(0.3 * s, 0.0)}),
        "shear_y": lambda x, s: shear.transform_images(x, {"shear_factor": row(0.0, 0.3 * s)}),
        "translate_x": lambda x, s: translation.transform_images(
            x, {"translations": row(150 / 331 * s * width, 0.0)}
        ),
        "translate_y": lambda x, s: translation.transform_images(
            x, {"translations": row(0.0, 150 / 331 * s * height)}
        ),
    }
    if channels == 1:  # which have no color to change
        found["color"] = found["identity"]
    return found
