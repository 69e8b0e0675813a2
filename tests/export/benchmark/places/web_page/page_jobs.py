"""Measurements that the tests of the page offer to it, and the rows that a browser posts."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.benchmark.inputs import NOISE
from export.benchmark.places.place import Job
from export.benchmark.runner import Loaded, TimingOptions
from export.tflite.interpreter import Interpreter

HOST: dict[str, Any] = {
    "cpu": None,
    "architecture": "aarch64",
    "cores": 8,
    "instructions": [],
    "governor": None,
    "load_average": None,
    "memory_mb": None,
    "os": "Android",
    "kernel": None,
    "browser": "Firefox 153",
}
_LATENCIES = ("p50", "p90", "p95", "p99", "min", "mean", "std")
_TIMES = ("load_ms", "first_ms", "copy_in_p50_ms", "copy_out_p50_ms", "timer_overhead_ns")

MEASURED: dict[str, Any] = {
    "time": "2026-01-31T12:00:00.000Z",
    **{f"latency_{name}_ms": 0.5 for name in _LATENCIES},
    **dict.fromkeys(_TIMES, 1.5),
    "num_runs": 50,
    "threads_used": 1,
    "delegate_used": "XNNPACK",
    "throttling": None,
    "web": {
        "secure_context": False,
        "isolated": False,
        "wasm": "relaxed SIMD",
        "wasm_memory_mb": 16,
        "clock_step_ms": 0.1,
        "runs_per_sample": 10,
    },
}
"""What a browser adds to the part of a row that is known before."""


def job_of(path: Path, num_threads: int = 1) -> Job:
    """Return a short measurement of a file, with noise."""
    interpreter = Interpreter(path)
    loaded = Loaded(interpreter.input, interpreter.output, "float32", "float32", 5, 32)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Job(path, sha256, loaded, NOISE, num_threads, 0.0, TimingOptions(1, 0.0, 1.0))


def outputs_of(job: Job) -> NDArray[Any]:
    """Return the raw outputs of a file for the images of a measurement."""
    interpreter = Interpreter(job.file)
    rows = []
    for image in job.raw_images():
        interpreter.set_input(image[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_output())
    return np.concatenate(rows)
