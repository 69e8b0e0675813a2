"""The program that measures on a phone; `tests/places/test_adb.py` starts it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from export.benchmark.places.android.benchmark_model import check_binary
from export.benchmark.places.android.facts import Facts
from export.benchmark.places.place import PlaceError

FACTS = Facts({}, ("arm64-v8a", "armeabi-v7a"), "14")


def header(machine: int) -> bytes:
    return b"\x7fELF" + bytes(14) + machine.to_bytes(2, "little")


@pytest.mark.parametrize("machine", [183, 40])
def test_program_for_the_phone(tmp_path: Path, machine: int) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(header(machine))
    expected = hashlib.sha256(header(machine)).hexdigest()[:12]
    assert check_binary(path, FACTS, "R58M") == expected


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (header(62), "is built for x86_64; the phone R58M runs arm64-v8a, armeabi-v7a."),
        (header(8), "is built for machine 8; the phone R58M runs arm64-v8a, armeabi-v7a."),
        (b"#!/bin/sh\n", "is not a program for Android: build LiteRT's benchmark_model with"),
        (b"\x7fELF", "is not a program for Android"),
    ],
)
def test_other_programs(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "benchmark_model"
    path.write_bytes(data)
    with pytest.raises(PlaceError) as raised:
        check_binary(path, FACTS, "R58M")
    assert str(raised.value).startswith(f"{path} {reason}")


def test_missing_program(tmp_path: Path) -> None:
    with pytest.raises(PlaceError, match=r"^Cannot read .*: No such file or directory"):
        check_binary(tmp_path / "benchmark_model", FACTS, "R58M")
