"""The options that name phones; `tests/places/test_adb.py` tests the phones."""

from __future__ import annotations

from pathlib import Path

import pytest
import tyro

from cnn_keras.errors import UsageError
from export.benchmark.cli import Benchmark
from export.benchmark.places.adb import AdbOptions, Phone


def parse(*arguments: str) -> Benchmark:
    return tyro.cli(Benchmark, args=["a.tflite", *arguments])


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ((), ["local"]),
        (("--adb",), ["adb"]),
        (("--adb", "--local"), ["local", "adb"]),
        (("--adb", "emulator-5554", "R58M", "--threads", "2"), ["adb:emulator-5554", "adb:R58M"]),
    ],
)
def test_names_of_phones(arguments: tuple[str, ...], names: list[str]) -> None:
    assert [place.name for place in parse(*arguments).places()] == names


def test_options_reach_the_phone() -> None:
    (phone,) = parse("--adb", "--benchmark-model", "bm", "--taskset", "0xF0").places()
    assert isinstance(phone, Phone)
    assert (phone._binary, phone._mask) == (Path("bm"), "0xF0")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (AdbOptions(adb=(), taskset="f0"), "--taskset needs --adb and --benchmark-model; an app"),
        (AdbOptions(benchmark_model=Path("bm"), taskset="f0"), "--taskset needs --adb and"),
        (
            AdbOptions(adb=(), benchmark_model=Path("bm"), taskset="4-7; reboot"),
            "--taskset is a hexadecimal mask such as f0, not '4-7; reboot'.",
        ),
    ],
)
def test_wrong_options(options: AdbOptions, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        options.places()
    assert str(raised.value).startswith(message)
