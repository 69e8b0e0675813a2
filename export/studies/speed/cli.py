"""The commands of the studies of speed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnn_keras.command import Outcome
from cnn_keras.errors import unknown
from cnn_keras.experiments.record import record_outcome
from cnn_keras.studies.option_checks import require_at_least, require_unique
from cnn_keras.studies.options import StudyCommand


@dataclass(frozen=True, kw_only=True)
class ThroughputStudy(StudyCommand):
    """Time the training of networks alternately with Keras and with a plain torch loop.

    Records images/s, their ratio, the peak memory, and where the time of a step goes.
    """

    networks: tuple[str, ...] = ("resnet20", "resnet18", "googlenet", "resnet50")
    """Some of these networks. resnet20 is trained at 28×28 and 32×32, resnet18 at 32×32, the others
    at 224×224."""
    rounds: int = 5
    """Number of turns of each side."""
    torch_python: Path | None = None
    """Python that has torch, such as .venv-torch/bin/python; by default the one that runs this
    command."""

    def __call__(self) -> Outcome:
        from .throughput import PLANS, throughput

        require_unique(networks=self.networks)
        require_at_least(1, rounds=self.rounds)
        known = dict.fromkeys(plan.network for plan in PLANS)
        for name in self.networks:
            if name not in known:
                raise unknown("network of this study", name, known)
        plans = [plan for plan in PLANS if plan.network in self.networks]
        document = throughput(plans, self.out, rounds=self.rounds, torch_python=self.torch_python)
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class LoaderStudy(StudyCommand):
    """Time the loading of image files alternately with torch, Keras and tf.data.

    All decode JPEG files of about 500×400 pixels, resize them to 224×224 and make shuffled batches,
    with two workers on two cores. Records images/s and their ratios, with and without a filter
    against aliasing.
    """

    images: int = 5_000
    """Number of JPEG files, parts of two photographs in a temporary folder."""
    rounds: int = 5
    """Number of passes of each pipeline over the files."""
    torch_python: Path | None = None
    """Python that has torch and Pillow, such as .venv-torch/bin/python; by default the one that
    runs this command."""

    def __call__(self) -> Outcome:
        from .loader import loader
        from .passes import BATCH

        require_at_least(1, rounds=self.rounds)
        require_at_least(BATCH, images=self.images)
        document = loader(
            self.out, images=self.images, rounds=self.rounds, torch_python=self.torch_python
        )
        return record_outcome(document)
