"""Weights that a training starts from, and what the run that they come from says about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from ..data.preprocessing import Preprocessing
from ..errors import UsageError
from ..model_files import layer_weights
from .run_folder import Run


class Pretrained(NamedTuple):
    """Weights to start from, and what is known of how they were made.

    Attributes:
        path: The file.
        weights: Of each layer, by its name.
        shape: Height, width and channels of the network's input.
        preprocessing: What the network's input was normalized with.
        classes: Names, in the order of the network's outputs.
    """

    path: Path
    weights: layer_weights.Weights
    shape: tuple[int, int, int] | None
    preprocessing: Preprocessing | None
    classes: tuple[str, ...] | None

    @classmethod
    def open(cls, path: Path) -> Pretrained:
        """Read a `.keras` or `.weights.h5` file, or a run folder, and what lies beside it.

        Raises:
            Error: There is no such file, or no weights of named layers in it.
        """
        path = path / "model.keras" if path.is_dir() else path
        weights = layer_weights.read_weights(path)
        run = Run(path.parent)
        if not run.exists:
            return cls(path, weights, layer_weights.input_shape(path), None, None)
        made = run.preprocessing
        return cls(path, weights, (made.height, made.width, made.channels), made, run.classes)


def options_of(path: Path, network: str) -> dict[str, Any]:
    """Return the options that a network was built with whose weights are, or lie in, a run folder.

    Raises:
        UsageError: The run is of another network, or an ensemble.
    """
    run = Run(path if path.is_dir() else path.parent)
    if not run.exists:
        return {}
    if run.is_ensemble:
        members = ", ".join(run.config["members"])
        raise UsageError(
            f"{run.path} is an ensemble; a training starts from one of its members: {members}."
        )
    if run.config["network"] != network:
        raise UsageError(
            f"The weights in {run.path} are of {run.config['network']}, not {network}."
        )
    options: dict[str, Any] = run.config["options"]
    return options
