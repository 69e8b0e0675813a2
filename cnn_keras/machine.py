"""The machine that a result is computed on: processor, memory, operating system, versions.

This module needs only the standard library and Python 3.9, so that it also runs on a board.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

# Packages whose versions affect the results of a run or a file.
PACKAGES = ("tensorflow", "keras", "ai-edge-litert", "litert-quantizer", "numpy")
RUNTIME_PACKAGES = ("ai-edge-litert", "numpy")  # those that affect the speed of a file

# Instruction sets that affect the speed of XNNPACK, and their names in /proc/cpuinfo
# (arch/x86/include/asm/cpufeatures.h and arch/arm64/kernel/cpuinfo.c of Linux; 32-bit ARM names
# NEON `neon`).
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


class Host(NamedTuple):
    """A machine.

    Attributes:
        cpu: Name of the processor or the board.
        architecture: For example `"x86_64"` or `"aarch64"`.
        cores: Number of logical cores that this process may use.
        instructions: Names from `INSTRUCTIONS` that the processor has.
        governor: Frequency governor of the first core; `None` if it is hidden, as in most virtual
            machines.
        load_average: Mean number of runnable processes over the last minute.
        memory_mb: Physical memory in MiB.
        os: Name of the operating system.
        kernel: Release of its kernel.
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


def hardware() -> dict[str, Any]:
    """Return the hardware of this machine for a record: processor, cores, memory in GiB."""
    machine = host()
    return {
        "cpu": machine.cpu,
        "architecture": machine.architecture,
        "cores": machine.cores,
        "memory_gib": round(machine.memory_mb / 1024, 1),
    }


def versions(packages: Sequence[str] | None = None) -> dict[str, str]:
    """Return the versions of Python and of installed packages.

    Args:
        packages: By default `PACKAGES` and the Keras backend. Packages that are not installed are
            left out.
    """
    if packages is None:
        keras = sys.modules.get("keras")
        packages = (*PACKAGES, keras.config.backend() if keras else "tensorflow")
    found = {package: _version(package) for package in packages}
    installed = {package: number for package, number in found.items() if number}
    return {"python": platform.python_version(), **installed}


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
    """Return the name of the processor (x86) or the board (ARM) in `/proc/cpuinfo`."""
    fields = dict(_fields(cpuinfo))
    return fields.get("model name") or fields.get("Model") or fields.get("Hardware")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _fields(cpuinfo: str) -> Iterator[tuple[str, str]]:
    for line in cpuinfo.splitlines():
        key, _, value = line.partition(":")
        yield key.strip(), value.strip()


def _os_name() -> str:
    # `platform.freedesktop_os_release` needs Python 3.10.
    for line in (_read("/etc/os-release") or "").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip("\"'")
    return f"{platform.system()} {platform.version()}"


def _read(path: str) -> str | None:
    """Return the text of a system file without trailing whitespace; `None` if there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\0\n ")
    except OSError:
        return None
