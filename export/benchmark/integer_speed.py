"""Why integer files can be slower than float32 files on a machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .runner import Row

# Instructions that multiply and add four pairs of 8-bit integers in one lane. Without them 8-bit
# integers are first widened to 16 bits, and a float multiply-add does as much work.
INT8_DOT_PRODUCT = ("AVX-512 VNNI", "AVX-VNNI", "AMX int8", "dotprod", "i8mm")

INTEGERS = {"int2", "int4", "int8", "int16", "uint8"}

# Medians of repeated runs of one file are within 1 % on a quiet machine
# (docs/results/benchmark_agreement.json) and within some percent on a busy one.
NOISE = 1.05


def integer_note(
    instructions: Sequence[str],
    rows: Sequence[Row],
    same_network: Callable[[str, str], bool] | None = None,
) -> str | None:
    """Explain integer files that are slower than the float32 file of the same network.

    A file counts as slower if both its median and its minimum are, by more than `NOISE`. (Higher
    percentiles depend on the load of the machine, which can hide the difference.) It is compared
    with the float32 file if there is only one in the same folder, or only one among the rows.

    Args:
        instructions: Those of the processor, named as in `machine.INSTRUCTIONS`.
        rows: The measurements.
        same_network: Returns whether two files hold the same network; by default all do.

    Returns:
        One line for each slower file, or `None`.
    """
    slower: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if not {row.dtype, row.activation_dtype} & INTEGERS:
            continue
        reference = _float_row(row, rows, same_network or (lambda file, other: True))
        if reference and _is_slower(row, reference):
            times = row.latency_p50_ms / reference.latency_p50_ms
            measured = f"{times:.2f} times ({row.num_threads} thread{'s' * (row.num_threads > 1)})"
            slower.setdefault((row.file, _reason(instructions, row)), []).append(measured)
    lines = [
        f"{Path(file).name} takes {' and '.join(measured)} as long as float32 here: {reason}."
        for (file, reason), measured in slower.items()
    ]
    return "\n".join(lines) or None


def _is_slower(row: Row, reference: Row) -> bool:
    return (
        row.latency_p50_ms > NOISE * reference.latency_p50_ms
        and row.latency_min_ms > NOISE * reference.latency_min_ms
    )


def _reason(instructions: Sequence[str], row: Row) -> str:
    outside = row.nodes - row.delegated_nodes
    fast = [name for name in INT8_DOT_PRODUCT if name in instructions]
    if row.activation_dtype == "int16":
        return (
            f"XNNPACK has no kernels for 16-bit activations, so {outside} of {row.nodes} "
            "operations run on LiteRT's own, which are not optimized"
        )
    if row.activation_dtype == "float32":
        return "it stores integers but computes on float32 activations and has to convert them"
    if not fast:
        return (
            f"this CPU has no 8-bit dot product ({', '.join(INT8_DOT_PRODUCT)}), so integers are "
            "widened before they are multiplied; such a file is smaller, not faster, on this CPU"
        )
    if outside:
        return f"{outside} of {row.nodes} operations run outside XNNPACK"
    return f"this CPU has an 8-bit dot product ({fast[0]}), but the layers are too small to gain"


def _float_row(
    row: Row, rows: Sequence[Row], same_network: Callable[[str, str], bool]
) -> Row | None:
    """Return the float32 row to compare with, or None if there is not exactly one candidate."""
    floats = [
        other
        for other in rows
        if other.dtype == other.activation_dtype == "float32"
        and other.num_threads == row.num_threads
        and same_network(row.file, other.file)
    ]
    beside = [other for other in floats if Path(other.file).parent == Path(row.file).parent]
    candidates = beside or floats
    return candidates[0] if len(candidates) == 1 else None
