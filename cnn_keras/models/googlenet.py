"""GoogLeNet: 22 layers of Inception modules, row for row as in its Table 1.

Departures from the paper:
    - Strided convolutions have symmetric padding, as in the authors' Caffe release.
    - He's initialization; the paper does not state its own.

Reference:
    Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, section 5. The constants of
    LRN, which the paper does not state, are those of Caffe's `bvlc_googlenet`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple

from keras import layers

from ..blocks import (
    Stem,
    Tensor,
    classifier,
    conv_bn_relu,
    conv_relu,
    fc_relu_dropout,
    local_response_norm,
    max_pool,
    require_size,
)
from ..paper import Figure, Printed, millions
from .inception import Widths, inception


class Row(NamedTuple):
    """A row of Table 1: an Inception module, and what the paper prints about it."""

    row: str
    output: tuple[int, int, int]
    widths: Widths
    params: int  # K = 1024 weights, biases not counted
    ops: int  # M = 10^6 multiply-adds


# fmt: off
TABLE_1 = (
    #          output size            #1×1 3×3r  3×3 5×5r  5×5 pool   params  ops
    Row("3a", (28, 28,  256), Widths(  64,  96, 128,  16,  32,  32),   159,  128),
    Row("3b", (28, 28,  480), Widths( 128, 128, 192,  32,  96,  64),   380,  304),
    Row("4a", (14, 14,  512), Widths( 192,  96, 208,  16,  48,  64),   364,   73),
    Row("4b", (14, 14,  512), Widths( 160, 112, 224,  24,  64,  64),   437,   88),
    Row("4c", (14, 14,  512), Widths( 128, 128, 256,  24,  64,  64),   463,  100),
    Row("4d", (14, 14,  528), Widths( 112, 144, 288,  32,  64,  64),   580,  119),
    Row("4e", (14, 14,  832), Widths( 256, 160, 320,  32, 128, 128),   840,  170),
    Row("5a", ( 7,  7,  832), Widths( 256, 160, 320,  32, 128, 128),  1072,   54),
    Row("5b", ( 7,  7, 1024), Widths( 384, 192, 384,  48, 128, 128),  1388,   71),
)
# fmt: on

# K = 1024 here and in the paper, judging by its rows.
CONTRADICTIONS = {
    "conv1": "7×7×3×64 weights are 9.2K (K = 1024), and 118M multiply-adds at 112×112 positions. "
    "No 7×7 convolution of an image with three channels has 2.7K weights and 34M multiply-adds.",
    "4c": "the widths of this row give 497.5K weights (K = 1024), and at 14×14 positions the "
    "row's 100M multiply-adds; 463K weights do not.",
    "5a": "the widths of this row give 1,018K weights (K = 1024), and 51M multiply-adds at 7×7 "
    "positions.",
}


def _printed(row: str, output: tuple[int, ...], params: float, ops: float) -> Printed:
    # The column leaves out biases. A difference of 1 % counts as rounding here. The contradictions
    # differ by more, and so do 4d and 5b, whose operations fit their widths.
    parameters = Figure(f"{params}K", params * 1024, 0.01 * params * 1024)
    return Printed(output, parameters, millions(ops), contradiction=CONTRADICTIONS.get(row, ""))


PRINTED = {
    "conv1": _printed("conv1", (112, 112, 64), 2.7, 34),
    "pool1": Printed((56, 56, 64)),
    "conv2": _printed("conv2", (56, 56, 192), 112, 360),
    "pool2": Printed((28, 28, 192)),
    **{row.row: _printed(row.row, row.output, row.params, row.ops) for row in TABLE_1},
    "pool3": Printed((14, 14, 480)),
    "pool4": Printed((7, 7, 832)),
    "pool5": Printed((1024,)),
    "logits": _printed("logits", (1000,), 1000, 1),
}


def printed(
    *, normalization: str = "lrn", stem: Stem = "paper", form: str = "paper", **_: Any
) -> dict[str, Printed]:
    """Return the figures of Table 1."""
    return PRINTED if (normalization, stem, form) == ("lrn", "paper", "paper") else {}


def auxiliary_classifier(
    x: Tensor, num_classes: int, activation: str | None, name: str, conv: Callable[..., Tensor]
) -> Tensor:
    """Classify from the middle of the network, to train its first half (section 5)."""
    require_size(x, 5, "An auxiliary classifier", "maps")
    x = layers.AveragePooling2D(5, 3, name=f"{name}_pool")(x)
    x = conv(x, 128, 1, name=f"{name}_conv")
    x = layers.Flatten(name=f"{name}_flatten")(x)
    x = fc_relu_dropout(x, 1024, rate=0.7, name=f"{name}_fc")
    return classifier(x, num_classes, activation, prefix=f"{name}_")


def googlenet(
    image: Tensor,
    num_classes: int | None,
    classifier_activation: str | None = "softmax",
    *,
    normalization: Literal["lrn", "batch_norm", "none"] = "lrn",
    auxiliary: bool = False,
    stem: Stem = "paper",
    form: Literal["paper", "torchvision"] = "paper",
) -> Tensor | list[Tensor]:
    """Connect GoogLeNet to an image.

    Args:
        image: `(batch, height, width, channels)`; 224×224×3 in the paper.
        num_classes: Number of classes; None leaves out the layers after 5b.
        classifier_activation: ``"softmax"`` or None for logits.
        normalization: ``"lrn"`` as in the paper, ``"batch_norm"`` after each convolution instead,
            or ``"none"``.
        auxiliary: Also classify after 4a and 4d, for training with 0.3 of each loss.
        stem: ``"small"`` begins with a 3×3 kernel at stride 1 and without pool1, for images of
            about 32×32.
        form: ``"torchvision"`` has 3×3 kernels in the 5×5 branches and a 2×2 pool4, like its
            published weights.

    Returns:
        Class scores `(batch, num_classes)`, or a list of them and those of the auxiliary
        classifiers, or the maps of 5b.

    Raises:
        UsageError: The maps are smaller than the 5×5 window of auxiliary classifiers.
    """
    convolution = conv_bn_relu if normalization == "batch_norm" else conv_relu
    conv = partial(convolution, padding="symmetric")

    def lrn(x: Tensor, name: str) -> Tensor:
        if normalization != "lrn":
            return x
        return local_response_norm(x, bias=1, alpha=1e-4 / 5, name=name)

    x = conv(image, 64, *(7, 2) if stem == "paper" else (3, 1), name="conv1")
    if stem == "paper":
        x = max_pool(x, 3, 2, name="pool1")
    x = lrn(x, "pool1_lrn")
    x = conv(x, 64, 1, name="conv2_reduce")
    x = conv(x, 192, 3, name="conv2")
    x = lrn(x, "conv2_lrn")
    x = max_pool(x, 3, 2, name="pool2")
    auxiliaries = []
    for row in TABLE_1:
        if row.row == "4a":
            x = max_pool(x, 3, 2, name="pool3")
        if row.row == "5a":
            x = max_pool(x, 3 if form == "paper" else 2, 2, name="pool4")
        x = inception(x, row.widths, name=row.row, conv=conv, kernel5=5 if form == "paper" else 3)
        if auxiliary and num_classes and row.row in ("4a", "4d"):
            auxiliaries.append(
                auxiliary_classifier(x, num_classes, classifier_activation, f"{row.row}_aux", conv)
            )
    if num_classes is None:
        return x
    x = layers.GlobalAveragePooling2D(name="pool5")(x)
    x = layers.Dropout(0.4, name="pool5_dropout")(x)
    scores = classifier(x, num_classes, classifier_activation)
    return [scores, *auxiliaries] if auxiliaries else scores
