"""VGG: 11 to 19 layers with only 3×3 convolutions.

Departures from the paper:
    - He's initialization; the paper initializes deep configurations from trained shallow ones.
    - Batch normalization, which is newer, is an option.

Reference:
    Simonyan, Zisserman, "Very deep convolutional networks for large-scale image recognition",
    arXiv:1409.1556, section 2.
"""

from __future__ import annotations

from typing import Literal

from keras import layers

from ..blocks import (
    Tensor,
    classifier,
    conv_bn_relu,
    conv_relu,
    fc_relu_dropout,
    max_pool,
    require_size,
)
from ..paper import Printed, millions

# Table 1: filters of the 3×3 convolutions, in groups that each end with a pooling.
# fmt: off
TABLE_1 = {
    # 224×224      112×112     56×56                 28×28                 14×14
    "A": ((64,),    (128,),     (256, 256),           (512, 512),           (512, 512)),
    "B": ((64, 64), (128, 128), (256, 256),           (512, 512),           (512, 512)),
    "D": ((64, 64), (128, 128), (256, 256, 256),      (512, 512, 512),      (512, 512, 512)),
    "E": ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512)),
}
# fmt: on

# Table 2: millions of parameters.
TABLE_2 = {"A": 133, "B": 133, "D": 138, "E": 144}


def printed(*, configuration: str, batch_normalization: bool = False) -> dict[str, Printed]:
    """Return the paper's figures."""
    if batch_normalization:
        return {}
    return {"total": Printed(parameters=millions(TABLE_2[configuration]))}


def vgg(
    image: Tensor,
    num_classes: int | None,
    classifier_activation: str | None = "softmax",
    *,
    configuration: Literal["A", "B", "D", "E"],
    batch_normalization: bool = False,
) -> Tensor:
    """Connect a VGG to an image.

    Args:
        image: `(batch, height, width, channels)`; 224×224×3 in the paper, 32×32 or more.
        num_classes: Number of classes; None leaves out the layers after pool5.
        classifier_activation: ``"softmax"`` or None for logits.
        configuration: Column of Table 1: 11, 13, 16 or 19 layers.
        batch_normalization: Normalize after each convolution, which then has no bias.

    Returns:
        Class scores `(batch, num_classes)`, or the maps of pool5.

    Raises:
        UsageError: The image is too small for five poolings.
    """
    require_size(image, 32, "VGG")
    conv3 = conv_bn_relu if batch_normalization else conv_relu
    x = image
    for stage, widths in enumerate(TABLE_1[configuration], start=1):
        for index, filters in enumerate(widths, start=1):
            x = conv3(x, filters, 3, name=f"conv{stage}_{index}")
        x = max_pool(x, 2, 2, padding="valid", name=f"pool{stage}")
    if num_classes is None:
        return x
    x = layers.Flatten(name="flatten")(x)
    x = fc_relu_dropout(x, 4096, name="fc6")
    x = fc_relu_dropout(x, 4096, name="fc7")
    return classifier(x, num_classes, classifier_activation)
