"""The machine that a measurement was made on, and why integers may be slow on it.

Only the standard library: it also runs on a board.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .runner import Row

# Instruction sets that decide how fast XNNPACK's kernels are, and their names in /proc/cpuinfo
# (arch/x86/include/asm/cpufeatures.h and arch/arm64/kernel/cpuinfo.c of Linux; 32-bit ARM says
# `neon`).
INSTRUCTIONS = {
    "FMA": {"fma"},
    "AVX2": {"avx2"},
    "AVX-512F": {"avx512f"},
    "AVX-512 VNNI": {"avx512_vnni"},
    "AVX-VNNI": {"avx_vnni"},
    "AMX int8": {"amx_int8"},
    "NEON": {"neon", "asimd"},
    "dotprod": {"asimddp"},
    "i8mm": {"i8mm"},
}

# Those that multiply and add four pairs of 8-bit integers in one lane; without them 8-bit products
# are first widened to 16 bits, and a float multiply-add does as much work.
INT8_DOT_PRODUCT = ("AVX-512 VNNI", "AVX-VNNI", "AMX int8", "dotprod", "i8mm")

INTEGERS = {"int2", "int4", "int8", "int16", "uint8"}


# Medians of repeated runs of one file lie within 1 % on a quiet machine
# (docs/results/benchmark_agreement.json) and within some percent on a busy one.
NOISE = 1.05


class Host(NamedTuple):
    """A machine.

    Attributes:
        cpu: Name of the processor, or of the board.
        architecture: For example `"x86_64"` or `"aarch64"`.
        cores: Logical cores that this process may use.
        instructions: Names from `INSTRUCTIONS` that the processor has.
        governor: Frequency governor of the first core; `None` where it is hidden, as in most
            virtual machines.
        load_average: Runnable processes, mean of the last minute, before the measurement.
        memory_mb: Physical memory in MiB.
        os: Name of the operating system.
        kernel: Its release.
    """

    cpu: str
    architecture: str
    cores: int
    instructions: tuple[str, ...]
    governor: str | None
    load_average: float
    memory_mb: int
    os: str
    kernel: str


def host() -> Host:
    """Describe this machine."""
    cpuinfo = _read("/proc/cpuinfo") or ""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return Host(
        cpu=cpu_name(cpuinfo) or _read("/proc/device-tree/model") or platform.processor(),
        architecture=platform.machine(),
        cores=cores or 1,
        instructions=instructions(cpuinfo),
        governor=_read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        load_average=round(os.getloadavg()[0], 2),
        memory_mb=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20,
        os=_os_name(),
        kernel=platform.release(),
    )


def versions() -> dict[str, str]:
    """Return the versions that a measurement depends on."""
    packages = {name: version(name) for name in ("ai-edge-litert", "numpy")}
    return {"python": platform.python_version(), **packages}


def instructions(cpuinfo: str) -> tuple[str, ...]:
    """Name the instruction sets of `INSTRUCTIONS` that `/proc/cpuinfo` lists.

    Example:
        >>> instructions("flags : fpu avx2 fma")
        ('FMA', 'AVX2')
        >>> instructions("Features : fp asimd asimddp")
        ('NEON', 'dotprod')
    """
    present: set[str] = set()
    for key, value in _fields(cpuinfo):
        if key in ("flags", "Features"):
            present.update(value.split())
    return tuple(name for name, spellings in INSTRUCTIONS.items() if spellings & present)


def cpu_name(cpuinfo: str) -> str | None:
    """Return the name that `/proc/cpuinfo` gives to the processor (x86) or the board (ARM)."""
    fields = dict(_fields(cpuinfo))
    return fields.get("model name") or fields.get("Model") or fields.get("Hardware")


def integer_note(
    machine: Host, rows: Sequence[Row], same_network: Callable[[str, str], bool] | None = None
) -> str | None:
    """Explain integer files that are slower here than the float32 file of the same network.

    A file counts as slower if its median and its minimum both are, by more than `NOISE`. (Higher
    percentiles belong to whatever else runs: on a busy machine they hide the difference.) The
    float32 file is the only one in the same folder, or the
    only one that was measured at all.

    Args:
        machine: Where the rows were measured.
        rows: The measurements.
        same_network: Tells whether two of their files are of one network; by default all are.

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
            slower.setdefault((row.file, _reason(machine, row)), []).append(measured)
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


def _reason(machine: Host, row: Row) -> str:
    outside = row.nodes - row.delegated_nodes
    fast = [name for name in INT8_DOT_PRODUCT if name in machine.instructions]
    if row.activation_dtype == "int16":
        return (
            f"XNNPACK has no kernels for 16-bit activations, so {outside} of {row.nodes} "
            "operations run on LiteRT's own, which are not optimized"
        )
    if row.activation_dtype == "float32":
        return "it stores integers but computes on float32 activations, and pays for the conversion"
    if not fast:
        return (
            f"this CPU has no 8-bit dot product ({', '.join(INT8_DOT_PRODUCT)}), so integers are "
            "widened before they are multiplied; such a file is smaller, not faster, on this CPU"
        )
    if outside:
        return f"{outside} of {row.nodes} operations run outside XNNPACK"
    return f"not for want of instructions (it has {fast[0]}); its layers are too small to gain"


def _float_row(
    row: Row, rows: Sequence[Row], same_network: Callable[[str, str], bool]
) -> Row | None:
    """Return the float32 row to compare with, if there is no doubt which it is."""
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


def _fields(cpuinfo: str) -> Iterator[tuple[str, str]]:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        yield key.strip(), value.strip()


def _os_name() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return f"{platform.system()} {platform.version()}"


def _read(path: str) -> str | None:
    """Return the text of a small system file without its end mark, `None` if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
