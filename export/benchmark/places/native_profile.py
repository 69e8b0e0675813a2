"""The profile of a file by a build of LiteRT's `benchmark_model`, within the whole file.

Reference:
    LiteRT, ``tflite/tools/benchmark/README.md``, "Profiling model operators".
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from .benchmark_output import error, parse_profile, unknown_flags
from .place import Job, PlaceError

PROFILE_FLAG = "--enable_op_profiling=true"
EXTRA_SECS = 120.0
"""Seconds that the program may take beside the time of the benchmark."""

_INPUT = "input.bin"


def flags(job: Job, graph: str) -> list[str]:
    """Return the flags for the settings of `Interpreter` on this machine.

    Args:
        job: The measurement.
        graph: Path of the file for the program, which runs where ``input.bin`` is.
    """
    shape = ",".join(map(str, job.loaded.input.shape))
    return [
        f"--graph={graph}",
        "--use_xnnpack=true",
        f"--num_threads={job.num_threads}",
        "--warmup_runs=1",
        # The name need not be that of the tensor.
        "--input_layer=image",
        f"--input_layer_shape={shape}",
        f"--input_layer_value_files=image:{_INPUT}",
    ]


def timing_flags(job: Job) -> list[str]:
    """Return the flags for the durations of a measurement."""
    timing = job.timing
    return [
        f"--num_runs={timing.num_runs}",
        f"--min_secs={timing.min_secs:g}",
        f"--max_secs={timing.max_secs:g}",
        f"--warmup_min_secs={job.warmup_secs:g}",
    ]


def profile_here(binary: Path, job: Job) -> dict[str, Any]:
    """Profile a file on this machine, on its first image.

    Args:
        binary: `benchmark_model` for this machine.
        job: The measurement.

    Returns:
        See `document`.

    Raises:
        PlaceError: The program cannot be started, or fails.
    """
    command = [str(binary.resolve()), *flags(job, str(job.file.resolve())), *timing_flags(job)]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, _INPUT).write_bytes(job.raw_images()[:1].tobytes())
        try:
            done = subprocess.run(
                [*command, PROFILE_FLAG],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=EXTRA_SECS + job.warmup_secs + 2 * job.timing.max_secs,
            )
        except OSError as failure:
            raise PlaceError(f"Cannot start {binary}: {failure.strerror}.") from None
        except subprocess.TimeoutExpired as expired:
            raise PlaceError(f"{binary} does not end within {expired.timeout:g} s.") from None
    if done.returncode or (unknown := unknown_flags(done.stdout)):
        reason = error(done.stdout) or f"exit code {done.returncode}"
        if not done.returncode:
            reason = f"it does not know {unknown}; build a newer version"
        raise PlaceError(f"{binary} fails with {job.file}: {reason.rstrip('.')}.")
    return document(str(binary), done.stdout)


def document(program: str, text: str) -> dict[str, Any]:
    """Return the profile that the program printed, for a row of the benchmark.

    Args:
        program: The program, for messages.
        text: What it printed.

    Raises:
        PlaceError: It printed no profile.
    """
    found = parse_profile(text)
    if not found:
        raise PlaceError(f"{program} prints no profile: build a newer version.")
    return {
        "sum_ms": sum(operation.ms for operation in found),
        "operations": [operation._asdict() for operation in found],
    }
