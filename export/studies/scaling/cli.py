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


@dataclass(frozen=True, kw_only=True)
class ScalingStudy(StudyCommand):
    """Simulate trainings on ImageNet on many accelerators.

    Measures on this machine how fast a core decodes images, how large a checkpoint is, how long it
    takes, and how many bytes an all-reduce sends. The defaults describe hosts of 8 NVIDIA A100 with
    96 virtual cores and a network of 100 Gbit/s, as Google Cloud's a2-highgpu-8g.
    """

    accelerators: tuple[int, ...] = (1, 8, 64)
    """Numbers of accelerators."""
    networks: tuple[str, ...] = ("resnet50", "vgg16")
    """Networks, as `list` names them."""
    per_host: int = 8
    """Accelerators in a host."""
    float32_images_per_s: float = 938.0
    """Images of ResNet-50 that one accelerator trains on per second, in float32. The default is
    published by NVIDIA for an A100 in TF32. Other networks take time in proportion to their
    multiply-adds."""
    bfloat16_images_per_s: float = 2470.0
    """The same in bfloat16; published by NVIDIA for mixed precision."""
    link_gb_s: float = 300.0
    """Bandwidth between the accelerators of a host, in 10⁹ bytes per second and direction."""
    network_gbit_s: float = 100.0
    """Bandwidth of the network of a host, in 10⁹ bits per second."""
    latency_us: float = 20.0
    """Time until a message arrives, in microseconds."""
    cores_per_host: int = 96
    """Cores of a host that decode images."""
    storage_gb_s: float = 2.0
    """Bandwidth at which all hosts together read image files, in 10⁹ bytes per second."""
    batch_per_accelerator: int = 256
    """Images of an accelerator in a step."""
    images: int = 500
    """JPEG files that are decoded for the measurement."""
    repetitions: int = 3
    """Repetitions of each measurement."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from .measurements import MIN_IMAGES
        from .study import Accelerators, scaling

        require_unique(accelerators=self.accelerators, networks=self.networks)
        require_at_least(MIN_IMAGES, images=self.images)
        require_at_least(1, repetitions=self.repetitions, accelerators=min(self.accelerators))
        for name in self.networks:
            network(name)
        names = [field.name for field in fields(Accelerators)]
        for name in names:
            if getattr(self, name) <= 0:
                raise UsageError(f"--{name.replace('_', '-')} must be above 0.")
        document = scaling(
            self.out,
            Accelerators(**{name: getattr(self, name) for name in names}),
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
