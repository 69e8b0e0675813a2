"""Simulate a step of data-parallel training on many accelerators.

Each accelerator computes the gradients of its part of the batch, the last layer's first. As soon as
a bucket of gradients is complete, it is summed over all accelerators (all-reduce), one bucket after
the other, while the remaining gradients are computed. The images of the next step are decoded
meanwhile. A step therefore takes as long as the slowest of three: computing, with the part of the
all-reduce that computing does not hide; decoding; and reading.

What is assumed:

- an accelerator computes as many images per second in a cluster as alone, and all are equally fast;
- a third of the computing is the forward pass, and two thirds are the backward pass: one
  multiply-add of the former becomes two of the latter;
- the time of a layer is proportional to its multiply-adds;
- an all-reduce is hierarchical: gradients are summed within each host, over the links between its
  accelerators, then between the hosts, over their networks, and then shared within each host, each
  time in a ring;
- checkpoints are written once in an epoch, by one process for which the others wait;
- an evaluation after each epoch costs a forward pass for each image.

Reference:
    Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of workstations",
    Journal of Parallel and Distributed Computing 69, 2009.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

TRAIN_IMAGES, VALIDATION_IMAGES = 1_281_167, 50_000  # of ImageNet-1k (ILSVRC 2012)
IMAGE_BYTES = 138e9 / TRAIN_IMAGES  # the archive of the training images has 138 GB
BUCKET_BYTES = 30 * 2**20  # XLA's default, xla_gpu_all_reduce_combine_threshold_bytes
FORWARD = 1 / 3  # of the computing


class Layer(NamedTuple):
    """A layer, or several in a row.

    Attributes:
        macs: Multiply-adds of its forward pass, for one image.
        parameters: Number of trainable weights.
    """

    macs: int
    parameters: int


class Cluster(NamedTuple):
    """Accelerators in hosts of equal size.

    Attributes:
        accelerators: Number of all.
        per_host: Number in a full host.
        images_per_s: What one of them computes in training, without waiting for images.
        link_gb_s: Bandwidth of an accelerator to the others of its host, in 10⁹ bytes per second.
        network_gbit_s: Bandwidth of a host's network, in 10⁹ bits per second.
        latency_us: Time until a message arrives, in microseconds.
        cores_per_host: Cores that decode images.
        decoded_per_core_s: Images that a core decodes per second.
        storage_gb_s: Bandwidth at which all hosts together read files, in 10⁹ bytes per second.
    """

    accelerators: int
    per_host: int
    images_per_s: float
    link_gb_s: float
    network_gbit_s: float
    latency_us: float
    cores_per_host: int
    decoded_per_core_s: float
    storage_gb_s: float

    @property
    def hosts(self) -> int:
        """Number of hosts."""
        return -(-self.accelerators // self.per_host)

    @property
    def in_host(self) -> int:
        """Number of accelerators in a host."""
        return min(self.accelerators, self.per_host)


class Step(NamedTuple):
    """The times of one step, in seconds.

    Attributes:
        compute: Forward and backward pass.
        all_reduce: All transfers of gradients.
        exposed: The part of the transfers that computing does not hide.
        decode: Decoding the images.
        read: Reading their files.
    """

    compute: float
    all_reduce: float
    exposed: float
    decode: float
    read: float

    @property
    def total(self) -> float:
        """What a step takes."""
        return max(self.compute + self.exposed, self.decode, self.read)

    @property
    def limit(self) -> str:
        """What the accelerators wait for: ``decode``, ``read``, ``network`` or ``none``.

        Waiting for less than a twentieth of the step does not count.
        """
        slowest = max(("decode", self.decode), ("read", self.read), key=lambda each: each[1])
        if slowest[1] > self.compute + self.exposed:
            return slowest[0]
        return "network" if self.exposed > 0.05 * self.total else "none"


def simulate(
    layers: Sequence[Layer], cluster: Cluster, batch_per_accelerator: int, gradient_bytes: int = 4
) -> Step:
    """Simulate a step.

    Args:
        layers: The layers of the network, in order.
        cluster: The accelerators.
        batch_per_accelerator: Images that each accelerator takes in a step.
        gradient_bytes: Bytes of one gradient.

    Example:
        >>> cluster = Cluster(1, 8, 100.0, 100.0, 10.0, 10.0, 8, 500.0, 1.0)
        >>> simulate([Layer(1, 1000)], cluster, batch_per_accelerator=50).total
        0.5
    """
    compute = batch_per_accelerator / cluster.images_per_s
    images = batch_per_accelerator * cluster.accelerators
    transfers = end = 0.0
    for ready, num_bytes in _buckets(layers, compute, gradient_bytes):
        seconds = all_reduce_seconds(num_bytes, cluster)
        transfers += seconds
        end = max(end, ready) + seconds
    return Step(
        compute=compute,
        all_reduce=transfers,
        exposed=max(end - compute, 0.0),
        decode=images / cluster.hosts / (cluster.cores_per_host * cluster.decoded_per_core_s),
        read=images * IMAGE_BYTES / (cluster.storage_gb_s * 1e9),
    )


def all_reduce_seconds(num_bytes: float, cluster: Cluster) -> float:
    """Return the time in which gradients are summed over all accelerators."""
    seconds = 0.0
    for members, bytes_per_s in (
        (cluster.in_host, cluster.link_gb_s * 1e9),
        (cluster.hosts, cluster.network_gbit_s * 1e9 / 8),
    ):
        seconds += ring_bytes(num_bytes, members) / bytes_per_s
        seconds += 2 * (members - 1) * cluster.latency_us / 1e6
    return seconds


def ring_bytes(num_bytes: float, members: int) -> float:
    """Return the bytes that each member of a ring sends in an all-reduce.

    Args:
        num_bytes: Bytes of the gradients.
        members: Number of members.

    Example:
        >>> ring_bytes(100, members=1), ring_bytes(100, members=4)
        (0.0, 150.0)
    """
    return 2 * (members - 1) / members * num_bytes


def _buckets(
    layers: Sequence[Layer], compute: float, gradient_bytes: int
) -> list[tuple[float, float]]:
    """Return the second at which each bucket of gradients is complete, and its bytes."""
    macs = sum(layer.macs for layer in layers)
    found = []
    second, num_bytes = FORWARD * compute, 0.0
    for layer in reversed(layers):
        second += (1 - FORWARD) * compute * layer.macs / macs
        num_bytes += layer.parameters * gradient_bytes
        if num_bytes >= BUCKET_BYTES:
            found.append((second, num_bytes))
            num_bytes = 0.0
    if num_bytes:
        found.append((second, num_bytes))
    return found


class Training(NamedTuple):
    """A training on ImageNet-1k.

    Attributes:
        epochs: Passes over the training images.
        batch_per_accelerator: Images that each accelerator takes in a step.
        gradient_bytes: Bytes of one gradient.
        checkpoint_secs: Seconds in which a checkpoint is written.
    """

    epochs: int
    batch_per_accelerator: int
    gradient_bytes: int
    checkpoint_secs: float


class Result(NamedTuple):
    """What a training takes on a cluster.

    Attributes:
        accelerators: Number of accelerators.
        batch: Images in a step of all accelerators.
        images_per_s: Of all accelerators, in training.
        efficiency: `images_per_s` over what as many accelerators compute without waiting.
        hours: Of the whole training, with evaluations and checkpoints.
        cores_per_accelerator: Cores that decode as fast as an accelerator computes.
        read_gb_s: 10⁹ bytes per second that all hosts read.
        network_gb: 10⁹ bytes that each host sends in a step; 0 for a single host.
        all_reduce_ms: Transfers of gradients in a step.
        exposed_ms: The part of them that computing does not hide.
        checkpoint_share: Share of the training that writes checkpoints.
        limit: See `Step.limit`.
    """

    accelerators: int
    batch: int
    images_per_s: float
    efficiency: float
    hours: float
    cores_per_accelerator: float
    read_gb_s: float
    network_gb: float
    all_reduce_ms: float
    exposed_ms: float
    checkpoint_share: float
    limit: str


def train(layers: Sequence[Layer], cluster: Cluster, training: Training) -> Result:
    """Simulate a training on ImageNet-1k."""
    step = simulate(layers, cluster, training.batch_per_accelerator, training.gradient_bytes)
    batch = training.batch_per_accelerator * cluster.accelerators
    images_per_s = batch / step.total
    computed_per_s = cluster.images_per_s * cluster.accelerators
    evaluated_per_s = computed_per_s / FORWARD
    epoch_secs = (
        TRAIN_IMAGES / images_per_s + VALIDATION_IMAGES / evaluated_per_s + training.checkpoint_secs
    )
    gradients = sum(layer.parameters for layer in layers) * training.gradient_bytes
    return Result(
        accelerators=cluster.accelerators,
        batch=batch,
        images_per_s=images_per_s,
        efficiency=images_per_s / computed_per_s,
        hours=training.epochs * epoch_secs / 3600,
        cores_per_accelerator=cluster.images_per_s / cluster.decoded_per_core_s,
        read_gb_s=images_per_s * IMAGE_BYTES / 1e9,
        network_gb=ring_bytes(gradients, cluster.hosts) / 1e9,
        all_reduce_ms=1e3 * step.all_reduce,
        exposed_ms=1e3 * step.exposed,
        checkpoint_share=training.checkpoint_secs / epoch_secs,
        limit=step.limit,
    )
