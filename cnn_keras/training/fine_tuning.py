"""What a training starts from: pretrained weights, and rows that stay frozen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data.preprocessing import Preprocessing
from ..errors import UsageError, unknown
from ..layer_names import row_of
from ..model_files import layer_weights
from ..trained import table
from .run_folder import Run

if TYPE_CHECKING:
    import keras


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
        network: Row of the zoo that the weights must be of.

    Raises:
        UsageError: The run is of another network, or an ensemble, or there is no such trained
            network.
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
    if run.config["network"] != network:
        raise UsageError(f"The weights in {place} are of {run.config['network']}, not {network}.")
    options: dict[str, Any] = run.config["options"]
    return options


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
