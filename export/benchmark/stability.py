"""How stable a measurement is: interval, outliers, throttling, and the load by other programs.

Like `runner`, this module needs only the standard library and numpy.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 200
_MAX_BLOCKS = 40
_MAX_SAMPLES = 10_000  # of a resampling; of more, evenly spaced ones are taken
OUTLIER = 2.0  # times the median
STABLE = 1.02  # times the lowest of the medians of consecutive windows
STABLE_WINDOWS = 3
THROTTLED = 1.1  # times the time of a run at the start
_FIRST_WINDOWS, _LASTING_WINDOWS = 0.1, 3


def describe(latency_ms: NDArray[np.float64], load: ProcessorLoad) -> dict[str, Any]:
    """Describe how stable timed inferences are.

    Args:
        latency_ms: Latencies `(runs,)` in the order of the runs.
        load: The load while they ran.

    Returns:
        ``p50_interval_ms``, the 95 % interval of the median; ``outlier_share``, the share of runs
        that take more than `OUTLIER` times the median, which are not left out anywhere; and the
        shares of the processors that other programs and the hypervisor took.
    """
    return {
        "p50_interval_ms": list(median_interval(latency_ms)),
        "outlier_share": float((latency_ms > OUTLIER * np.median(latency_ms)).mean()),
        **load.shares(),
    }


def median_interval(latency_ms: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the median, by a bootstrap of blocks of consecutive runs.

    Consecutive runs resemble each other, so that single runs as observations would give too narrow
    an interval. The blocks are at least as long as the cube root of the number of runs.

    Args:
        latency_ms: Latencies `(runs,)` in the order of the runs.
        seed: Seed of the draws.

    Reference:
        Künsch, "The jackknife and the bootstrap for general stationary observations", The Annals
        of Statistics 17, 1989.
    """
    samples = latency_ms[:: math.ceil(len(latency_ms) / _MAX_SAMPLES)]
    count = len(samples)
    length = max(math.ceil(count ** (1 / 3)), math.ceil(count / _MAX_BLOCKS))
    blocks = math.ceil(count / length)
    starts = np.random.default_rng(seed).integers(count - length + 1, size=(_RESAMPLES, blocks, 1))
    medians = [np.median(samples[(start + np.arange(length)).ravel()[:count]]) for start in starts]
    low, high = np.percentile(medians, (2.5, 97.5)).tolist()
    return low, high


def is_stable(medians_ms: Sequence[float]) -> bool:
    """Tell whether a warm-up can end: its last medians lie within 2 % (`STABLE`).

    Args:
        medians_ms: Median latencies of consecutive windows.
    """
    last = medians_ms[-STABLE_WINDOWS:]
    return len(last) == STABLE_WINDOWS and max(last) <= STABLE * min(last)


def throttling(latency_ms: NDArray[np.float64]) -> dict[str, float] | None:
    """Return the medians of the first and the last quarter of the runs, and their ratio.

    Returns:
        None for fewer than four runs.
    """
    quarter = len(latency_ms) // 4
    if not quarter:
        return None
    first, last = float(np.median(latency_ms[:quarter])), float(np.median(latency_ms[-quarter:]))
    return {
        "first_quarter_p50_ms": first,
        "last_quarter_p50_ms": last,
        "ratio": last / first if first else 1.0,
    }


def throttled_at(windows: Sequence[dict[str, Any]]) -> float | None:
    """Return the second from which runs take longer than at the start; None if they do not.

    The time of a run is that of the window over its runs, so that pauses count. It must exceed
    that of the first tenth of the windows `THROTTLED` times, in three windows or more in a row.

    Args:
        windows: See `runner.Measurement.sustain`.
    """
    mean_ms = [window["mean_ms"] for window in windows]
    first = max(_LASTING_WINDOWS, round(_FIRST_WINDOWS * len(windows)))
    limit = THROTTLED * float(np.median(mean_ms[:first]))
    for index in range(first, len(windows) - _LASTING_WINDOWS + 1):
        if min(mean_ms[index : index + _LASTING_WINDOWS]) > limit:
            return float(windows[index]["at_s"])
    return None


class ProcessorLoad:
    """What other programs and the hypervisor take of the processors, between `start` and `stop`.

    Only Linux tells; elsewhere the shares are None.
    """

    def __init__(self) -> None:
        self._total = self._others = self._steal = 0.0
        self._begin: tuple[float, float, float, float] | None = None

    def start(self) -> None:
        """Begin or continue."""
        self._begin = _processor_seconds()

    def stop(self) -> None:
        """End or pause."""
        end = _processor_seconds()
        if self._begin is None or end is None:
            return
        total, busy, steal, own = (
            after - before
            for after, before in zip(end, self._begin)  # noqa: B905 (Python 3.9)
        )
        self._total += total
        self._others += max(busy - own, 0.0)
        self._steal += steal

    def shares(self) -> dict[str, float | None]:
        """Return the shares of all processors, under the names of a row's ``stability``."""
        if not self._total:
            return {"other_programs_share": None, "steal_share": None}
        return {
            "other_programs_share": min(self._others / self._total, 1.0),
            "steal_share": self._steal / self._total,
        }


def _processor_seconds() -> tuple[float, float, float, float] | None:
    """Return the seconds of all processors: total, busy, stolen, and busy with this process."""
    try:
        line = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    except OSError:
        return None
    ticks = [float(field) for field in line.split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    seconds = 1 / os.sysconf("SC_CLK_TCK")
    busy = user + nice + system + irq + softirq
    times = os.times()
    return sum(ticks) * seconds, busy * seconds, steal * seconds, times.user + times.system


def sensors() -> dict[str, float | None]:
    """Return the highest temperature in °C and the mean frequency in MHz, where Linux tells."""
    celsius, mhz = [], []
    for path in Path("/sys/class/thermal").glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):
            celsius.append(int(path.read_text(encoding="utf-8")) / 1000)
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_cur_freq"):
        with suppress(OSError, ValueError):
            mhz.append(int(path.read_text(encoding="utf-8")) / 1000)
    return {
        "temperature_celsius": max((each for each in celsius if 0 < each < 150), default=None),
        "frequency_mhz": float(np.mean(mhz)) if mhz else None,
    }
