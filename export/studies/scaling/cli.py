"""The command `study scaling`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from cnn_keras.command import Outcome
from cnn_keras.errors import UsageError
from cnn_keras.experiments.record import record_outcome
from cnn_keras.studies.option_checks import require_at_least, require_unique
from cnn_keras.studies.options import StudyCommand
from cnn_keras.tables import table
from cnn_keras.zoo import network

from .accelerators import Accelerators


@dataclass(frozen=True, kw_only=True)
class ScalingStudy(Accelerators, StudyCommand):
    """Simulate trainings on ImageNet on many accelerators.

    Measures on this machine how fast a core decodes images, how large a checkpoint is, how long it
    takes, and how many bytes an all-reduce sends. The defaults describe hosts of 8 NVIDIA A100 with
    96 virtual cores and a network of 100 Gbit/s, as Google Cloud's a2-highgpu-8g.
    """

    accelerators: tuple[int, ...] = (1, 8, 64)
    """Numbers of accelerators."""
    networks: tuple[str, ...] = ("resnet50", "vgg16")
    """Networks, as `list` names them."""
    images: int = 500
    """JPEG files that are decoded for the measurement."""
    repetitions: int = 3
    """Repetitions of each measurement."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from .measurements import MIN_IMAGES
        from .study import scaling

        require_unique(accelerators=self.accelerators, networks=self.networks)
        require_at_least(MIN_IMAGES, images=self.images)
        require_at_least(1, repetitions=self.repetitions, accelerators=min(self.accelerators))
        for name in self.networks:
            network(name)
        for field in fields(Accelerators):
            if getattr(self, field.name) <= 0:
                raise UsageError(f"--{field.name.replace('_', '-')} must be above 0.")
        document = scaling(
            self.out,
            self,
            counts=self.accelerators,
            networks=self.networks,
            images=self.images,
            repetitions=self.repetitions,
        )
        outcome = record_outcome(document)
        return replace(outcome, text=Group(_table(document["rows"]), outcome.text))


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """Return the simulated trainings as a table."""
    columns = (
        "network",
        "precision",
        "accelerators",
        "images/s",
        "efficiency",
        "hours",
        "cores/accelerator",
        "read, GB/s",
        "sent, MB",
        "waits for",
    )
    cells = [
        (
            row["network"],
            row["precision"],
            row["accelerators"],
            round(row["images_per_s"]),
            f"{row['efficiency']:.1%}",
            f"{row['hours']:.1f}",
            f"{row['cores_per_accelerator']:.1f}",
            f"{row['read_gb_s']:.2f}",
            round(1000 * row["network_gb"]),
            row["limit"],
        )
        for row in rows
    ]
    return table(columns, cells)
