"""The speed of a file that XNNPACK does not run, relative to the float32 file."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from cnn_keras.data.preprocessing import Float32Images

from ..benchmark.comparison.latency_ratio import student_ratio
from ..benchmark.comparison.rounds import interleave
from ..tflite.interpreter import Interpreter

NUM_PAIRS = 5
MIN_SECONDS = 0.01  # of one timing


def slowdown_remark(content: bytes, float32: bytes, image: Float32Images) -> list[str]:
    """Return a remark about how much slower a file is than float32, if that exceeds the noise.

    Args:
        content: The file, which runs on LiteRT's reference kernels.
        float32: The float32 file.
        image: A preprocessed image `(1, height, width, channels)`.
    """
    timers = [_timer(data, image) for data in (content, float32)]
    slow, fast = interleave(timers, NUM_PAIRS)
    ratio = student_ratio(np.divide(slow, fast).tolist())
    if ratio.low <= 1:
        return []
    return [
        f"takes {ratio.value:.2g} times as long as float32 on reference kernels here "
        f"(95 % interval {ratio.low:.2g} to {ratio.high:.2g})"
    ]


def _timer(data: bytes, image: Float32Images) -> Callable[[], float]:
    """Return a function that times inferences of a file: one, or as many as take `MIN_SECONDS`."""
    interpreter = Interpreter(data)
    interpreter.set_input(interpreter.quantize(image))
    interpreter.invoke()

    def seconds_per_inference() -> float:
        runs, start = 0, time.perf_counter()
        while not runs or time.perf_counter() - start < MIN_SECONDS:
            interpreter.invoke()
            runs += 1
        return (time.perf_counter() - start) / runs

    return seconds_per_inference
