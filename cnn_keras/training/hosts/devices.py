"""Data parallelism over all devices of all processes, by `keras.distribution` and JAX."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...command import quiet
from ...data.loading.share import WHOLE, Share
from ...errors import Error, UsageError
from .cluster import Cluster

if TYPE_CHECKING:
    import keras

_START_TIMEOUT = 600  # seconds until all processes must have imported their packages


@contextmanager
def joined(cluster: Cluster, coordinator: str) -> Iterator[None]:
    """Connect this process with the other ones of a training, and let Keras distribute batches.

    It begins before any computation. If all processes reach its end, they are disconnected.

    Args:
        cluster: The processes, and which of them this one is.
        coordinator: Address and port of JAX's coordinator, which process 0 starts.
    """
    import jax

    # It would replace Python's handler of SIGTERM.
    jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        coordinator,
        cluster.num_processes,
        cluster.process,
        local_device_ids=cluster.local_devices,
        cluster_detection_method="deactivate",
        initialization_timeout=_START_TIMEOUT,
    )
    distribute()
    yield
    jax.distributed.shutdown()


def distribute() -> None:
    """Let Keras distribute each batch over the devices of all processes; weights are replicated."""
    import keras

    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    with quiet(1, 2):  # Gloo reports its connections
        agree(0)


def distribution() -> keras.distribution.DataParallel | None:
    """Return how Keras distributes batches; None if it does not."""
    keras = sys.modules.get("keras")  # a training that is finished does not import it
    return keras.distribution.distribution() if keras else None


@contextmanager
def not_distributed() -> Iterator[None]:
    """Let a process create variables of its own, as Keras does while it saves a model."""
    found = distribution()
    if found is None:
        yield
        return
    import keras

    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(found)


def share() -> Share:
    """Return the share of this process in the images of each batch."""
    if distribution() is None:
        return WHOLE
    import jax

    return Share(jax.process_index(), jax.process_count())


def require_divisible(batch_size: int) -> None:
    """Check that a batch can be divided among the devices.

    Raises:
        UsageError: It cannot.
    """
    found = distribution()
    if found is None or batch_size % found.num_model_replicas == 0:
        return
    count = found.num_model_replicas
    below, above = batch_size // count * count, -(-batch_size // count) * count
    sizes = " or ".join(str(size) for size in (below, above) if size)
    raise UsageError(
        f"A batch of {batch_size} images cannot be divided equally among {count} devices: use "
        f"--batch-size {sizes}, or another number of devices."
    )


def replicated(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function whose result every process gets as a whole.

    Args:
        function: A function of JAX arrays; all processes call it.
    """
    import jax
    from jax.sharding import NamedSharding, PartitionSpec

    mesh = _require_distribution().device_mesh.backend_mesh
    return jax.jit(function, out_shardings=NamedSharding(mesh, PartitionSpec()))


def together(rows: NDArray[Any]) -> Any:
    """Return the array that the rows of all processes make up, distributed over their devices.

    Args:
        rows: The rows of this process, as many as each other process has.
    """
    import jax

    layout = _require_distribution().get_data_layout(rows.shape).backend_layout
    return jax.make_array_from_process_local_data(layout, rows)


_largest: list[Callable[..., Any]] = []


def agree(value: int) -> int:
    """Return the largest of the values of all processes, which all call this."""
    import jax

    if not _largest:
        _largest.append(replicated(lambda values: values.max()))
    return int(_largest[0](together(np.full(jax.local_device_count(), value, np.int32))))


def anywhere(value: bool) -> bool:
    """Return whether a value is true in any process; all processes call this."""
    return bool(agree(value)) if share().num_processes > 1 else value


def require_equal_weights(model: keras.Model) -> None:
    """Check that the weights of a model are equal in all processes, bit for bit.

    All processes call this.

    Raises:
        Error: They differ.
    """
    if share().num_processes == 1:
        return
    from jax.experimental import multihost_utils

    digest = hashlib.sha256()
    for variable in model.variables:
        digest.update(np.asarray(variable).tobytes())
    own = np.frombuffer(digest.digest(), np.uint8)
    digests = np.asarray(multihost_utils.process_allgather(own))
    differing = np.flatnonzero((digests != digests[0]).any(axis=1))
    if differing.size:
        raise Error(
            f"The weights of process {differing[0]} differ from those of process 0: one of their "
            "devices may be faulty."
        )


def broadcast(data: bytes) -> bytes:
    """Return the bytes of the first process, which all processes get.

    Args:
        data: The bytes; those of other processes than the first one are ignored.
    """
    from jax.experimental import multihost_utils

    size = int(multihost_utils.broadcast_one_to_all(np.int64(len(data))))
    own = np.frombuffer(data, np.uint8) if share().process == 0 else np.zeros(size, np.uint8)
    return bytes(np.asarray(multihost_utils.broadcast_one_to_all(own)).tobytes())


def _require_distribution() -> keras.distribution.DataParallel:
    found = distribution()
    assert found is not None
    return found
