"""The command `import-weights`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..command import Command, Outcome, start_keras
from ..options import DataDirOption, NetworkName


@dataclass(frozen=True, kw_only=True)
class ImportWeights(DataDirOption, Command):
    """Make a run folder of weights that keras.applications or torchvision publishes.

    Every tensor must be used and every layer filled, or nothing is written. No code in the file is
    run.
    """

    name: tyro.conf.Positional[NetworkName]
    """Name of the weights there: vgg16, vgg16_bn, resnet50, googlenet, ..."""
    file: tyro.conf.Positional[Path]
    """.h5 or .keras file of keras.applications; or .safetensors file, or file of `torch.save`
    (.pth, .pt, .ckpt, .tar) of torchvision: the state dict, or a checkpoint that contains it."""
    out: Path
    """Run folder to write."""
    labels: Path | None = None
    """Class names, one per line; by default those of ImageNet if there are 1,000 classes, else
    numbers."""
    image_size: int = 224
    """Side of the images that the weights were trained on."""
    data: str = "photographs"
    """Data set for checking exported files: folder:PATH, with sub-folders named like the labels;
    csv:FILE or npz:FILE. By default two photographs without labels: files are compared with the
    Keras model alone."""

    def __call__(self) -> Outcome:
        from .import_published import find, import_weights

        find(self.name, self.file)  # a wrong name is reported before Keras is imported
        start_keras()
        imported = import_weights(
            self.name,
            self.file,
            self.out,
            labels=self.labels,
            image_size=self.image_size,
            data_name=self.data,
            data_dir=self.data_dir,
        )
        config = imported.run.config
        document = {
            "run": str(self.out),
            **config,
            "num_classes": len(imported.run.classes),
            "guesses": {name: guess._asdict() for name, guess in imported.guesses.items()},
        }
        options = ", ".join(f"{key}={value}" for key, value in config["options"].items())
        predictions = ", ".join(
            f"{guess.label} ({guess.probability:.2f}) for {name}"
            for name, guess in imported.guesses.items()
        )
        text = (
            f"{self.out}: {config['network']}{f' with {options}' if options else ''} and the "
            f"weights of {imported.weights.publisher.name}, {document['num_classes']} classes; "
            f"predicts {predictions}"
        )
        return Outcome(document, text)
