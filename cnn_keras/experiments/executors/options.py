"""Options of the commands that train many networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import UsageError

if TYPE_CHECKING:
    from .executor import Executor


@dataclass(frozen=True, kw_only=True)
class ExecutorOptions:
    """Where the trainings of a command run."""

    jobs: int = 1
    """Train this many networks at a time, each in its own process."""
    threads: int | None = None
    """Threads of each training; by default those of TensorFlow, with --jobs the cores divided by
    it, and 1 on a cluster. Trainings are equal bit for bit only with the same number."""
    ray: str | None = None
    """Train on the Ray cluster at this address, HOST:PORT, ray://HOST:PORT or auto, as many
    networks at a time as it has room for. All machines need the same folder of the runs."""
    submitit: str | None = None
    """Train on this partition of a SLURM cluster, each network in a job."""
    job_minutes: int = 60
    """Time limit of a SLURM job. A training saves itself before, and another job resumes it."""
    gpus: int = 0
    """GPUs of each training on a cluster."""

    def executor(self) -> Executor:
        """Return what trains the networks.

        Raises:
            UsageError: A number is not above 0, or options exclude each other.
            Error: A cluster cannot be reached.
        """
        from .executor import IN_ORDER
        from .processes import Processes
        from .threads import divided_threads

        for name, least in (("jobs", 1), ("threads", 1), ("job_minutes", 1), ("gpus", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                option = name.replace("_", "-")
                raise UsageError(f"--{option} must be {least} or more, not {value}.")
        if self.ray is not None or self.submitit is not None:
            return self._cluster()
        if self.gpus:
            raise UsageError("--gpus is for a cluster: leave it out.")
        if self.jobs == 1 and self.threads is None:
            return IN_ORDER
        return Processes(self.jobs, self.threads or divided_threads(self.jobs))

    def _cluster(self) -> Executor:
        if self.jobs > 1:
            raise UsageError("--jobs is for this machine: leave it out on a cluster.")
        threads = self.threads or 1
        if self.ray is not None:
            if self.submitit is not None:
                raise UsageError("Give either --ray or --submitit.")
            from .ray_cluster import RayCluster

            ray = RayCluster(self.ray, threads, self.gpus)
            ray.require_cluster()
            return ray
        assert self.submitit is not None
        from .slurm import Slurm

        slurm = Slurm(self.submitit, threads, self.gpus, self.job_minutes)
        slurm.require_slurm()
        return slurm
