"""The model that an export starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from cnn_keras.data.datasets import Dataset
from cnn_keras.training.run_folder import Run

from .recipes import Recipe

if TYPE_CHECKING:
    import keras


class SourceModel(NamedTuple):
    """A model to export, with the run whose data its files are verified on.

    Attributes:
        name: Prefix of the files' names.
        model: The model, which gives probabilities.
        run: The run folder.
        dataset: The run's data set, in the model's image size.
    """

    name: str
    model: keras.Model
    run: Run
    dataset: Dataset

    @classmethod
    def of_run(cls, run: Run, data_dir: Path | None = None) -> SourceModel:
        """Load a run's model and its data set.

        Args:
            run: The run folder; with another model file, this is part of the name.
            data_dir: Folder in which the data set is looked for first.

        Raises:
            Error: The model or the data set cannot be loaded.
        """
        name = run.path.resolve().name
        if run.model_file and run.model_file.stem != "model":
            name = f"{name}_{run.model_file.stem}"
        return cls(name, run.model(), run, run.dataset(data_dir))

    def file_name(self, recipe: Recipe) -> str:
        """Return the name of the file for a recipe."""
        return f"{self.name}_{recipe.file_suffix}.tflite"

    @property
    def description(self) -> str:
        """What the network is and who trained it, in one line."""
        config = self.run.config
        network, imported = config["network"], config.get("imported")
        if "adopted" in config:
            return f"{network} {config['adopted']['origin']}"
        if self.run.is_ensemble:
            network = f"ensemble of {len(config['members'])} {network}"
        if imported is None:
            return f"{network} trained on {self.dataset.name} by cnn-keras"
        return f"{network} with the weights {imported['file']} of {imported['publisher']}"
