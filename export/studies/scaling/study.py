"""Simulate trainings on ImageNet with the speeds that are measured here, and record them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_keras.command import log
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host

from .accelerators import Accelerators
from .all_reduce import PROCESSES, AllReduce, all_reduce
from .measurements import checkpoint, decoded_per_core_s, layers
from .simulation import TRAIN_IMAGES, Cluster, Layer, Training, ring_bytes, train

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPOCHS = 90  # of Goyal et al., and of ResNet-50's usual recipe
EFFICIENT = 0.9
MOST_ACCELERATORS = 1024
MAX_PUBLISHED_DIFFERENCE = 0.2
MAX_BYTES_DIFFERENCE = 0.05
REFERENCE = "resnet50"  # whose images/s describe an accelerator


class Published(NamedTuple):
    """A measurement of ResNet-50 that others have published.

    Attributes:
        source: Where.
        alone_images_per_s: Images per second of one accelerator.
        accelerators: Number of accelerators.
        images_per_s: Images per second of all of them.
        batch_per_accelerator: Images of an accelerator in a step.
        gradient_bytes: Bytes of one gradient.
        link_gb_s: Bandwidth of an accelerator within its host.
        network_gbit_s: Bandwidth of a host's network.
    """

    source: str
    alone_images_per_s: float
    accelerators: int
    images_per_s: float
    batch_per_accelerator: int
    gradient_bytes: int
    link_gb_s: float
    network_gbit_s: float


_GOYAL = "Goyal et al., arXiv:1706.02677: P100, 29 hours on one host of 8, one hour on 32 hosts"
_NVIDIA = "NVIDIA DeepLearningExamples, ResNet-50 v1.5 for PyTorch"
_PASSES = EPOCHS * TRAIN_IMAGES
PUBLISHED = (
    Published(_GOYAL, _PASSES / (29 * 3600) / 8, 256, _PASSES / 3600, 32, 4, 80.0, 50.0),
    Published(f"{_NVIDIA}: V100, FP32", 367, 8, 2855, 128, 4, 150.0, 100.0),
    Published(f"{_NVIDIA}: V100, mixed precision", 1200, 8, 8322, 256, 2, 150.0, 100.0),
    Published(f"{_NVIDIA}: A100, TF32", 938, 8, 7248, 256, 4, 300.0, 100.0),
    Published(f"{_NVIDIA}: A100, mixed precision", 2470, 8, 16621, 256, 2, 300.0, 100.0),
)
"""The bandwidths within hosts are those of NVLink 1, 2 and 3 in one direction. NVIDIA's batch sizes
are not stated; they hardly matter within a host."""


def scaling(
    out: Path,
    accelerators: Accelerators,
    *,
    counts: Sequence[int] = (1, 8, 64),
    networks: Sequence[str] = ("resnet50", "vgg16"),
    images: int = 500,
    repetitions: int = 3,
) -> dict[str, Any]:
    """Measure what the simulation needs, simulate trainings, and record both.

    Args:
        out: Folder of the record and its figure.
        accelerators: What is simulated.
        counts: Numbers of accelerators.
        networks: Rows of the zoo.
        images: JPEG files that are decoded.
        repetitions: Of each measurement.

    Returns:
        The record.

    Raises:
        Error: JAX is missing.
    """
    log("decode images")
    decoded = decoded_per_core_s(images, repetitions)
    of_network = {name: layers(name) for name in dict.fromkeys((*networks, REFERENCE))}
    checkpoints, transfers = {}, {}
    for name in networks:
        log(f"{name}: checkpoint and all-reduce")
        checkpoints[name] = checkpoint(name, repetitions)
        transfers[name] = all_reduce(sum(layer.parameters for layer in of_network[name]))
    rows, curves, most = [], {}, {}
    for name in networks:
        for precision, reference in accelerators.images_per_s().items():
            speed = reference * _macs(of_network[REFERENCE]) / _macs(of_network[name])
            training = Training(
                EPOCHS,
                accelerators.batch_per_accelerator,
                4 if precision == "float32" else 2,
                checkpoints[name].seconds,
            )
            cluster = accelerators.cluster(speed, decoded)
            clusters = {"shared": cluster, "local": cluster._replace(storage_gb_s=math.inf)}
            for count in counts:
                result = train(of_network[name], cluster._replace(accelerators=count), training)
                rows.append({"network": name, "precision": precision, **result._asdict()})
            key = f"{name}, {precision}"
            curves[key] = {
                storage: _efficiencies(of_network[name], each, training)
                for storage, each in clusters.items()
            }
            most[key] = {storage: _most(curve) for storage, curve in curves[key].items()}
    comparisons = [_compare(published, of_network[REFERENCE]) for published in PUBLISHED]
    return write_record(
        out / "scaling.json",
        "benchmark",
        "scaling",
        claims(comparisons, transfers),
        seeds=[0],
        budget={"images": images, "repetitions": repetitions},
        details={
            "host": host()._asdict(),
            "accelerators": {
                field.name: getattr(accelerators, field.name) for field in fields(Accelerators)
            },
            "measured": {
                "decoded_per_core_s": decoded,
                "checkpoints": {name: each._asdict() for name, each in checkpoints.items()},
                "all_reduce": {name: each._asdict() for name, each in transfers.items()},
            },
            "rows": rows,
            "most_efficient": most,
            "published": comparisons,
        },
        figure=_figure(curves),
    )


def claims(
    comparisons: Sequence[Mapping[str, Any]], transfers: Mapping[str, AllReduce]
) -> list[Claim]:
    """Return the claims about published trainings and about the bytes of an all-reduce."""
    found = [
        Claim(
            f"the simulation is within {MAX_PUBLISHED_DIFFERENCE:.0%} of the published images/s of "
            f"{row['accelerators']} accelerators (ratio; {row['source']})",
            abs(row["ratio"] - 1) <= MAX_PUBLISHED_DIFFERENCE,
            row["ratio"],
        )
        for row in comparisons
    ]
    for name, each in transfers.items():
        expected = ring_bytes(4 * each.parameters, PROCESSES)
        found.append(
            Claim(
                f"an all-reduce of the gradients of {name} sends the bytes that are simulated, to "
                f"{MAX_BYTES_DIFFERENCE:.0%} (ratio)",
                abs(each.sent_bytes / expected - 1) <= MAX_BYTES_DIFFERENCE,
                each.sent_bytes / expected,
            )
        )
    return found


def _compare(published: Published, of_network: Sequence[Layer]) -> dict[str, Any]:
    """Simulate a published training, with images that are never waited for."""
    cluster = Cluster(
        accelerators=published.accelerators,
        per_host=8,
        images_per_s=published.alone_images_per_s,
        link_gb_s=published.link_gb_s,
        network_gbit_s=published.network_gbit_s,
        latency_us=20.0,
        cores_per_host=1,
        decoded_per_core_s=math.inf,
        storage_gb_s=math.inf,
    )
    training = Training(EPOCHS, published.batch_per_accelerator, published.gradient_bytes, 0.0)
    simulated = train(of_network, cluster, training).images_per_s
    return {
        "source": published.source,
        "accelerators": published.accelerators,
        "published_images_per_s": published.images_per_s,
        "simulated_images_per_s": simulated,
        "ratio": simulated / published.images_per_s,
    }


def _macs(of_network: Sequence[Layer]) -> int:
    return sum(layer.macs for layer in of_network)


def _efficiencies(
    of_network: Sequence[Layer], cluster: Cluster, training: Training
) -> list[tuple[int, float]]:
    """Return the efficiency by the number of accelerators."""
    return [
        (count, train(of_network, cluster._replace(accelerators=count), training).efficiency)
        for count in _powers_of_two()
    ]


def _powers_of_two() -> list[int]:
    return [2**power for power in range(MOST_ACCELERATORS.bit_length())]


def _most(curve: Sequence[tuple[int, float]]) -> int:
    """Return the largest number of accelerators up to which the efficiency is high."""
    most = 0
    for count, efficiency in curve:
        if efficiency < EFFICIENT:
            break
        most = count
    return most


def _figure(curves: Mapping[str, Mapping[str, Sequence[tuple[int, float]]]]) -> Figure:
    """Draw the efficiency by the number of accelerators."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for index, (name, by_storage) in enumerate(curves.items()):
        for storage, style in (("shared", "-"), ("local", "--")):
            counts, efficiencies = zip(*by_storage[storage], strict=True)
            label = name if storage == "shared" else f"{name}, files on each host"
            axes.plot(counts, efficiencies, style, color=f"C{index}", label=label)
    axes.set_xscale("log", base=2)
    axes.set_xticks(_powers_of_two(), [str(count) for count in _powers_of_two()])
    axes.set_ylim(0, 1.05)
    axes.set_xlabel("accelerators")
    axes.set_ylabel("efficiency")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")
    return figure
