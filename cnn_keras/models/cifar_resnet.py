"""The residual networks of 6n + 2 layers for 32×32 images, and their plain twins.

Departures from the paper: none in the network. The last layer is a softmax or gives logits.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385,
    section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product
from typing import Any, NamedTuple

import keras
from keras import layers, ops

from ..blocks import Tensor, classifier, conv_bn, conv_bn_relu, relu
from ..errors import UsageError
from ..paper import Printed, millions
from .shortcuts import Shortcut, shortcut_to


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


def printed(*, depth: int, shortcut: Shortcut = "A", branches: int = 0) -> dict[str, Printed]:
    """Return the paper's figures: maps at the end of each stage, and Table 6.

    `branches` does not change them.
    """
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


# Saved models contain the name of the class, and the arguments of each call, such as `place`.
@keras.saving.register_keras_serializable("cnn_keras")
class DrawnBranches(layers.Layer):
    """Train the branches of a few random modules in each step.

    The layer is called once for each module, in order, with the output of its branch. In training
    it returns the output of a selected branch and zeros for the others. In inference it scales
    every output by the share of steps in which a branch is selected.

    Args:
        modules: Number of modules.
        branches: Number of branches that are selected in a step.

    Reference:
        Veit, Wilber, Belongie, arXiv:1605.06431, train so with the effective paths alone. Huang et
        al., "Deep networks with stochastic depth", arXiv:1603.09382, select each module by itself.
    """

    def __init__(self, modules: int, branches: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.modules, self.branches = modules, branches
        self.seed_generator = keras.random.SeedGenerator()

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the variable that holds the selection of a step."""
        self.passing = self.add_weight(
            (self.modules,), "zeros", trainable=False, name="passing", dtype="float32"
        )

    def call(self, y: Tensor, place: int, training: bool = False) -> Tensor:
        """Return what is added to the shortcut of the module at the index `place`."""
        if not training:
            return y * (self.branches / self.modules)
        if place == 0:
            draws = keras.random.uniform((self.modules,), seed=self.seed_generator)
            ranks = ops.argsort(ops.argsort(draws))
            self.passing.assign(ops.cast(ranks < self.branches, "float32"))
        return y * ops.cast(self.passing[place], y.dtype)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        own = {"modules": self.modules, "branches": self.branches}
        return super().get_config() | own


def residual_module(
    x: Tensor,
    filters: int,
    strides: int,
    shortcut: Shortcut,
    row: str,
    select: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """Two 3×3 convolutions and, in a residual network, the shortcut (Fig. 2)."""
    y = conv_bn_relu(x, filters, 3, strides, name=f"{row}_a")
    y = conv_bn(y, filters, 3, name=f"{row}_b")
    if select is not None:
        y = select(y)
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
    branches: int = 0,
) -> Tensor:
    """Connect a network of `depth` = 6n + 2 layers to an image.

    Args:
        image: `(batch, height, width, channels)`; 32×32×3 in the paper.
        num_classes: Number of classes; None leaves out pooling and classifier.
        classifier_activation: ``"softmax"`` or None for logits.
        depth: Number of weighted layers, 6n + 2.
        shortcut: ``"A"`` zero-padded identity, ``"B"`` projection where the shape changes, ``"C"``
            projection everywhere, ``"none"`` for the plain twin.
        branches: Number of branches that each step trains, see `DrawnBranches`; 0 for all.

    Returns:
        Class scores `(batch, num_classes)`, or the last module's maps.

    Raises:
        UsageError: `depth` is not 6n + 2, or `branches` exceeds the number of shortcuts.
    """
    n, rest = divmod(depth - 2, 6)
    if n < 1 or rest:
        raise UsageError(f"A depth of 6n + 2 is expected (8, 14, 20, ...), not {depth}.")

    num_shortcuts = 0 if shortcut == "none" else 3 * n
    if branches > num_shortcuts:
        raise UsageError(
            f"A step cannot train {branches} branches: this network has {num_shortcuts} with a "
            "shortcut."
        )

    random_branches: Any = DrawnBranches(3 * n, branches, name="branches") if branches else None
    x = conv_bn_relu(image, SECTION_4_2[0].filters, 3, name="conv1")
    for index, (stage, i) in enumerate(product(SECTION_4_2, range(1, n + 1))):
        strides = 2 if i == 1 and stage is not SECTION_4_2[0] else 1
        select = partial(random_branches, place=index) if branches else None
        x = residual_module(x, stage.filters, strides, shortcut, f"{stage.row}_{i}", select)
    if num_classes is None:
        return x
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return classifier(x, num_classes, classifier_activation)
