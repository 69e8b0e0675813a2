"""What a training starts from: pretrained weights, and rows that stay frozen.

A residual network also starts from the weights of a shallower one. The modules that only it has
begin as identities, so that both compute the same before the first step.

Reference:
    Chen, Goodfellow, Shlens, "Net2Net", arXiv:1511.05641: deeper networks by layers that begin as
    identities. Goyal et al., arXiv:1706.02677, section 5.1: residual modules that begin as
    identities, by normalizations with a scale of zero.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import zoo
from ..data.preprocessing import Preprocessing
from ..errors import UsageError, unknown
from ..layer_names import row_of
from ..model_files import layer_weights
from ..trained import table
from .run_folder import Run

if TYPE_CHECKING:
    import keras
    from numpy.typing import NDArray


class Pretrained(NamedTuple):
    """Weights to start from, and what is known about the network they are from.

    Attributes:
        path: The file, or the name of a trained network.
        weights: The arrays of each layer, by its name.
        shape: Height, width and channels of the network's input.
        preprocessing: Preprocessing of the network's input.
        classes: Class names, in the order of the network's outputs.
    """

    path: Path
    weights: layer_weights.Weights
    shape: tuple[int, int, int] | None
    preprocessing: Preprocessing | None
    classes: tuple[str, ...] | None

    @classmethod
    def open(cls, path: Path) -> Pretrained:
        """Read a run folder, or a `.keras` or `.weights.h5` file and the run folder it is in.

        Args:
            path: The folder or file, or the name NETWORK:DATA of a trained network.

        Raises:
            UsageError: There is no such trained network.
            Error: The file does not exist, or has no weights of named layers.
        """
        if table.is_name(path):
            trained = table.find(str(path))
            weights, run = trained.weights(), Run(trained.folder)
        else:
            path = path / "model.keras" if path.is_dir() else path
            weights, run = layer_weights.read_weights(path), Run(path.parent)
        if not run.has_description:
            return cls(path, weights, layer_weights.input_shape(path), None, None)
        found = run.preprocessing
        return cls(path, weights, found.shape, found, run.classes)


def pretrained_options(path: Path, network: str) -> dict[str, Any]:
    """Return the options of the network whose weights are given, if they are in a run folder.

    Args:
        path: Run folder, a file, or the name of a trained network.
        network: Row of the zoo that the weights are for.

    Raises:
        UsageError: The run is of another network, which is not a shallower form of this one, or
            an ensemble, or there is no such trained network.
    """
    if table.is_name(path):
        place, run = path, Run(table.find(str(path)).folder)
    else:
        place = path if path.is_dir() else path.parent
        run = Run(place)
    if not run.has_description:
        return {}
    if run.is_ensemble:
        members = ", ".join(run.config["members"])
        raise UsageError(
            f"{run.path} is an ensemble; a training starts from one of its members: {members}."
        )
    theirs, options = run.config["network"], run.config["options"]
    if theirs == network:
        return dict(options)
    if not _is_deeper(network, theirs):
        raise UsageError(f"The weights in {place} are of {theirs}, not {network}.")
    return {name: value for name, value in options.items() if name != "depth"}


def _is_deeper(network: str, other: str) -> bool:
    """Return whether a network differs from another one only by more layers."""
    row, shallower = zoo.network(network), zoo.network(other)
    return (
        row.builder == shallower.builder
        and row.depth > shallower.depth
        and {**row.options, "depth": row.depth} == {**shallower.options, "depth": row.depth}
    )


def identity_modules(model: keras.Model, weights: layer_weights.Weights) -> layer_weights.Weights:
    """Return weights by which the residual modules that a shallower network lacks are identities.

    The last layer of each, a convolution or its normalization, is zero; a ReLU after the module
    changes nothing, because another one was before it. The other layers keep their initial weights.

    Args:
        model: A network of the zoo.
        weights: Those of a shallower one, by layer name.

    Returns:
        Weights of all layers of these modules, by layer name; none if no module is missing.

    Example:
        >>> import cnn_keras
        >>> shallow = cnn_keras.build("resnet20")
        >>> deep = cnn_keras.build("resnet32")
        >>> weights = {layer.name: layer.get_weights() for layer in shallow.layers}
        >>> [name for name in identity_modules(deep, weights) if name.startswith("conv2")]
        ['conv2_4_a', 'conv2_4_a_bn', 'conv2_4_b', 'conv2_4_b_bn', 'conv2_5_a', 'conv2_5_a_bn', \
'conv2_5_b', 'conv2_5_b_bn']
    """
    known = {row_of(name) for name, arrays in weights.items() if arrays}
    modules: dict[str, list[keras.Layer]] = {}
    for layer in layer_weights.main_network(model).layers:
        if row_of(layer.name) not in known:
            modules.setdefault(row_of(layer.name), []).append(layer)
    found: dict[str, list[NDArray[Any]]] = {}
    for row, layers in modules.items():
        if not _has_identity_shortcut(row, layers):
            continue
        weighted = [layer for layer in layers if layer.weights]
        found |= {layer.name: layer.get_weights() for layer in weighted}
        scale, *others = found[weighted[-1].name]  # a normalization's, or a convolution's kernel
        found[weighted[-1].name] = [0 * scale, *others]
    return found


def _has_identity_shortcut(row: str, layers: list[keras.Layer]) -> bool:
    """Return whether the layers of a row, sorted by depth, add its input to their result."""
    sums = [layer for layer in layers if layer.name == f"{row}_add"]
    return bool(sums) and any(tensor is layers[0].input for tensor in sums[0].input)


def freeze_until(model: keras.Model, row: str) -> None:
    """Freeze the rows of a network from the first up to the given one.

    Their batch normalization uses its moving statistics, as at inference. Auxiliary classifiers
    are trained all the same. Compile the model after this.

    Args:
        model: A network of the zoo.
        row: Row of the paper, as `summary` names it.

    Raises:
        UsageError: The network has no such row, or nothing to train after it.

    Example:
        >>> import cnn_keras
        >>> model = cnn_keras.build("resnet20", num_classes=3)
        >>> freeze_until(model, "conv4_3")
        >>> [variable.path for variable in model.trainable_variables]
        ['logits/kernel', 'logits/bias']
    """
    layers = layer_weights.main_network(model).layers[1:]  # without the input; sorted by depth
    rows = [row_of(layer.name) for layer in layers]
    if row not in rows:
        raise unknown(f"row of {model.name}", row, dict.fromkeys(rows))
    end = len(rows) - rows[::-1].index(row)
    if not any(layer.trainable_weights for layer in layers[end:]):
        raise UsageError(f"Nothing is left to train after row '{row}': name an earlier one.")
    for layer in layers[:end]:
        layer.trainable = False
