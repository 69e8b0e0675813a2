"""Hardware and state of a phone."""

from __future__ import annotations

from export.benchmark.places.android.facts import parse_facts, parse_state
from tests.places.android_phone.recorded import COMMANDS, FILES, PROPERTIES

NOTHING = dict.fromkeys(
    ("properties", "cpuinfo", "meminfo", "loadavg", "governor", "kernel", "architecture"), ""
)


def test_facts() -> None:
    properties = PROPERTIES.replace("{abis}", "arm64-v8a,armeabi-v7a").replace("{model}", "Pixel 8")
    answers = {
        "properties": properties,
        "governor": "sched_pixel",
        "kernel": COMMANDS["uname -r"].strip(),
        "architecture": "aarch64",
        **{name: FILES[f"/proc/{name}"] for name in ("cpuinfo", "meminfo", "loadavg")},
    }
    found = parse_facts(answers)
    assert found.abis == ("arm64-v8a", "armeabi-v7a")
    assert found.android == "14"
    assert found.host == {
        "cpu": "Google Tensor G3",
        "architecture": "aarch64",
        "cores": 9,
        "instructions": ("NEON", "dotprod", "i8mm"),
        "governor": "sched_pixel",
        "load_average": 2.51,
        "memory_mb": 7571,
        "os": "Android 14",
        "kernel": "5.15.110-android14-11-g66fb5fa8d1c3",
        "model": "Google Pixel 8",
    }


def test_older_phone_names_its_board() -> None:
    answers = {**NOTHING, "cpuinfo": "processor\t: 0\nHardware\t: Qualcomm SDM845\n"}
    assert parse_facts(answers).host["cpu"] == "Qualcomm SDM845"
    answers = {**NOTHING, "properties": "[ro.board.platform]: [sdm845]\n"}
    assert parse_facts(answers).host["cpu"] == "sdm845"


def test_silent_phone_has_no_facts() -> None:
    found = parse_facts(NOTHING)
    assert found.abis == ()
    known = {name: value for name, value in found.host.items() if value is not None}
    assert known == {"instructions": (), "os": "Android"}


def test_state() -> None:
    answers = {
        "battery": COMMANDS["dumpsys battery"],
        "thermal": COMMANDS["dumpsys thermalservice"],
    }
    assert parse_state(answers) == {
        "battery_percent": 80,
        "battery_celsius": 29.1,
        "charging": True,
        "thermal_status": "light",
    }
    assert set(parse_state({"battery": "", "thermal": ""}).values()) == {None}
