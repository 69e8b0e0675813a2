"""The program `adb`, of which a script stands in the way; `tests/places` has the real one."""

from __future__ import annotations

from pathlib import Path

import pytest

from export.benchmark.places.android.client import Adb, choose, devices
from export.benchmark.places.place import PlaceError


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a script that is called instead of `adb`."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path / "adb"


def write(program: Path, text: str) -> None:
    program.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    program.chmod(0o755)


def test_devices_and_their_states(program: Path) -> None:
    write(
        program,
        "echo '* daemon not running; starting now at tcp:5037'\n"
        "echo 'List of devices attached'\n"
        "printf 'R58M\\tdevice\\nX1\\tno permissions (user in plugdev group); see [http://...]\\n\\n'",
    )
    assert devices() == {
        "R58M": "device",
        "X1": "no permissions (user in plugdev group); see [http://...]",
    }
    assert choose("R58M") == "R58M"
    with pytest.raises(PlaceError, match=r"^The phone X1 may not be used by this user: "):
        choose("X1")
    with pytest.raises(PlaceError, match=r"^2 phones are connected: R58M, X1. Name one: --adb R58"):
        choose(None)


def test_failure_of_adb_itself(program: Path) -> None:
    write(program, "echo 'error: cannot connect to daemon.' >&2; exit 1")
    with pytest.raises(PlaceError, match=r"^adb devices fails: error: cannot connect to daemon\.$"):
        devices()


def test_shell_returns_lines_output_and_exit_code(program: Path) -> None:
    write(program, 'shift 3; exec sh -c "$*"')
    lines: list[str] = []
    found = Adb("R58M").shell("echo one; echo two; echo problem >&2; exit 3", on_line=lines.append)
    assert (found.code, found.stdout, found.stderr) == (3, "one\ntwo", "problem\n")
    assert found.reason == "problem"
    assert lines == ["one", "two"]


def test_output_without_a_line_break_is_whole(program: Path) -> None:
    write(program, 'shift 3; exec sh -c "$*"')
    assert Adb("R58M").check("printf '%s' '4.14.1 '") == "4.14.1 "


def test_failed_command_is_named(program: Path) -> None:
    write(program, 'shift 3; exec sh -c "$*"')
    with pytest.raises(PlaceError, match=r"^A command fails on the phone R58M: no such file\.$"):
        Adb("R58M").check("echo 'no such file.' >&2; exit 1")


def test_slow_command_is_ended(program: Path) -> None:
    write(program, "exec sleep 60")
    with pytest.raises(PlaceError, match=r"^The phone R58M does not answer within 0 s\.$"):
        Adb("R58M").shell("true", seconds=0.2)
