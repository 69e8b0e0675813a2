from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from cnn_keras.cli import COMMANDS, main
from cnn_keras.command import Command, Outcome, log, terminable
from cnn_keras.errors import Error
from cnn_keras.tables import table
from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main


@pytest.fixture
def broken(tmp_path: Path, lenet_run: Run) -> Path:
    """A folder of broken images and runs."""
    (tmp_path / "text.png").write_text("hello")
    Image.new("RGB", (300, 300), "red").save(tmp_path / "whole.jpg")
    content = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty").mkdir()
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for path in lenet_run.path.iterdir():
        (damaged / path.name).write_bytes(path.read_bytes()[:100])
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("summary resnet51", 2, "Unknown network 'resnet51'. Did you mean 'resnet50'?"),
        ("train lenet5 --data digit --out {}/new", 2, "Did you mean 'digits'?"),
        ("train lenet5 --data digits --out {}/new --epoch 3", 2, "Unrecognized options: --epoch"),
        ("train lenet5 --data digits --out {}/new --epochs many", 2, "'many'"),
        ("train lenet5 --data digits --out {}/new --precision float64", 2, "'float64'"),
        ("train lenet5 --data digits", 2, "--out"),
        ("train lenet5 --data digits --out {}/new --options form", 2, "KEY=VALUE, not 'form'"),
        ("train lenet5 --data digits --out {}/new --options form=1989", 2, "not '1989'"),
        ("train lenet5 --data digits --out {}/text.png", 2, "is not a run folder"),
        ("train lenet5 --data digits --out /proc/new", 1, "/proc"),
        (
            "train",
            2,
            "Missing from cnn-keras train: NAME --data STR --out PATH (see cnn-keras train ",
        ),
        ("trian lenet5", 2, "Unknown command 'trian'. Did you mean 'train'?"),
        ("list --jsn", 2, "options: --jsn Perhaps you meant: --json (see cnn-keras list --help)"),
        ("dataset", 2, "Expected one of {check}. (see cnn-keras dataset --help)"),
        ("dataset chek {}/r.pth", 2, "Unknown command 'chek'. Did you mean 'check'?"),
        ("", 2, "list"),
        ("evaluate {}/empty", 1, "has no trained model"),
        ("evaluate {}/missing", 1, "No such run folder"),
        ("evaluate {}/damaged/model.keras", 1, "model.keras is a file: expected a run folder"),
        ("train lenet5 --data digits --out {}/new --weights {}/r.pth", 1, "No such weights"),
        ("evaluate {}/damaged", 1, "config.json is not valid JSON"),
        ("evaluate {run} --split tset", 2, "Did you mean 'test'?"),
        ("predict {run} {}/missing.png", 1, "No such image"),
        ("predict {run} {}/text.png", 1, "is not an image"),
        ("predict {run} {}/cut.jpg", 1, "cannot be read as an image"),
        ("predict {run} {}/cut.jpg {}/whole.jpg {}/no.png", 1, "2 of 3 images cannot be read"),
        ("predict {run}", 2, "image"),
        ("predict {run} {}/whole.jpg --top 0", 2, "--top must be 1 or more, not 0"),
        ("predict {run} {}/whole.jpg --top -1", 2, "--top must be 1 or more, not -1"),
        ("train lenet5 --data digits --out {}/new --options name=x", 2, "option of lenet5 'name'"),
        ("summary lenet5 --options num_classes=3", 2, "option of lenet5 'num_classes'"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    arguments: str,
    code: int,
    message: str,
    broken: Path,
    lenet_run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(broken.rglob("*"))
    words = [word.replace("{run}", str(lenet_run.path)) for word in arguments.split()]
    found, out, err = run_main(capsys, *(word.replace("{}", str(broken)) for word in words))
    assert (found, out) == (code, "")
    assert message in err
    assert err.startswith("cnn-keras: ")
    assert err.count("\n") == 1
    assert sorted(broken.rglob("*")) == before


@dataclass(frozen=True)
class Print(Command):
    """Print what only some terminals show."""

    kind: Literal["text", "table", "error"] = "text"

    def __call__(self) -> Outcome:
        if self.kind == "error":
            raise Error("32×32 größe 模型 \udcff")
        text = "32×32 größe 模型 \udcff"
        return Outcome([text], text if self.kind == "text" else table(("größe",), [(text,)]))


@dataclass(frozen=True)
class Wait(Command):
    """Wait for a signal, and for another one while it cleans up."""

    number: int = 0

    def __call__(self) -> Outcome:
        try:
            os.kill(os.getpid(), self.number)
            time.sleep(60)
        finally:
            if self.number == signal.SIGTERM:
                os.kill(os.getpid(), self.number)
            log("cleaned up")
        raise AssertionError


@pytest.mark.parametrize(
    ("number", "code", "how"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_signals_end_a_command_after_its_cleanup(
    number: signal.Signals, code: int, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert main({"wait": Wait, "print": Print}, ["wait", "--number", str(int(number))]) == code
    assert capsys.readouterr().err == f"cleaned up\ncnn-keras: {how}\n"
    assert signal.getsignal(signal.SIGTERM) == before == signal.SIG_DFL


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with terminable():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "gbk", "utf-8"])
@pytest.mark.parametrize("arguments", ["--kind text", "--kind table", "--kind error", "--json"])
def test_output_that_the_encoding_lacks_is_escaped(
    arguments: str, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    streams = [io.TextIOWrapper(io.BytesIO(), encoding) for _ in range(2)]
    for name, stream in zip(("stdout", "stderr"), streams, strict=True):
        monkeypatch.setattr(sys, name, stream)
    expected = 1 if "error" in arguments else 0
    assert (
        main({"print": Print, "list": COMMANDS["list"]}, ["print", *arguments.split()]) == expected
    )
    shown = []
    for stream in streams:
        stream.flush()
        shown.append(stream.buffer.read() if stream.seek(0) == 0 else b"")  # type: ignore[attr-defined]
    assert b"32" in shown[expected]
    assert b"Traceback" not in shown[1]


@pytest.mark.parametrize("arguments", ["--kind text", "--kind table", "--kind error", "--json"])
def test_closed_output_is_no_error(arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    expected = 1 if "error" in arguments else 0
    assert (
        main({"print": Print, "list": COMMANDS["list"]}, ["print", *arguments.split()]) == expected
    )
    for stream in (sys.stdout, sys.stderr):
        stream.close()


def test_wrong_usage_is_reported_without_the_lines_of_an_ascii_box() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnn_keras", "train", "lenet5"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Missing from" in done.stderr
    assert "---" not in done.stderr


def test_help_and_list_import_neither_keras_nor_tensorflow() -> None:
    program = (
        "import sys; from cnn_keras.cli import main\n"
        "try: main(argv=sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'keras', 'tensorflow', 'numpy', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    for arguments in ("--help", "train resnet20 --recipe modern --help", "list"):
        command = [sys.executable, "-c", program, *arguments.split()]
        subprocess.run(command, check=True, capture_output=True)


def test_python_m_runs_in_a_clone() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cnn_keras", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("python -m cnn_keras 0.")


def test_a_reader_that_exits_is_no_error() -> None:
    command = f"{sys.executable} -m cnn_keras list --json | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
