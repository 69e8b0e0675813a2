"""The residual networks for ImageNet, 18 to 152 layers, and their plain twins.

Departures from the paper: none in the network. Options beyond it: the stride of a bottleneck on its
3×3 convolution ("v1.5", as torchvision and most others have it), and the pre-activation form.

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
from ..blocks import Shortcut, Stem, Tensor, classifier, max_pool, relu, shortcut_to
from ..paper import Figure, Printed


class Conv(NamedTuple):
    """A line in the brackets of Table 1: windows, and filters as a multiple of the stage's."""

    kernel_size: int
    expansion: int


class Column(NamedTuple):
    """A column of Table 1: a building block, and how often it stands in each stage."""

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
    """Return the figures of Table 1: maps at the end of each stage, multiply-adds of them all."""
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


# Padding on all sides alike, as in the authors' Caffe release and in torch.
conv = partial(blocks.conv, use_bias=False, padding="symmetric")
conv_bn = partial(blocks.conv_bn, padding="symmetric")
conv_bn_relu = partial(blocks.conv_bn_relu, padding="symmetric")


class Step(NamedTuple):
    """One convolution of a module, ready to be connected."""

    name: str
    filters: int
    kernel_size: int
    strides: int


def residual_module(x: Tensor, steps: list[Step], shortcut: Shortcut, row: str) -> Tensor:
    """Convolve and normalize, with the way around it, then rectify (Fig. 2 and 5)."""
    y = x
    for name, *shape in steps[:-1]:
        y = conv_bn_relu(y, *shape, name=name)
    name, *shape = steps[-1]
    y = conv_bn(y, *shape, name=name)
    if shortcut != "none":
        around = shortcut_to(x, y, shortcut, f"{row}_shortcut")
        y = layers.Add(name=f"{row}_add")([y, around])
    return relu(y, f"{row}_relu")


def preactivated_module(
    x: Tensor, steps: list[Step], shortcut: Shortcut, row: str, *, is_activated: bool
) -> Tensor:
    """Normalize, rectify, convolve; the way around it stays clear (arXiv:1603.05027, Fig. 1b).

    As in the paper's appendix the first module takes conv1 as it is, activated before the split;
    a projection, as in the authors' release, takes the activated maps.
    """
    (name, *shape), *others = steps
    activated = x if is_activated else norm_relu(x, name)
    y = conv(activated, *shape, name=name)
    for name, *shape in others:
        y = conv(norm_relu(y, name), *shape, name=name)
    if shortcut != "none":
        identity = shortcut == "A" or (shortcut == "B" and x.shape == y.shape)
        source, name = x if identity else activated, f"{row}_shortcut"
        around = shortcut_to(source, y, shortcut, name, project=conv)
        y = layers.Add(name=f"{row}_add")([y, around])
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
    strided = 1 if block is BOTTLENECK and stride_on == "3x3" else 0

    x = conv_bn_relu(image, 64, *(7, 2) if stem == "paper" else (3, 1), name="conv1")
    if stem == "paper":
        x = max_pool(x, 3, 2, padding="symmetric", name="pool1")
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
                is_first = (stage, index) == (2, 1)
                x = preactivated_module(x, steps, shortcut, row, is_activated=is_first)
            else:
                x = residual_module(x, steps, shortcut, row)
    if preactivation:
        x = norm_relu(x, "conv5")
    if num_classes is None:
        return x
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(x, num_classes, classifier_activation)
