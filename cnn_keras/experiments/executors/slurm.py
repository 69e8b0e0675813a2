"""Trains on a SLURM cluster by submitit, whose machines share the folder of the runs."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...command import log
from ...errors import Error, first_line
from .executor import Answer, Result, Task, results_of, train_task, unfinished
from .followed import follow

FOLDER = ".submitit"
"""Folder of submitit's files and the logs of the jobs, beside the run folders."""

_TIMEOUTS = 1000  # after which a job is submitted again
_SECONDS_TO_SAVE = 20.0  # after Ctrl-C; SLURM's own default is 30


@dataclass(frozen=True)
class Slurm:
    """Trains each network in a job of SLURM.

    Attributes:
        partition: Partition of the jobs.
        threads: Threads of each training, and CPUs of its job.
        gpus: GPUs of each job.
        minutes: Time limit of a job; the training saves itself before, and another job resumes it.
        cluster: submitit's name of the cluster; ``"local"`` is for tests.
    """

    partition: str
    threads: int
    gpus: int = 0
    minutes: int = 60
    cluster: str = "slurm"

    def require_slurm(self) -> None:
        """Check that submitit and SLURM's commands are here.

        Raises:
            Error: One of them is not.
        """
        if find_spec("submitit") is None:
            raise Error(
                '--submitit needs submitit: pip install ".[submitit]", or pip install submitit.'
            )
        for command in ("sbatch", "srun", "scancel", "sacct"):
            if shutil.which(command) is None:
                raise Error(
                    f"--submitit needs SLURM, whose command {command} is not on this machine: run "
                    "it on a login node of the cluster."
                )

    def _executor(self, folder: Path) -> Any:
        """Return submitit's executor, with its files in a folder."""
        os.environ.setdefault("SUBMITIT_LOG_LEVEL", "NOCONFIG")  # it would log to stdout
        import submitit

        executor = submitit.AutoExecutor(
            folder, cluster=self.cluster, slurm_max_num_timeout=_TIMEOUTS
        )
        executor.update_parameters(
            name="cnn-keras",
            timeout_min=self.minutes,
            cpus_per_task=self.threads,
            slurm_partition=self.partition,
        )
        if self.gpus:  # a cluster without GPUs may refuse a number of them
            executor.update_parameters(gpus_per_node=self.gpus)
        return executor

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        """Train the networks; see `Executor`."""
        left = unfinished(tasks)
        reasons: dict[Path, str | None] = {}
        if left:
            reasons = follow(self._submit(left), _ended, _answer, self._stop)
        return results_of(tasks, reasons)

    def _submit(self, tasks: Sequence[Task]) -> dict[Any, Task]:
        """Submit trainings as one job array, and return them by their jobs.

        Raises:
            Error: SLURM refuses them.
        """
        executor = self._executor(tasks[0].out.resolve().parent / FOLDER)
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with executor.batch():
                jobs = [executor.submit(Job(task.absolute(), self.threads)) for task in tasks]
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            raise Error(
                f"SLURM refuses the jobs: {first_line(error)}", details=str(error)
            ) from error
        log(f"Submitted {len(jobs)} jobs: {', '.join(job.job_id for job in jobs)}.")
        return dict(zip(jobs, tasks, strict=True))

    def _stop(self, jobs: Sequence[Any]) -> None:
        """Let trainings save themselves, and cancel their jobs."""
        log("Wait for the jobs to save their trainings.")
        if self.cluster == "slurm":
            _cancel(jobs, "--signal=INT")  # running jobs save themselves and end
            end = time.monotonic() + _SECONDS_TO_SAVE
            while time.monotonic() < end and any(_is_running(job) for job in jobs):
                time.sleep(1)
        for job in jobs:
            job.cancel(check=False)


class Job:
    """The training of a job, which saves itself and is submitted again before its time is over.

    Args:
        task: The training.
        threads: Number of threads.
    """

    def __init__(self, task: Task, threads: int) -> None:
        self.task, self.threads = task, threads

    def __call__(self) -> Answer:
        """Train the network on the machine of the job."""
        number = preemption_signal()
        submit_again: Any = signal.getsignal(number)  # of submitit; it calls `checkpoint`
        is_preempted = False

        def save(*_: object) -> None:
            nonlocal is_preempted
            if not is_preempted:  # a second signal would end the training without saving
                is_preempted = True
                signal.raise_signal(signal.SIGINT)

        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # arrives before the signal to save
        signal.signal(number, save)
        try:
            return train_task(self.task, self.threads)
        except KeyboardInterrupt:
            if is_preempted:
                submit_again(number, None)  # ends this process
            raise

    def checkpoint(self) -> Any:
        """Return the job that resumes the training."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def preemption_signal() -> signal.Signals:
    """Return the signal that SLURM sends before it ends a job, as submitit asks it to."""
    return signal.Signals[f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}"]


def _ended(jobs: Sequence[Any]) -> list[Any]:
    """Wait for a second, and return the jobs that have ended."""
    time.sleep(1)
    return [job for job in jobs if job.done()]


def _answer(job: Any) -> Answer:
    """Return the answer of a training, or where the log of its failure is."""
    from submitit.core.utils import FailedJobError, UncompletedJobError

    try:
        answer: Answer = job.result()
    except (FailedJobError, UncompletedJobError):
        return f"Job {job.job_id} ended without a result ({job.state}); see {job.paths.stderr}."
    return answer


def _is_running(job: Any) -> bool:
    return bool(job.get_info(mode="force").get("State", "").startswith("RUNNING"))


def _cancel(jobs: Iterable[Any], *options: str) -> None:
    with suppress(OSError):
        subprocess.run(["scancel", *options, *(job.job_id for job in jobs)], check=False)
