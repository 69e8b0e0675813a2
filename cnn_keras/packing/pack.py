"""Pack a run into the trained networks of the package."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

from .. import zoo
from ..command import write_together
from ..data.sources import SOURCES
from ..errors import UsageError
from ..model_files.layer_weights import load_by_name
from ..trained import packed_weights
from ..trained.table import DESCRIPTION, WEIGHTS, TrainedNetwork
from ..training.config import public_config
from ..training.evaluate import evaluate_splits
from ..training.predict import predict
from ..training.run_folder import Run, to_json


class Packed(NamedTuple):
    """A trained network that was packed.

    Attributes:
        trained: Its row of the table.
        folder: The folder of its files.
        size_bytes: Size of its file of weights.
        metrics: The content of its `metrics.json`.
    """

    trained: TrainedNetwork
    folder: Path
    size_bytes: int
    metrics: dict[str, Any]


def pack(run: Run, folder: Path, data_dir: Path | None = None, remark: str | None = None) -> Packed:
    """Write the files of a trained network from a run folder.

    The results in its `metrics.json` are those of the packed weights.

    Args:
        run: The run.
        folder: Folder of the trained networks.
        data_dir: Folder to search for the data set first.
        remark: A sentence about the images or the training, for the list and the card.

    Raises:
        UsageError: The run is not a finished training on a data set with a name.
        Error: The run is broken, or the data set cannot be loaded.
    """
    _require_training(run)
    config, shape = run.config, run.preprocessing.shape
    weights = {layer.name: layer.get_weights() for layer in run.model().layers if layer.weights}
    content = packed_weights.pack(weights)
    model = zoo.build(config["network"], shape, len(run.classes), **config["options"])
    load_by_name(model, packed_weights.unpack(content))
    dataset = run.dataset(data_dir)
    probabilities = {
        name: predict(model, run.preprocessing, dataset.split(name))
        for name in ("validation", "test")
    }
    metrics = run.metrics | evaluate_splits(probabilities, dataset)
    if remark is not None:
        metrics["remarks"] = [remark]
    name = f"{config['network']}:{config['data']}"
    trained = TrainedNetwork(name, hashlib.sha256(content).hexdigest())
    out = folder / trained.folder.name
    files: dict[Path, bytes | str] = {out / WEIGHTS: content}
    files |= {out / file: (run.path / file).read_bytes() for file in DESCRIPTION}
    files |= {
        out / "config.json": to_json(public_config(config)),
        out / "metrics.json": to_json(metrics),
    }
    write_together(files)
    return Packed(trained, out, len(content), metrics)


def _require_training(run: Run) -> None:
    """Check that a run is a training that anybody can repeat.

    Raises:
        UsageError: It is not.
    """
    if run.is_ensemble or "recipe" not in run.config or "adopted" in run.config:
        raise UsageError(f"{run.path} is not the training of a network of the zoo.")
    if run.config["data"] not in SOURCES:
        raise UsageError(
            f"{run.path} was trained on {run.config['data']}: a trained network of the package "
            f"needs one of the data sets {', '.join(SOURCES)}."
        )
