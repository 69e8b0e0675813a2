"""LeNet-5, a network for handwritten characters.

It has two forms. `"taught"` is the one of lectures, with full connections in C3, average pooling
and a trained output layer, 61,706 parameters at 32×32×1. `"1998"` is the one of the paper, with the
partial connections of Table I, trainable subsampling, scaled tanh and fixed output codes, 60,000
trainable parameters.

Departures of the 1998 form from the paper:
    - The output units compare with random ±1 codes, which the paper names as an alternative,
      instead of hand-drawn 7×12 bitmaps. So there are codes for any number of classes.
    - Their Euclidean distances, divided by √84, go through a softmax. `-|x - w|²` and `2 x·w` give
      the same probabilities there, because `|x|²` and `|w|² = 84` are the same for every class. The
      division scales the gradient to the taught form's learning rate. Without it the units
      saturate in the first epoch and the network does not learn.
    - C5 is a dense layer, which equals the paper's 5×5 convolution on its 5×5 map.

Reference:
    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998, section II-B.
"""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import layers, ops

from ..blocks import Tensor, activate, classifier, require_size
from ..paper import Printed, exactly

# Table I: maps of S2 (rows) that each of the sixteen maps of C3 (columns) is connected to.
# fmt: off
TABLE_I = (
    #0 1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
    "X . . . X X X . . X X X X . X X",
    "X X . . . X X X . . X X X X . X",
    "X X X . . . X X X . . X . X X X",
    ". X X X . . X X X X . . X . X X",
    ". . X X X . . X X X X . X X . X",
    ". . . X X X . . X X X X . X X X",
)
# fmt: on

# Section II-B, layer by layer, and the paper's sum.
SECTION_II_B = {
    "c1": Printed((28, 28, 6), exactly(156), connections=exactly(122_304)),
    "s2": Printed((14, 14, 6), exactly(12), connections=exactly(5_880)),
    "c3": Printed((10, 10, 16), exactly(1_516), connections=exactly(151_600)),
    "s4": Printed((5, 5, 16), exactly(32), connections=exactly(2_000)),
    "c5": Printed((120,), exactly(48_120), connections=exactly(48_120)),
    "f6": Printed((84,), exactly(10_164)),
    "total": Printed(parameters=exactly(60_000), connections=exactly(340_908)),
}

Form = Literal["taught", "1998"]


def printed(*, form: Form = "taught", **_: Any) -> dict[str, Printed]:
    """Return the paper's figures."""
    return SECTION_II_B if form == "1998" else {}


@keras.saving.register_keras_serializable("cnn_keras")
class PartialConv2D(layers.Layer):
    """Convolution in which each output map is connected to some of the input maps.

    The kernel holds one `kernel_size²` patch for each connection. A constant scatters the patches
    into a dense kernel, which conversion folds into an ordinary convolution.

    Input `(batch, height, width, 6)`, output `(batch, height - 4, width - 4, 16)` for Table I and a
    5×5 kernel.

    Args:
        table: A string for each input map, with an `X` for each output map connected to it.
        kernel_size: Side of the square kernel.
    """

    def __init__(self, table: tuple[str, ...], kernel_size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = tuple(table)
        self.kernel_size = kernel_size

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the weights: a patch for each connection, a bias for each output map."""
        connected = np.array([[cell == "X" for cell in row.split()] for row in self.table])
        self._shape = connected.shape
        fan_in = connected.sum(axis=0).mean() * self.kernel_size**2
        self.kernel = self.add_weight(
            shape=(self.kernel_size, self.kernel_size, int(connected.sum())),
            initializer=keras.initializers.RandomUniform(-(bound := (3 / fan_in) ** 0.5), bound),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(connected.shape[1],), initializer="zeros", name="bias")
        self._scatter = np.eye(connected.size, dtype="float32")[connected.ravel()]

    def call(self, x: Tensor) -> Tensor:
        """Convolve."""
        side = self.kernel_size
        scatter = ops.cast(self._scatter, self.compute_dtype)
        kernel = ops.reshape(ops.matmul(self.kernel, scatter), (side, side, *self._shape))
        return ops.conv(x, kernel, padding="valid", data_format="channels_last") + self.bias

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the output maps."""
        batch, height, width, _ = input_shape
        smaller = [size and size - self.kernel_size + 1 for size in (height, width)]
        return (batch, *smaller, len(self.table[0].split()))

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        return super().get_config() | {"table": self.table, "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable("cnn_keras")
def plus_minus_codes(shape: tuple[int, ...], dtype: str | None = None) -> Any:
    """Return a random ±1 code for each class, scaled: `2 w / √84` in the module's `2 x·w`."""
    codes = np.random.default_rng(1998).choice([-1.0, 1.0], shape)
    return ops.convert_to_tensor(2 * codes / shape[0] ** 0.5, dtype)


@keras.saving.register_keras_serializable("cnn_keras")
def scaled_tanh(x: Tensor) -> Tensor:
    """Apply `f(a) = 1.7159 tanh(2/3 a)`, so that f(±1) = ±1 (appendix A)."""
    return 1.7159 * ops.tanh(x * (2 / 3))


def lenet5(
    image: Tensor,
    num_classes: int | None,
    classifier_activation: str | None = "softmax",
    *,
    form: Form = "taught",
    activation: Literal["tanh", "sigmoid"] = "tanh",
) -> Tensor:
    """Connect LeNet-5 to an image.

    Args:
        image: `(batch, height, width, channels)`, 16×16 or more; 32×32×1 in the paper.
        num_classes: Number of classes; None leaves out the layers after S4.
        classifier_activation: ``"softmax"`` or None for logits.
        form: ``"taught"`` or ``"1998"``.
        activation: Activation of the taught form; the 1998 form always has the scaled tanh.

    Returns:
        Class scores `(batch, num_classes)`, or the maps of S4.

    Raises:
        UsageError: The image is too small for C5.
    """
    require_size(image, 16, "LeNet-5")
    is_original = form == "1998"

    def squash(x: Tensor, row: str) -> Tensor:
        function = scaled_tanh if is_original else activation
        return layers.Activation(function, name=f"{row}_activation")(x)

    def subsample(x: Tensor, row: str) -> Tensor:
        x = layers.AveragePooling2D(2, name=row)(x)
        if is_original:  # section II-B: a trainable coefficient and bias for each map
            x = squash(layers.DepthwiseConv2D(1, name=f"{row}_coefficient")(x), row)
        return x

    x = squash(layers.Conv2D(6, 5, name="c1")(image), "c1")
    x = subsample(x, "s2")
    c3 = PartialConv2D(TABLE_I, 5, name="c3") if is_original else layers.Conv2D(16, 5, name="c3")
    x = squash(c3(x), "c3")
    x = subsample(x, "s4")
    if num_classes is None:
        return x
    x = layers.Flatten(name="flatten")(x)
    x = squash(layers.Dense(120, name="c5")(x), "c5")
    x = squash(layers.Dense(84, name="f6")(x), "f6")
    if not is_original:
        return classifier(x, num_classes, classifier_activation)
    codes = layers.Dense(
        num_classes,
        use_bias=False,
        kernel_initializer=plus_minus_codes,
        trainable=False,
        name="logits",
    )
    return activate(codes(x), classifier_activation)
