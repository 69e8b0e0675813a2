"""Every network, one row each; `build` makes the model of a row.

A new network is a file in `models/` and a row here: commands, tests and documents pick it up.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import UsageError, unknown

if TYPE_CHECKING:
    import keras

LENET = "LeCun et al. 1998, section II-B"
RESNET = "He et al. arXiv:1512.03385, section 4.2"


class Network(NamedTuple):
    """A row of the zoo: how a network is built and what is known about it."""

    builder: str  # "file:function" under models/
    options: Mapping[str, Any]
    input_shape: tuple[int, int, int]
    num_classes: int
    depth: int  # layers with weights, as the paper counts them
    parameters: int  # trainable, at this input shape and class count
    recipe: str  # row of recipes.RECIPES
    paper: str
    min_image_size: int = 1  # smaller pictures are enlarged to this before training


def _cifar(depth: int, parameters: int, shortcut: str, recipe: str = "cifar_resnet") -> Network:
    options = {"depth": depth, "shortcut": shortcut}
    return Network(
        "cifar_resnet:cifar_resnet", options, (32, 32, 3), 10, depth, parameters, recipe, RESNET
    )


# fmt: off
ZOO: dict[str, Network] = {
    "lenet5": Network("lenet:lenet5", {}, (32, 32, 1), 10, 5, 61_706, "lenet5", LENET, 32),
    "plain20": _cifar(20, 269_722, "none"),
    "plain32": _cifar(32, 464_154, "none"),
    "plain44": _cifar(44, 658_586, "none"),
    "plain56": _cifar(56, 853_018, "none"),
    "resnet20": _cifar(20, 269_722, "A"),
    "resnet32": _cifar(32, 464_154, "A"),
    "resnet44": _cifar(44, 658_586, "A"),
    "resnet56": _cifar(56, 853_018, "A"),
    "resnet110": _cifar(110, 1_727_962, "A", "cifar_resnet110"),
}
# fmt: on


def network(name: str) -> Network:
    """Return the row of a network.

    Raises:
        UsageError: There is no such row.
    """
    if name not in ZOO:
        raise unknown("network", name, ZOO)
    return ZOO[name]


def import_builder(row: Network) -> Any:
    """Import a row's builder, and with it the layers its saved models need."""
    file, function = row.builder.split(":")
    return getattr(importlib.import_module(f".models.{file}", __package__), function)


def build(
    name: str,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    *,
    classifier_activation: str | None = "softmax",
    weights: str | Path | None = None,
    **options: Any,
) -> keras.Model:
    """Build a network as an ordinary functional `keras.Model`.

    Args:
        name: Row of `ZOO`.
        input_shape: `(height, width, channels)`; the paper's by default.
        num_classes: The paper's by default.
        classifier_activation: ``"softmax"`` for probabilities, None for logits.
        weights: None for random ones, or a ``.weights.h5`` or ``.keras`` file of this network.
        **options: The family's own choices, for example ``shortcut="B"`` or ``form="1998"``.

    Returns:
        A model from `(batch, height, width, channels)` to `(batch, num_classes)`.

    Raises:
        UsageError: An unknown network or option, or a shape that the network cannot take.

    Example:
        >>> build("resnet20", input_shape=(28, 28, 1), num_classes=10).count_params()
        270858
    """
    row = network(name)
    builder = import_builder(row)
    import inspect

    import keras

    shape = tuple(input_shape or row.input_shape)
    if len(shape) != 3 or any(not isinstance(side, int) or side < 1 for side in shape):
        raise UsageError(f"An input shape is (height, width, channels), not {input_shape}.")
    classes = row.num_classes if num_classes is None else num_classes
    if classes < 1:
        raise UsageError(f"A network needs one class or more, not {classes}.")
    known = [
        p.name for p in inspect.signature(builder).parameters.values() if p.kind is p.KEYWORD_ONLY
    ]
    for option in options:
        if option not in known:
            raise unknown(f"option of {name}", option, known)
    image = keras.Input(shape, name="image")
    scores = builder(image, classes, classifier_activation, **{**row.options, **options})
    model = keras.Model(image, scores, name=name)
    if weights is not None:
        model.load_weights(weights)
    return model
