"""The real `adb`, and a stand-in for a phone that speaks its protocol."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from export.benchmark.places.android import app as app_place
from export.benchmark.places.row_schema import schema
from export.cli import main
from tests.fixtures.android.write_expected import MODELS
from tests.places.android_phone.adbd import Adbd
from tests.places.android_phone.phone import Phone

pytestmark = pytest.mark.places

STATIC = "lenet5_mnist_static_wi8_ai8.tflite"
FLOAT = "lenet5_mnist_float32.tflite"
ARM64, X86 = 183, 62  # machines of ELF files


def adb(*arguments: str) -> str:
    command = ["adb", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


@pytest.fixture(scope="module", autouse=True)
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start an own server of `adb`, with its own key."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANDROID_ADB_SERVER_PORT", "15938")
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        adb("start-server")
        yield
        adb("kill-server")


@pytest.fixture
def phone() -> Iterator[Phone]:
    with Phone() as phone:
        yield phone


@pytest.fixture
def connect() -> Iterator[Callable[..., str]]:
    """Return a function that connects a phone to `adb` and returns its serial number."""
    connected = []

    def connect(phone: Phone, **options: bool) -> str:
        daemon = Adbd(phone, **options)
        connected.append(daemon)
        command = ["adb", "connect", daemon.address]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        state = next(
            (state for name, state in STATES.items() if not options.get(name, True)), "device"
        )
        end = time.monotonic() + 20
        while f"{daemon.address}\t{state}" not in adb("devices"):
            assert time.monotonic() < end
        process.kill()
        process.wait()
        return daemon.address

    yield connect
    for daemon in connected:
        adb("disconnect", daemon.address)
        daemon.disconnect()


STATES = {"authorized": "unauthorized", "answers": "offline"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return copy(STATIC, tmp_path)


def copy(name: str, to: Path) -> Path:
    path = to / name
    path.write_bytes((MODELS / name).read_bytes())
    return path


@pytest.fixture
def binary(tmp_path: Path) -> Path:
    return elf(tmp_path / "android_arm64_benchmark_model", ARM64)


def elf(path: Path, machine: int) -> Path:
    path.write_bytes(
        b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00" + bytes([machine, 0]) + bytes(44)
    )
    return path


def benchmark(*arguments: object) -> list[str]:
    quick = ("--min-secs", "0.1", "--warmup-secs", "0.1", "--max-secs", "20", "--num-runs", "20")
    return ["benchmark", *map(str, arguments), *quick]


def rows(file: Path) -> list[dict[str, Any]]:
    """Return the lines of the results, which fit the schema."""
    results = file.with_name("benchmarks.jsonl")
    documents = [json.loads(line) for line in results.read_text().splitlines()]
    for document in documents:
        jsonschema.validate(document, schema())
    return documents


def refused(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """Run a benchmark that fails, and return its only line on stderr."""
    assert main(benchmark(*arguments)) == 1
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("cnn-keras: ")]
    assert len(lines) == 1, captured
    return lines[0].removeprefix("cnn-keras: ")


def test_app(phone: Phone, connect: Callable[..., str], file: Path) -> None:
    serial = connect(phone)
    assert main(benchmark(file, "--adb", "--threads", 1, 2)) == 0
    one, two = rows(file)
    assert (one["place"], one["runtime"]) == (f"adb:{serial}", "LiteRT")
    assert (one["num_threads"], two["num_threads"]) == (1, 2)
    assert one["inputs"] == two["inputs"] == "random"
    assert one["digest"]["equal"]
    assert one["digest"]["images"] == 32
    assert one["digest"]["distinct_outputs"] > 1
    assert one["host"]["governor"] == "sched_pixel"  # the app of the stored row could not read it
    assert one["state"]["after"].keys() == one["state"]["before"].keys()
    assert phone.files() == []
    assert not phone.app_pid
    assert phone.running() == []


def test_phone_and_this_machine_share_a_table(
    phone: Phone, connect: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serial = connect(phone)
    files = [copy(name, tmp_path) for name in (STATIC, FLOAT)]
    assert main(benchmark(*files, "--adb", serial, "--local", "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    places = [(Path(row["file"]).name, row["place"]) for row in document["rows"]]
    assert places == [
        (name, place) for name in (STATIC, FLOAT) for place in ("local", f"adb:{serial}")
    ]


def test_benchmark_model(
    phone: Phone, connect: Callable[..., str], file: Path, binary: Path
) -> None:
    serial = connect(phone)
    options = ("--benchmark-model", binary, "--taskset", "f0", "--threads", 2)
    assert main(benchmark(file, "--adb", serial, *options)) == 0
    (row,) = rows(file)
    # The recorded output, see `recorded`.
    assert (row["latency_p50_ms"], row["latency_p95_ms"]) == (51.891, 68.628)
    assert (row["load_ms"], row["first_ms"]) == (119.515, 87.112)
    assert (row["num_runs"], row["latency_p90_ms"]) == (1000, None)
    assert (row["nodes"], row["delegated_nodes"], row["partitions"]) == (15, 15, 1)
    assert (row["runtime"], row["delegate_used"]) == ("benchmark_model", "XNNPACK")
    assert (row["taskset"], row["digest"]["equal"]) == ("f0", True)
    assert row["host"]["model"] == "Google Pixel 8"
    assert row["state"]["before"]["thermal_status"] == "light"
    assert (phone.root / "taskset").read_text() == "f0\n"
    *once, timed = phone.started
    assert len(once) == 32
    for command in phone.started:
        assert "--use_xnnpack=true --num_threads=2 --warmup_runs=1" in command
    assert timed.endswith("--num_runs=20 --min_secs=0.1 --max_secs=20 --warmup_min_secs=0.1")
    assert phone.files() == []


def test_profile_by_benchmark_model(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    binary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connect(phone)
    assert main(benchmark(file, "--adb", "--benchmark-model", binary, "--profile")) == 0
    (row,) = rows(file)
    assert row["native_profile"]["sum_ms"] == pytest.approx(0.697)
    assert [each["op"] for each in row["native_profile"]["operations"]][-1] == "Add (ND, QU8)"
    assert (row["latency_p50_ms"], "profile" in row) == (51.891, False)
    assert "--enable_op_profiling" not in phone.started[-2]
    assert phone.started[-1].endswith("--enable_op_profiling=true")
    assert "Convolution (NHWC, QU8) IGEMM" in capsys.readouterr().out


@pytest.mark.parametrize("program", [False, True], ids=["app", "benchmark_model"])
def test_wrong_outputs_are_not_timed(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    binary: Path,
    capsys: pytest.CaptureFixture[str],
    program: bool,
) -> None:
    serial = connect(phone)
    phone.flip = True
    options = ("--benchmark-model", binary) if program else ()
    line = refused(capsys, file, "--adb", *options)
    reason = f"it predicts another class for {32 if program else 1} of 32 images."
    assert line == f"{file} is not timed at adb:{serial}: {reason}"
    jobs = [command for command in phone.started if program or "--es job" in command]
    assert len(jobs) == (32 if program else 1)
    assert not file.with_name("benchmarks.jsonl").exists()
    assert phone.files() == []


def test_program_without_xnnpack_is_not_timed(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    binary: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connect(phone)
    phone.uses_xnnpack = False
    line = refused(capsys, file, "--adb", "--benchmark-model", binary)
    assert "XNNPACK runs no operation there" in line


def test_damaged_copy_is_refused(
    phone: Phone, connect: Callable[..., str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(phone)
    phone.damage = lambda name, data: data[:-1] if name.endswith(".tflite") else data
    assert "differs from it" in refused(capsys, file, "--adb")
    assert phone.started == [f"start -n {app_place.ACTIVITY}"]  # to create its folder
    assert phone.files() == []


def test_no_phone_is_connected(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, file, "--adb").startswith("No phone is connected: connect one")


def test_adb_is_missing(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert refused(capsys, file, "--adb").startswith(
        "adb is missing. On Debian: apt-get install adb"
    )


def test_two_phones(
    phone: Phone, connect: Callable[..., str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Phone() as other:
        serials = sorted([connect(phone), connect(other)])
        line = refused(capsys, file, "--adb")
        assert line.startswith("2 phones are connected: ")
        assert all(serial in line for serial in serials)
        assert "Name one: --adb 127.0.0.1:" in line
        unknown = refused(capsys, file, "--adb", "emulator-5554")
        assert unknown.startswith("No phone 'emulator-5554' is connected; adb lists 127.0.0.1:")
        assert main(benchmark(file, "--adb", *serials)) == 0
    assert [row["place"] for row in rows(file)] == [f"adb:{serial}" for serial in serials]


@pytest.mark.parametrize(
    ("option", "reason"),
    [("authorized", "has not authorized this computer"), ("answers", "does not answer")],
)
def test_phone_is_not_ready(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    capsys: pytest.CaptureFixture[str],
    option: str,
    reason: str,
) -> None:
    serial = connect(phone, **{option: False})
    assert refused(capsys, file, "--adb").startswith(f"The phone {serial} {reason}: ")


@pytest.mark.parametrize("program", [False, True], ids=["app", "benchmark_model"])
def test_no_space(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    binary: Path,
    capsys: pytest.CaptureFixture[str],
    program: bool,
) -> None:
    connect(phone)
    phone.free_bytes = 1000
    options = ("--benchmark-model", binary) if program else ()
    assert "has no space left" in refused(capsys, file, "--adb", *options)
    assert phone.files() == []


def test_program_for_another_processor(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    serial = connect(phone)
    binary = elf(tmp_path / "benchmark_model", X86)
    line = refused(capsys, file, "--adb", "--benchmark-model", binary)
    expected = f"{binary} is built for x86_64; the phone {serial} runs arm64-v8a, armeabi-v7a."
    assert line == expected
    binary.write_text("#!/bin/sh\n")
    line = refused(capsys, file, "--adb", "--benchmark-model", binary)
    assert "is not a program for Android" in line
    assert phone.files() == []


def test_app_is_not_installed(
    phone: Phone, connect: Callable[..., str], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serial = connect(phone)
    phone.is_app_installed = False
    line = refused(capsys, file, "--adb")
    assert line.startswith(
        f"The app is not installed on the phone {serial}: make apk && adb install"
    )


@pytest.mark.parametrize(
    ("behavior", "reason"),
    [
        ("crashes", "has crashed: java.lang.IllegalStateException: The engine is closed."),
        ("dies", "has ended without a crash report; Android may have ended it for lack of memory."),
        ("ignores", "does not take the job; it may be old: make apk"),
        ("hangs", "has no result after "),
        ("stops", "The benchmark was stopped: unlock the phone, and keep the app in the foregr"),
        ("refuses", "This app has no LiteRT that runs on this phone's processor (riscv64)."),
    ],
)
def test_app_fails(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    behavior: str,
    reason: str,
) -> None:
    monkeypatch.setattr(app_place, "START_SECS", 2.0)
    monkeypatch.setattr(app_place, "EXTRA_SECS", -17.0)  # the benchmark may take 20 s
    connect(phone)
    phone.app = behavior
    assert reason in refused(capsys, file, "--adb")
    assert phone.files() == []
    assert not phone.app_pid
    assert not file.with_name("benchmarks.jsonl").exists()


@pytest.mark.parametrize("program", [False, True], ids=["app", "benchmark_model"])
def test_phone_is_disconnected(
    phone: Phone, file: Path, binary: Path, capsys: pytest.CaptureFixture[str], program: bool
) -> None:
    options = ("--benchmark-model", binary) if program else ()
    with Adbd(phone) as daemon:
        adb("connect", daemon.address)
        phone.on_start = daemon.disconnect
        line = refused(capsys, file, "--adb", *options)
        assert line.startswith(f"The connection to the phone {daemon.address} is lost")
        adb("disconnect", daemon.address)


@pytest.mark.parametrize("program", [False, True], ids=["app", "benchmark_model"])
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(
    phone: Phone,
    connect: Callable[..., str],
    file: Path,
    binary: Path,
    program: bool,
    kind: signal.Signals,
) -> None:
    """Nothing is left on the phone, neither files nor processes."""
    connect(phone)
    phone.app = "hangs"
    started = threading.Event()
    phone.on_start = started.set
    options = ("--benchmark-model", str(binary)) if program else ()
    command = [sys.executable, "-m", "export", *benchmark(file, "--adb", *options)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert started.wait(60)
        process.send_signal(kind)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + kind
    assert "Traceback" not in errors
    assert phone.files() == []
    assert phone.running() == []
    assert not phone.app_pid
