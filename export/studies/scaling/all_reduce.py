"""Sum arrays over two JAX processes on this machine, and count the bytes they send.

`python -m export.studies.scaling.all_reduce` is one of the processes. It answers each number of
parameters with the seconds of an all-reduce of as many float32 numbers, and the bytes that left
over the loopback device of Linux meanwhile.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.errors import Error
from cnn_keras.training.hosts.link import free_port

from ...worker import Worker, WorkerError, serve

PROCESSES = 2
_REPETITIONS = 3
_TIMEOUT_SECS = 120.0
_SENT = Path("/sys/class/net/lo/statistics/tx_bytes")


class AllReduce(NamedTuple):
    """An all-reduce over `PROCESSES` processes.

    Attributes:
        parameters: Number of float32 numbers.
        seconds: Median of the repetitions.
        sent_bytes: Bytes that each process sends, with the headers of TCP.
    """

    parameters: int
    seconds: float
    sent_bytes: float


def all_reduce(parameters: int) -> AllReduce:
    """Sum float32 numbers over two processes.

    Other programs must not use the loopback device meanwhile: their bytes count, too.

    Raises:
        Error: JAX is missing, the processes do not find each other, or this is not Linux.
    """
    if not _SENT.is_file():
        raise Error(f"The bytes of an all-reduce are read from {_SENT}, which only Linux has.")
    address = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        workers = [stack.enter_context(Worker(__name__)) for _ in range(PROCESSES)]
        for index, worker in enumerate(workers):
            worker.send([address, index])
            worker.send(parameters)
        try:
            answers = [worker.receive(_TIMEOUT_SECS) for worker in workers]
        except TimeoutError:
            raise Error(f"An all-reduce took more than {_TIMEOUT_SECS:.0f} s.") from None
        except WorkerError as error:
            raise Error(f"JAX failed: {error.last_line}", details=error.stderr) from None
    seconds, sent = max(answers)
    return AllReduce(parameters, seconds, sent / PROCESSES)


def _session(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
    import jax
    import numpy as np
    from jax.experimental import multihost_utils
    from jax.sharding import Mesh, NamedSharding, PartitionSpec

    address, index = next(requests)
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(address, PROCESSES, index)
    mesh = Mesh(np.array(jax.devices()), ("process",))
    summed = jax.jit(lambda x: x.sum(axis=0), out_shardings=NamedSharding(mesh, PartitionSpec()))
    for parameters in requests:
        local = np.full((1, parameters), index + 1, np.float32)
        numbers = multihost_utils.host_local_array_to_global_array(
            local, mesh, PartitionSpec("process")
        )
        total = float(summed(numbers)[0])  # compiles
        if total != sum(range(1, PROCESSES + 1)):
            raise RuntimeError(f"The sum is {total}.")
        seconds, sent = [], []
        for repetition in range(_REPETITIONS):
            multihost_utils.sync_global_devices(str(repetition))
            before, start = _sent_bytes(), time.perf_counter()
            summed(numbers).block_until_ready()
            seconds.append(time.perf_counter() - start)
            sent.append(_sent_bytes() - before)
        answer([statistics.median(seconds), statistics.median(sent)])


def _sent_bytes() -> int:
    return int(_SENT.read_text(encoding="ascii"))


if __name__ == "__main__":
    sys.exit(serve(_session))
