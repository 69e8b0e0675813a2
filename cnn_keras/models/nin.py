"""Network in network: convolutions followed by 1×1 convolutions, and no dense layer.

This is the form for 32×32 images, with the sizes of the authors' release; the paper prints none.

Departures from the paper:
    - The last 1×1 convolution has no ReLU: a map of zeros would have no gradient and stay zero.
    - He's initialization, instead of Gaussians of 0.05.

Reference:
    Lin, Chen, Yan, "Network in network", arXiv:1312.4400, sections 3 and 4.
"""

from __future__ import annotations

from typing import NamedTuple

from keras import layers

from ..blocks import Tensor, activate, conv, conv_relu, max_pool
from ..paper import Printed


class MLPConv(NamedTuple):
    """An mlpconv layer: a convolution, then a perceptron at each position (Fig. 1b)."""

    conv: str
    kernel_size: int
    filters: int
    perceptron: tuple[tuple[str, int], ...]  # rows and widths of the 1×1 convolutions


# fmt: off
LAYERS = (
    #        row   kernel filters  1×1 convolutions: "cascaded cross channel parametric pooling"
    MLPConv("conv1", 5, 192, (("cccp1", 160), ("cccp2",  96))),  # 32×32×96
    MLPConv("conv2", 5, 192, (("cccp3", 192), ("cccp4", 192))),  # 16×16×192
    MLPConv("conv3", 3, 192, (("cccp5", 192),               )),  # 8×8×192, then the classes
)
# fmt: on


def printed() -> dict[str, Printed]:
    """Return the paper's figures: there are none about its layers."""
    return {}


def nin(
    image: Tensor, num_classes: int | None, classifier_activation: str | None = "softmax"
) -> Tensor:
    """Connect a network in network to an image.

    Args:
        image: `(batch, height, width, channels)`; 32×32×3 in the paper.
        num_classes: Number of classes; None leaves out the last 1×1 convolution, which gives a
            map for each class, and the average pooling.
        classifier_activation: ``"softmax"`` or None for logits.

    Returns:
        Class scores `(batch, num_classes)`, or the maps of cccp5.
    """
    x = image
    for index, layer in enumerate(LAYERS):
        if index == 1:
            x = max_pool(x, 3, 2, name="pool1")
        if index == 2:
            x = layers.AveragePooling2D(3, 2, "same", name="pool2")(x)
        if index:
            x = layers.Dropout(0.5, name=f"pool{index}_dropout")(x)
        x = conv_relu(x, layer.filters, layer.kernel_size, name=layer.conv)
        for row, filters in layer.perceptron:
            x = conv_relu(x, filters, 1, name=row)
    if num_classes is None:
        return x
    x = conv(x, num_classes, 1, name="logits")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return activate(x, classifier_activation)
