"""The residual networks for ImageNet, 18 to 152 layers, and their plain twins.

Departures from the paper: none in the network. Options beyond it: the stride of a bottleneck on its
3×3 convolution ("v1.5", as in torchvision and most other libraries), and the pre-activation form.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385,
    section 4.1. Pre-activation: the same, "Identity mappings in deep residual networks",
    arXiv:1603.05027, section 4.1 and appendix.
"""

from __future__ import annotations

from functools import partial
from typing import Literal, NamedTuple

from keras import layers

from .. import blocks
from ..blocks import Stem, Tensor, classifier, max_pool, relu
from ..paper import Figure, Printed
from .shortcuts import Shortcut, shortcut_to


class Conv(NamedTuple):
    """A line in the brackets of Table 1: kernel size, and filters as a multiple of the stage's."""

    kernel_size: int
    expansion: int


class Column(NamedTuple):
    """A column of Table 1: a building block, and its number in each stage."""

    block: tuple[Conv, ...]
    conv2: int  # 56×56 maps,  64 filters
    conv3: int  # 28×28,      128
    conv4: int  # 14×14,      256
    conv5: int  # 7×7,        512
    flops: float  # multiply-adds


BASIC = (Conv(3, 1), Conv(3, 1))
BOTTLENECK = (Conv(1, 1), Conv(3, 1), Conv(1, 4))

# fmt: off
TABLE_1 = {
    18:  Column(BASIC,      2, 2,  2, 2,  1.8e9),
    34:  Column(BASIC,      3, 4,  6, 3,  3.6e9),
    50:  Column(BOTTLENECK, 3, 4,  6, 3,  3.8e9),
    101: Column(BOTTLENECK, 3, 4, 23, 3,  7.6e9),
    152: Column(BOTTLENECK, 3, 8, 36, 3, 11.3e9),
}
# fmt: on


def printed(
    *,
    depth: int,
    shortcut: Shortcut = "B",
    stride_on: str = "1x1",
    preactivation: bool = False,
    stem: Stem = "paper",
) -> dict[str, Printed]:
    """Return the figures of Table 1: maps at the end of each stage, and all multiply-adds."""
    block, *counts, flops = TABLE_1[depth]
    shortcuts = ("A", "B", "none") if block is BASIC else ("B",)
    if shortcut not in shortcuts or stride_on != "1x1" or preactivation or stem != "paper":
        return {}
    stages = zip(range(2, 6), counts, (56, 28, 14, 7), (64, 128, 256, 512), strict=True)
    return {
        "conv1": Printed((112, 112, 64)),
        **{
            f"conv{stage}_{count}": Printed((side, side, filters * block[-1].expansion))
            for stage, count, side, filters in stages
        },
        "logits": Printed((1000,)),
        "total": Printed(macs=Figure(f"{flops / 1e9:g}×10⁹", flops, 1e8)),
    }


# Padding is symmetric, as in the authors' Caffe release and in torch.
conv = partial(blocks.conv, use_bias=False, padding="symmetric")
conv_bn = partial(blocks.conv_bn, padding="symmetric")
conv_bn_relu = partial(blocks.conv_bn_relu, padding="symmetric")


class Step(NamedTuple):
    """The arguments of `conv` for a convolution of a module."""

    name: str
    filters: int
    kernel_size: int
    strides: int


def residual_module(x: Tensor, steps: list[Step], shortcut: Shortcut, row: str) -> Tensor:
    """Convolve and normalize, add the shortcut, then rectify (Fig. 2 and 5)."""
    *others, last = steps
    y = x
    for step in others:
        y = conv_bn_relu(y, **step._asdict())
    y = conv_bn(y, **last._asdict())
    if shortcut != "none":
        y = layers.Add(name=f"{row}_add")([y, shortcut_to(x, y, shortcut, f"{row}_shortcut")])
    return relu(y, f"{row}_relu")


def preactivated_module(
    x: Tensor, steps: list[Step], shortcut: Shortcut, row: str, *, is_activated: bool
) -> Tensor:
    """Normalize, rectify, convolve; add the shortcut and nothing after it (arXiv:1603.05027).

    The module is that of Fig. 1b. The first module does not activate the output of conv1 again
    (the paper's appendix), and a projection takes the activated maps (the authors' release).

    Args:
        x: Feature map `(batch, height, width, channels)`.
        steps: The convolutions.
        shortcut: The shortcut.
        row: Row that the layers belong to.
        is_activated: Whether `x` is normalized and rectified.
    """
    first, *others = steps
    activated = x if is_activated else norm_relu(x, first.name)
    y = conv(activated, **first._asdict())
    for step in others:
        y = conv(norm_relu(y, step.name), **step._asdict())
    if shortcut != "none":
        is_identity = shortcut == "A" or (shortcut == "B" and x.shape == y.shape)
        source = x if is_identity else activated
        z = shortcut_to(source, y, shortcut, f"{row}_shortcut", project=conv)
        y = layers.Add(name=f"{row}_add")([y, z])
    return y


def norm_relu(x: Tensor, name: str) -> Tensor:
    """Normalize and rectify, before the convolution `name`."""
    return relu(blocks.batch_norm(x, f"{name}_bn"), f"{name}_relu")


def resnet(
    image: Tensor,
    num_classes: int | None,
    classifier_activation: str | None = "softmax",
    *,
    depth: Literal[18, 34, 50, 101, 152],
    shortcut: Shortcut = "B",
    stride_on: Literal["1x1", "3x3"] = "1x1",
    preactivation: bool = False,
    stem: Stem = "paper",
) -> Tensor:
    """Connect a residual network to an image.

    Args:
        image: `(batch, height, width, channels)`; 224×224×3 in the paper.
        num_classes: Number of classes; None leaves out pooling and classifier.
        classifier_activation: ``"softmax"`` or None for logits.
        depth: Column of Table 1.
        shortcut: ``"A"`` zero-padded identity, ``"B"`` projection where the shape changes, ``"C"``
            projection everywhere, ``"none"`` for the plain twin.
        stride_on: The convolution of a bottleneck that has the stride: ``"1x1"`` as in the paper
            and in `keras.applications`, or ``"3x3"``.
        preactivation: Normalize and rectify before each convolution instead of after it.
        stem: ``"small"`` begins with a 3×3 convolution at stride 1 and without pooling, for images
            of about 32×32.

    Returns:
        Class scores `(batch, num_classes)`, or the last module's maps.
    """
    block, *counts, _ = TABLE_1[depth]
    strided = 1 if block is BOTTLENECK and stride_on == "3x3" else 0  # index in the block

    x = conv_bn_relu(image, 64, *(7, 2) if stem == "paper" else (3, 1), name="conv1")
    if stem == "paper":
        x = max_pool(x, 3, 2, padding="symmetric", name="pool1")
    is_activated = True  # conv1 ends with a ReLU
    for stage, (count, filters) in enumerate(zip(counts, (64, 128, 256, 512), strict=True), 2):
        for index in range(1, count + 1):
            row = f"conv{stage}_{index}"
            strides = [1] * len(block)
            if stage > 2 and index == 1:
                strides[strided] = 2
            steps = [
                Step(f"{row}_{letter}", filters * layer.expansion, layer.kernel_size, step)
                for letter, layer, step in zip("abc", block, strides, strict=False)
            ]
            if preactivation:
                x = preactivated_module(x, steps, shortcut, row, is_activated=is_activated)
                is_activated = False
            else:
                x = residual_module(x, steps, shortcut, row)
    if preactivation:
        x = norm_relu(x, "conv5")
    if num_classes is None:
        return x
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(x, num_classes, classifier_activation)
