"""The residual networks for 32×32 images, and their plain twins, of 6n + 2 layers.

Departures from the paper: none in the network. The last layer is a softmax or, on request, logits.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385,
    section 4.2.
"""

from __future__ import annotations

from typing import NamedTuple

from keras import layers

from ..blocks import (
    Printed,
    Shortcut,
    Tensor,
    classifier,
    conv_bn,
    conv_bn_relu,
    millions,
    relu,
    shortcut_to,
)
from ..errors import UsageError


class Stage(NamedTuple):
    """A column of the paper's table: 2n layers at one output map size."""

    row: str
    output_map_size: int
    filters: int


# fmt: off
SECTION_4_2 = (
    #     row      output map size  # filters
    Stage("conv2",              32,        16),  # 1 + 2n layers, with conv1
    Stage("conv3",              16,        32),  # 2n
    Stage("conv4",               8,        64),  # 2n
)
# fmt: on


# Table 6: parameters by number of layers.
TABLE_6 = {
    20: millions(0.27, 0.01),
    32: millions(0.46, 0.01),
    44: millions(0.66, 0.01),
    56: millions(0.85, 0.01),
    110: millions(1.7, 0.1),
    1202: millions(19.4, 0.1),
}


def printed(*, depth: int, shortcut: Shortcut = "A") -> dict[str, Printed]:
    """Return the paper's figures: maps at the end of each stage, and Table 6."""
    if shortcut not in ("A", "none"):
        return {}
    maps = {
        f"{stage.row}_{(depth - 2) // 6}": Printed(
            (stage.output_map_size, stage.output_map_size, stage.filters)
        )
        for stage in SECTION_4_2
    }
    total = Printed(parameters=TABLE_6.get(depth) if shortcut == "A" else None)
    return {"conv1": Printed((32, 32, 16)), **maps, "logits": Printed((10,)), "total": total}


def module(x: Tensor, filters: int, strides: int, shortcut: Shortcut, row: str) -> Tensor:
    """Two 3×3 convolutions and, in a residual network, the way around them (Fig. 2)."""
    y = conv_bn_relu(x, filters, 3, strides, name=f"{row}_a")
    y = conv_bn(y, filters, 3, name=f"{row}_b")
    if shortcut != "none":
        y = layers.Add(name=f"{row}_add")([y, shortcut_to(x, y, shortcut, f"{row}_shortcut")])
    return relu(y, f"{row}_relu")


def cifar_resnet(
    image: Tensor,
    num_classes: int | None,
    classifier_activation: str | None = "softmax",
    *,
    depth: int,
    shortcut: Shortcut = "A",
) -> Tensor:
    """Connect a network of `depth` = 6n + 2 layers to an image.

    Args:
        image: `(batch, height, width, channels)`; 32×32×3 in the paper.
        num_classes: Number of classes; None leaves out pooling and classifier.
        classifier_activation: ``"softmax"`` or None for logits.
        depth: Number of weighted layers, 6n + 2.
        shortcut: ``"A"`` zero-padded identity, ``"B"`` projection where the shape changes, ``"C"``
            projection everywhere, ``"none"`` for the plain twin.

    Returns:
        Class scores `(batch, num_classes)`, or the last module's maps.

    Raises:
        UsageError: `depth` is not 6n + 2.
    """
    n, rest = divmod(depth - 2, 6)
    if n < 1 or rest:
        raise UsageError(f"A depth of 6n + 2 is expected (8, 14, 20, ...), not {depth}.")

    x = conv_bn_relu(image, SECTION_4_2[0].filters, 3, name="conv1")
    for stage in SECTION_4_2:
        for i in range(1, n + 1):
            strides = 2 if i == 1 and stage is not SECTION_4_2[0] else 1
            x = module(x, stage.filters, strides, shortcut, f"{stage.row}_{i}")
    if num_classes is None:
        return x
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(x, num_classes, classifier_activation)
