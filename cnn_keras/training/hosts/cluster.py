"""Which processes train together: from the options, or the environment that started them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from typing import NamedTuple

from ...errors import Error, UsageError, first_line

# Number of a process, and of all processes. JAX itself knows SLURM, Cloud TPU, Open MPI 4 and, with
# the package `kubernetes`, Kubernetes.
_VARIABLES = (
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI
    ("PMI_RANK", "PMI_SIZE"),  # MPICH and Intel MPI
    ("JOB_COMPLETION_INDEX", ""),  # an Indexed Job of Kubernetes
)


class Cluster(NamedTuple):
    """The processes that train one network together.

    Attributes:
        num_processes: Number of processes.
        process: Number of this process, counted from 0.
        coordinator: Host and port at which process 0 waits for the others.
        local_devices: The accelerators of this host that this process uses; by default all, or
            those in JAX_LOCAL_DEVICE_IDS.
    """

    num_processes: int
    process: int
    coordinator: str
    local_devices: tuple[int, ...] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the coordinator."""
        host, _, port = self.coordinator.rpartition(":")
        return host.strip("[]"), int(port)


def local_clusters(count: int) -> list[Cluster]:
    """Return the place of each of several processes of this machine, with one device each.

    Args:
        count: Number of processes.
    """
    return [Cluster(count, index, "", (index,)) for index in range(count)]


def find_cluster(
    hosts: int | None = None, process_id: int | None = None, coordinator: str | None = None
) -> Cluster | None:
    """Return the processes of a training; None if this is the only one.

    Args:
        hosts: Number of processes.
        process_id: Number of this process.
        coordinator: Host and port of process 0. What is not given is looked for in the variables
            of SLURM, Open MPI, MPICH, Kubernetes and Cloud TPU.

    Raises:
        UsageError: Something is neither given nor in the environment, or does not fit.
        Error: JAX cannot read the environment.
    """
    if hosts == 1:
        return None
    devices, is_given = None, (hosts, process_id, coordinator) != (None, None, None)
    if None in (hosts, process_id, coordinator):
        process, count = _from_variables(os.environ)
        process_id = process if process_id is None else process_id
        hosts = count if hosts is None else hosts
    if None in (hosts, process_id, coordinator):
        coordinator, hosts, process_id, devices = _from_jax(coordinator, hosts, process_id)
    # Also pods that train different networks have numbers.
    if hosts == 1 or not (is_given or hosts or coordinator):
        return None
    options = {"--hosts": hosts, "--process-id": process_id, "--coordinator": coordinator}
    if missing := [name for name, value in options.items() if value is None]:
        raise UsageError(
            f"A training on several hosts needs {' and '.join(missing)}: give it, or start the "
            "processes with SLURM, MPI, or an Indexed Job of Kubernetes."
        )
    assert hosts is not None
    assert process_id is not None
    assert coordinator is not None
    if hosts < 1:
        raise UsageError(f"--hosts must be 1 or more, not {hosts}.")
    if not 0 <= process_id < hosts:
        raise UsageError(f"--process-id must be from 0 to {hosts - 1}, not {process_id}.")
    host, _, port = coordinator.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 2**16:
        raise UsageError(
            f"--coordinator must be a host and a port, such as node1:6006, not {coordinator}."
        )
    return Cluster(hosts, process_id, coordinator, devices)


def _from_variables(environment: Mapping[str, str]) -> tuple[int | None, int | None]:
    """Return the number of this process and of all processes, or None."""
    for rank, size in _VARIABLES:
        if environment.get(rank, "").isdigit():
            count = environment.get(size, "")
            return int(environment[rank]), int(count) if count.isdigit() else None
    return None, None


def _from_jax(
    coordinator: str | None, hosts: int | None, process_id: int | None
) -> tuple[str | None, int | None, int | None, tuple[int, ...] | None]:
    """Return what JAX finds in the environment; see `Cluster`.

    Raises:
        Error: JAX cannot read the environment.
    """
    # JAX has no public function for this. Its version is pinned to a minor release.
    from jax._src.clusters import ClusterEnv

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the package `kubernetes` is missing
            found = ClusterEnv.auto_detect_unset_distributed_params(
                coordinator, hosts, process_id, None, None, None
            )
    except Exception as error:  # of a variable that is missing, or of a server
        raise Error(
            f"The environment of this process cannot be read ({type(error).__name__}: "
            f"{first_line(error)}): give --hosts, --process-id and --coordinator."
        ) from error
    *others, devices = found
    if devices is None or "JAX_LOCAL_DEVICE_IDS" in os.environ:  # which JAX reads later
        return *others, None
    return *others, tuple(devices)
