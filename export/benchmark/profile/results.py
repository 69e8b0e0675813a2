"""The latency of a file's operations, related to the whole file and to what the machine can do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from .archive import PEAKS, Archive
from .operator_runner import Times

Grouping = Literal["row", "op", "stage"]

COPIES = tuple(2**power for power in range(14, 27, 2))
"""Bytes of the arrays that are copied to measure the bandwidth, from a cache to the memory."""


class Operation(NamedTuple):
    """An operation, or several of one group.

    Attributes:
        name: The paper's row, TFLite's operation or the stage, if it is a group; otherwise the
            name of the output.
        ops: TFLite's operations, with their numbers if there are several; ``PAD + CONV_2D`` is one.
        ms: Latency, without the cost of a call.
        share: Of the sum of all operations.
        macs: Multiply-adds.
        num_bytes: Inputs, constants and outputs.
        gmac_s: Multiply-adds per second, in 10⁹; None without any.
        roofline: Share of the speed that the machine reaches at best; see `bound_ms`.
    """

    name: str
    ops: str
    ms: float
    share: float
    macs: int
    num_bytes: int
    gmac_s: float | None
    roofline: float


def document(archive: Archive, times: Times) -> dict[str, Any]:
    """Return what was measured, for a row of the benchmark.

    The sum counts one call, as the whole file has one.
    """
    calls = len(archive.names)
    peaks: dict[str, float] = {}
    for (dtype, side, channels), ms in zip(PEAKS.values(), times.peaks_ms, strict=True):
        rate = side**2 * channels**2 / max(ms - times.alone_call_ms, 1e-6) / 1e6
        peaks[dtype] = max(peaks.get(dtype, 0.0), rate)
    bandwidth = {
        str(2 * size): 2 * size / ms / 1e6 for size, ms in zip(COPIES, times.copies_ms, strict=True)
    }
    rows = []
    for operator, ms, alone_ms, delegated in zip(
        archive.operators, times.operations_ms, times.alone_ms, times.delegated, strict=True
    ):
        own = max(ms - times.call_ms, 0.0)
        found = operator._asdict()
        del found["content"], found["inputs"]
        rows.append(
            {
                **found,
                "fused": [each.op for each in operator.fused],
                "ms": own,
                "alone_ms": max(alone_ms - times.alone_call_ms, 0.0),
                "delegated": delegated,
                "bound_ms": bound_ms(
                    operator.macs, operator.num_bytes, operator.kernel_dtype, peaks, bandwidth
                ),
            }
        )
    alone = sum(row["alone_ms"] for row in rows if row["fused"])
    separate = sum(max(ms - times.alone_call_ms, 0.0) for ms in times.fused_ms)
    return {
        "whole_ms": times.whole_ms,
        "sum_ms": sum(row["ms"] for row in rows) + times.call_ms,
        "alone_sum_ms": sum(row["alone_ms"] for row in rows) + times.alone_call_ms,
        "call_ms": times.call_ms,
        "calls_ms": times.call_ms * (calls - 1),
        "fusion_ms": max(separate - alone, 0.0),
        "rounds": times.rounds,
        "peak_gmac_s": peaks,
        "bandwidth_gb_s": bandwidth,
        "operations": rows,
    }


def bound_ms(
    macs: int,
    num_bytes: int,
    kernel_dtype: str | None,
    peaks: dict[str, float],
    bandwidth: dict[str, float],
) -> float:
    """Return the ms that an operation takes at least: the roofline.

    It multiplies no faster than the fastest convolution of the same type, and moves its bytes no
    faster than an array of this size is copied.

    Args:
        macs: Multiply-adds.
        num_bytes: Inputs, constants and outputs.
        kernel_dtype: Type of the kernel.
        peaks: Multiply-adds per second in 10⁹, by type.
        bandwidth: 10⁹ bytes per second, by the bytes that are read and written.

    Reference:
        Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for
        multicore architectures", Communications of the ACM 52, 2009.
    """
    peak = peaks[arithmetic(kernel_dtype)]
    sizes = [float(size) for size in bandwidth]
    speed = float(np.interp(np.log(max(num_bytes, 1)), np.log(sizes), list(bandwidth.values())))
    return max(macs / peak, num_bytes / speed) / 1e6


def arithmetic(kernel_dtype: str | None) -> str:
    """Return the type of the peak that bounds an operation with a kernel of some type."""
    return "int8" if kernel_dtype in ("int8", "int4") else "float32"


def grouped(profile: dict[str, Any], by: Grouping) -> list[Operation]:
    """Return the operations of each row, kind or stage together, the slowest first."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in profile["operations"]:
        name = row["op"] if by == "op" else row["row"]
        groups.setdefault(stage_of(name) if by == "stage" else name, []).append(row)
    found = [_operation(name, rows, profile) for name, rows in groups.items()]
    return sorted(found, key=lambda each: -each.ms)


def _operation(name: str, rows: Sequence[dict[str, Any]], profile: dict[str, Any]) -> Operation:
    ms = sum(row["ms"] for row in rows)
    macs = sum(row["macs"] for row in rows)
    total = sum(row["ms"] for row in profile["operations"])
    counts: dict[str, int] = {}
    for label in map(_label, rows):
        counts[label] = counts.get(label, 0) + 1
    return Operation(
        name=name,
        ops=", ".join(f"{count} {op}" if count > 1 else op for op, count in counts.items()),
        ms=ms,
        share=ms / total if total else 0.0,
        macs=macs,
        num_bytes=sum(row["num_bytes"] for row in rows),
        gmac_s=macs / ms / 1e6 if macs and ms else None,
        roofline=sum(row["bound_ms"] for row in rows) / ms if ms else 0.0,
    )


def stage_of(row: str) -> str:
    """Return the stage that a row belongs to.

    Example:
        >>> stage_of("conv2_1"), stage_of("4c"), stage_of("logits")
        ('conv2', '4', 'logits')
    """
    if found := re.fullmatch(r"(.*\d)_\d+|(\d+)[a-z]", row):
        return found[1] or found[2]
    return row


def conclusion(profile: dict[str, Any]) -> str:
    """Return how far the sum of the operations explains the whole file, in words."""
    whole, total, alone = (profile[key] for key in ("whole_ms", "sum_ms", "alone_sum_ms"))
    fused = dict.fromkeys(_label(row) for row in profile["operations"] if row["fused"])
    sentences = [
        f"The operations take {total:.4g} ms together, {total / whole:.1%} of the whole file's "
        f"{whole:.4g} ms.",
        f"Each alone, with its data in the nearest caches, they take {alone:.4g} ms.",
        f"{profile['calls_ms']:.2g} ms of calls of single operations "
        f"({profile['call_ms'] * 1000:.2g} µs each) are subtracted.",
    ]
    if fused:
        sentences.append(
            f"XNNPACK fuses {', '.join(fused)}, which is timed as one operation and saves "
            f"{profile['fusion_ms']:.2g} ms."
        )
    if whole > max(total, alone):
        sentences.append(
            f"The rest of {whole - total:.2g} ms is what XNNPACK loses between operations."
        )
    elif whole < min(total, alone):
        sentences.append(
            f"The whole file takes {min(total, alone) - whole:.2g} ms less, which neither calls, "
            "nor fusion, nor caches explain."
        )
    else:
        sentences.append("The difference from the whole file is that of the caches.")
    return " ".join(sentences)


def _label(row: dict[str, Any]) -> str:
    """Return TFLite's name of an operation, with those that are fused into it."""
    return " + ".join(row.get("fused") or [row["op"]])
