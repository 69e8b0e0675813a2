"""What a phone reports about itself over `adb`: hardware, Android, battery, temperature."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from cnn_keras.machine import cpu_name, instructions

from .client import Adb

# In the order of `PowerManager.THERMAL_STATUS_*`, from 0; the app has the same names.
THERMAL_STATUS = ("none", "light", "moderate", "severe", "critical", "emergency", "shutdown")

_COMMANDS = {
    "properties": "getprop",
    "cpuinfo": "cat /proc/cpuinfo",
    "meminfo": "cat /proc/meminfo",
    "loadavg": "cat /proc/loadavg",
    "governor": "cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "kernel": "uname -r",
    "architecture": "uname -m",
}
_STATE_COMMANDS = {"battery": "dumpsys battery", "thermal": "dumpsys thermalservice"}


class Facts(NamedTuple):
    """A phone.

    Attributes:
        host: Its hardware and system, with the fields of a `machine.Host` and ``model``; a value is
            None if the phone does not report it.
        abis: The binary interfaces of programs that it runs, the preferred one first.
        android: Version of Android.
    """

    host: dict[str, Any]
    abis: tuple[str, ...]
    android: str


def read_facts(adb: Adb) -> Facts:
    """Ask a phone for its facts.

    Raises:
        PlaceError: The connection is lost.
    """
    return parse_facts(_ask(adb, _COMMANDS))


def read_state(adb: Adb) -> dict[str, Any]:
    """Ask a phone for its battery and thermal state; see `parse_state`.

    Raises:
        PlaceError: The connection is lost.
    """
    return parse_state(_ask(adb, _STATE_COMMANDS))


def parse_facts(answers: dict[str, str]) -> Facts:
    """Read the answers to the commands that describe a phone."""
    properties = dict(re.findall(r"^\[(.+?)\]: \[(.*)\]$", answers["properties"], re.MULTILINE))
    cpuinfo = answers["cpuinfo"]
    memory = re.search(r"^MemTotal:\s+(\d+) kB", answers["meminfo"], re.MULTILINE)
    load = answers["loadavg"].split()
    # Android 12 and later names the system on a chip; before, only its platform is known.
    soc = _joined(properties, "ro.soc.manufacturer", "ro.soc.model")
    android = properties.get("ro.build.version.release", "")
    host = {
        "cpu": soc or cpu_name(cpuinfo) or properties.get("ro.board.platform") or None,
        "architecture": answers["architecture"] or None,
        "cores": len(re.findall(r"^processor\s*:", cpuinfo, re.MULTILINE)) or None,
        "instructions": instructions(cpuinfo),
        "governor": answers["governor"] or None,
        "load_average": float(load[0]) if load else None,
        "memory_mb": int(memory[1]) // 1024 if memory else None,
        "os": f"Android {android}".strip(),
        "kernel": answers["kernel"] or None,
        "model": _joined(properties, "ro.product.manufacturer", "ro.product.model"),
    }
    abis = properties.get("ro.product.cpu.abilist") or properties.get("ro.product.cpu.abi", "")
    return Facts(host, tuple(filter(None, abis.split(","))), android)


def parse_state(answers: dict[str, str]) -> dict[str, Any]:
    """Read the answers to the commands that describe the state of a phone.

    Returns:
        ``battery_percent``, ``battery_celsius``, ``charging`` and ``thermal_status``, as in a row
        of the app; a value is None if the phone does not report it.
    """
    battery = dict(re.findall(r"^\s*([\w ]+): (.+?)\s*$", answers["battery"], re.MULTILINE))
    level, scale = (battery.get(name, "") for name in ("level", "scale"))
    temperature = battery.get("temperature", "")
    powered = [value for name, value in battery.items() if name.endswith("powered")]
    status = re.search(r"^Thermal Status: (\d)", answers["thermal"], re.MULTILINE)
    return {
        "battery_percent": int(level) * 100 // int(scale) if level and scale else None,
        "battery_celsius": int(temperature) / 10 if temperature else None,
        "charging": "true" in powered if powered else None,
        "thermal_status": THERMAL_STATUS[int(status[1])] if status else None,
    }


def _ask(adb: Adb, commands: dict[str, str]) -> dict[str, str]:
    """Run commands in one connection, and return what each wrote to stdout.

    A phone may refuse some of them, or not have them.
    """
    script = "\n".join(
        f"echo '==== {name}'; {text} 2>/dev/null; echo" for name, text in commands.items()
    )
    sections = adb.shell(script).stdout.split("==== ")[1:]
    answers = (section.partition("\n") for section in sections)
    return {name: text.strip() for name, _, text in answers}


def _joined(properties: dict[str, str], *names: str) -> str | None:
    return " ".join(filter(None, (properties.get(name) for name in names))) or None
