"""The runs of a comparison: results and settings of each, with None for what it lacks."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import Error, UsageError
from ..experiments.estimates import wilson
from ..model_files.layer_weights import count_parameters
from ..training.run_folder import Run
from ..unpack import run_path, trained_name

Settings = dict[str, dict[str, Any]]
"""Values by group and name. A run that lacks a group has no value for it, not even a default."""


@dataclass(frozen=True)
class Entry:
    """A run that is compared: finished or not, imported, or an ensemble.

    Attributes:
        name: The last parts of its path, as many as distinguish it from the other runs; or the
            name of the trained network.
        run: Its folder.
    """

    name: str
    run: Run

    @cached_property
    def history(self) -> list[dict[str, float]]:
        """One row per epoch."""
        return self.run.history

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of metrics.json; empty if there is none."""
        return self.run.metrics if (self.run.path / "metrics.json").is_file() else {}

    @property
    def is_finished(self) -> bool:
        """Whether it has results on the test images."""
        return "test" in self.metrics

    @cached_property
    def status(self) -> str:
        """How far its training is."""
        config = self.run.config
        if self.run.is_ensemble:
            return f"ensemble of {len(config['members'])}"
        if "imported" in config or "adopted" in config:
            return "imported"
        if self.is_finished:
            return "finished"
        return f"epoch {len(self.history)} of {config['recipe']['epochs']}"

    @cached_property
    def results(self) -> dict[str, Any]:
        """Results, as JSON types.

        The accuracies are fractions. ``validation_accuracy`` is that of the final network, or after
        the latest epoch of an unfinished training. ``images_per_second`` is the median of the
        epochs.
        """
        test, last = self.metrics.get("test", {}), self.history[-1] if self.history else {}
        validation = self.metrics.get("validation", {})
        best = max(self.history, key=lambda row: row["val_accuracy"], default={})
        speeds = [row.get("images_per_second", math.nan) for row in self.history]
        speeds = [speed for speed in speeds if math.isfinite(speed)]
        seconds = sum(row["seconds"] for row in self.history) if self.history else None
        interval = wilson(test["accuracy"], test["num_images"]) if test else None
        return {
            "run": str(self.run.path),
            "name": self.name,
            "status": self.status,
            "network": self.run.config["network"],
            "data": self.run.config["data"],
            "test_accuracy": test.get("accuracy"),
            "test_accuracy_interval": interval and list(interval),
            "num_test_images": test.get("num_images"),
            "balanced_accuracy": test.get("balanced_accuracy"),
            "validation_accuracy": validation.get("accuracy", last.get("val_accuracy")),
            "best_validation_accuracy": best.get("val_accuracy"),
            "best_epoch": best.get("epoch"),
            "epochs": len(self.history) or None,
            "train_seconds": self.metrics.get("train_seconds", seconds),
            "images_per_second": statistics.median(speeds) if speeds else None,
            "num_parameters": self._num_parameters(),
        }

    def _num_parameters(self) -> int | None:
        """Count the weights of the network, without auxiliary classifiers."""
        for name in ("model.keras", "best.keras"):
            if (self.run.path / name).is_file():
                return count_parameters(self.run.path / name)
        return None

    @cached_property
    def settings(self) -> Settings:
        """What the run was trained with, on what data and where, as its files have it."""
        config = dict(self.run.config)
        found: Settings = {}
        recipe = config.pop("recipe", None)
        options = config.pop("options", {})
        config |= {f"option {name}": value for name, value in options.items()}
        found["training"] = {n: value for n, value in config.items() if value not in (None, [], {})}
        if recipe is not None and "adopted" not in config:  # that of an import is a placeholder
            found["recipe"] = recipe
        if (self.run.path / "preprocessing.json").is_file():
            values = self.run.preprocessing
            size = " × ".join(map(str, values.shape))
            found["input"] = {"size": size, "mean": list(values.mean), "std": list(values.std)}
        if self.is_finished:
            found["images"] = {"train": self.metrics.get("num_train_images")} | {
                split: self.metrics.get(split, {}).get("num_images")
                for split in ("validation", "test")
            }
        for group in ("hardware", "versions"):
            if group in self.metrics:
                found[group] = self.metrics[group]
        return found


def open_entries(paths: Sequence[Path]) -> list[Entry]:
    """Return the entries of run folders.

    Args:
        paths: The folders, or names of trained networks.

    Raises:
        UsageError: There are fewer than two, one is named twice, or a name is unknown.
        Error: One is not a run folder.
    """
    if len(paths) < 2:
        raise UsageError("Name two run folders or more.")
    resolved: list[Path] = []
    folders = [run_path(path) for path in paths]
    for path in folders:
        if path.resolve() in resolved:
            raise UsageError(f"{path} is named twice: name different run folders.")
        if path.is_file():
            raise Error(f"{path} is a file: expected a run folder.")
        if not path.is_dir():
            raise Error(f"No such run folder: {path}.")
        if not (path / "config.json").is_file():
            raise Error(f"{path} is not a run folder: it has no config.json.")
        if missing := {"network", "data", "seed"} - set(Run(path).config):
            raise Error(f"{path / 'config.json'} lacks '{min(missing)}': restore the file.")
        resolved.append(path.resolve())
    count = 1
    while len({path.parts[-count:] for path in resolved}) < len(resolved):
        count += 1
    names = (trained_name(path) or "/".join(path.parts[-count:]) for path in resolved)
    return [Entry(name, Run(path)) for name, path in zip(names, folders, strict=True)]
