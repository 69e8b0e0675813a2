"""AlexNet, the network of eight layers that won ImageNet in 2012, and its later one-tower form.

Departures from the paper:
    - The input is 227×227. The paper prints 224, with which 11×11 kernels at stride 4 do not give
      its 55×55 maps.
    - He's initialization and zero biases, instead of Gaussians of 0.01 and biases of one.

Reference:
    Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
    networks", NIPS 2012, section 3 and figure 2. The one-tower form: Krizhevsky, "One weird trick
    for parallelizing convolutional neural networks", arXiv:1404.5997, as torchvision has it.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from keras import layers

from ..blocks import (
    Stem,
    Tensor,
    classifier,
    conv_relu,
    fc_relu_dropout,
    local_response_norm,
    max_pool,
    require_size,
)
from ..paper import Figure, Printed, exactly, millions


class Conv(NamedTuple):
    """A convolution, and what follows it (section 3.5)."""

    row: str
    filters: int
    kernel_size: int
    strides: int = 1
    groups: int = 1  # two where the paper splits the channels between two GPUs
    lrn: bool = False
    pool: str = ""


# fmt: off
FIGURE_2 = (
    #     row     filters kernel strides groups  LRN     pool
    Conv("conv1",      96,    11,      4,     1, True,  "pool1"),  # 55×55×96
    Conv("conv2",     256,     5,      1,     2, True,  "pool2"),  # 27×27×256
    Conv("conv3",     384,     3,      1,     1, False),           # 13×13×384
    Conv("conv4",     384,     3,      1,     2, False),           # 13×13×384
    Conv("conv5",     256,     3,      1,     2, False, "pool5"),  # 13×13×256
)
ONE_TOWER = (
    Conv("conv1",      64,    11,      4, pool="pool1"),           # 55×55×64
    Conv("conv2",     192,     5,         pool="pool2"),           # 27×27×192
    Conv("conv3",     384,     3),                                 # 13×13×384
    Conv("conv4",     256,     3),                                 # 13×13×256
    Conv("conv5",     256,     3,         pool="pool5"),           # 13×13×256
)
# fmt: on

# The caption of figure 2, and its maps, one half of which is drawn on each GPU.
PRINTED = {
    "conv1": Printed(
        (55, 55, 96),
        neurons=exactly(253_440),
        contradiction="55×55 maps of 96 filters are 290,400 neurons; 253,440 are 55×48×96. Only "
        "with 290,400 do the rows add up to the 650,000 of the abstract.",
    ),
    "conv2": Printed((27, 27, 256), neurons=exactly(186_624)),
    "conv3": Printed((13, 13, 384), neurons=exactly(64_896)),
    "conv4": Printed((13, 13, 384), neurons=exactly(64_896)),
    "conv5": Printed((13, 13, 256), neurons=exactly(43_264)),
    "fc6": Printed((4096,), neurons=exactly(4096)),
    "fc7": Printed((4096,), neurons=exactly(4096)),
    "logits": Printed((1000,), neurons=exactly(1000)),
    # The abstract: "60 million parameters and 650,000 neurons", rounded down.
    "total": Printed(parameters=millions(60), neurons=Figure("650,000", 650_000, 10_000)),
}


def printed(*, form: str = "2012", stem: Stem = "paper", **_: Any) -> dict[str, Printed]:
    """Return the paper's figures."""
    return PRINTED if (form, stem) == ("2012", "paper") else {}


def alexnet(
    image: Tensor,
    num_classes: int | None,
    classifier_activation: str | None = "softmax",
    *,
    form: Literal["2012", "2014"] = "2012",
    lrn: bool = True,
    stem: Stem = "paper",
) -> Tensor:
    """Connect AlexNet to an image.

    Args:
        image: `(batch, height, width, channels)`; 227×227×3 for the paper's maps, 67×67 or more.
        num_classes: Number of classes; None leaves out the layers after pool5.
        classifier_activation: ``"softmax"`` or None for logits.
        form: ``"2012"`` for the paper's two groups, or ``"2014"`` for one tower without groups and
            LRN, on 224×224 images padded by two.
        lrn: Whether the form of 2012 has local response normalization.
        stem: ``"small"`` begins with 3×3 kernels at stride 1, for images of 15×15 or more.

    Returns:
        Class scores `(batch, num_classes)`, or the maps of pool5.

    Raises:
        UsageError: The image is too small for the poolings.
    """
    require_size(image, {"paper": 67, "small": 15}[stem], "AlexNet")
    x = image
    if form == "2014" and stem == "paper":
        x = layers.ZeroPadding2D(2, name="conv1_pad")(x)
    for row in FIGURE_2 if form == "2012" else ONE_TOWER:
        size, strides = row.kernel_size, row.strides
        if stem == "small" and strides > 1:
            size, strides = 3, 1
        padding = "valid" if strides > 1 else "same"
        x = conv_relu(
            x, row.filters, size, strides, groups=row.groups, padding=padding, name=row.row
        )
        if row.lrn and lrn:  # k = 2, n = 5, alpha = 1e-4, beta = 0.75 (section 3.3)
            x = local_response_norm(x, bias=2, alpha=1e-4, name=f"{row.row}_lrn")
        if row.pool:  # overlapping windows of 3 at stride 2 (section 3.4)
            x = max_pool(x, 3, 2, padding="valid", name=row.pool)
    if num_classes is None:
        return x
    x = layers.Flatten(name="flatten")(x)
    x = fc_relu_dropout(x, 4096, name="fc6")
    x = fc_relu_dropout(x, 4096, name="fc7")
    return classifier(x, num_classes, classifier_activation)
