"""A damaged file ends a child; what called it goes on."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import export
from cnn_keras.errors import UsageError
from export.recipes import RECIPES
from export.tflite.flatbuffer import pack, parse
from export.tflite.interpreter import ModelFileError
from export.tflite.isolation import call, epitaph
from tests.fixtures.write_models import CLASSES, FOLDER, SHAPE

FLOAT32 = RECIPES["float32"]
SOUND = FOLDER / "float32.tflite"

# LiteRT dies on these when it loads the file, or at the first image.
LOADED, RUN = FOLDER / "no_scale.tflite", FOLDER / "no_bias.tflite"
IMAGES = np.zeros((3, *SHAPE), np.float32)
REFERENCE = np.full((3, CLASSES), 1 / CLASSES, np.float32)


def refusal(target: str, file: Path, *arguments: object, **options: float) -> str:
    with pytest.raises(ModelFileError) as caught:
        call(target, file, *arguments, file=file, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_answer_is_the_function_s() -> None:
    assert call("verification.audit.audit", SOUND, file=SOUND) == export.audit(SOUND)


def test_errors_come_back_as_themselves() -> None:
    cut = FOLDER / "truncated.tflite"
    with pytest.raises(ModelFileError) as here:
        export.audit(cut)
    assert refusal("verification.audit.audit", cut) == str(here.value)
    judged = SOUND, REFERENCE[:0], IMAGES[:0], None, FLOAT32
    with pytest.raises(UsageError, match="0 images") as there:
        call("verification.verify.verify", *judged, file=SOUND)
    assert "in verify" in there.value.__notes__[0]  # where in the child


@pytest.mark.parametrize(
    ("code", "file", "name"),
    [
        ("Interpreter(file)", LOADED, "SIGABRT"),
        (f"Interpreter(file)(np.zeros((1, *{SHAPE}), 'f4'))", RUN, "SIGSEGV"),
    ],
)
def test_without_a_child_files_end_the_process(code: str, file: Path, name: str) -> None:
    """The reason for the child, and whether the two files still show it."""
    program = (
        "import numpy as np; from export.tflite.interpreter import Interpreter; "
        f"file = {str(file)!r}"
    )
    done = subprocess.run([sys.executable, "-c", f"{program}; {code}"], check=False, stderr=-1)
    assert -done.returncode == signal.Signals[name]


def test_a_signal_is_named() -> None:
    assert refusal("verification.audit.audit", LOADED) == (
        f"'{LOADED}' is damaged: LiteRT died on it (SIGABRT); copy or export the file again."
    )
    judged = REFERENCE, IMAGES, None, FLOAT32
    assert "LiteRT died on it (SIGSEGV)" in refusal("verification.verify.verify", RUN, *judged)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGHUP", "SIGXCPU"])
def test_a_signal_from_outside_is_no_damage(name: str) -> None:
    message = str(epitaph("net.tflite", -signal.Signals[name], "", "export.verification.audit"))
    assert message.startswith(
        f"'net.tflite' was not read: its process was ended from outside ({name})"
    )
    assert ("memory" in message) == (name == "SIGKILL")


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGILL", "SIGABRT"])
def test_where_a_sound_file_dies_too_no_file_is_damaged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that crashes when it is imported stands for a LiteRT that does."""
    (tmp_path / "crashing.py").write_text(
        f"import os; os.kill(os.getpid(), {signal.Signals[name]})"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert str(epitaph("net.tflite", -signal.SIGSEGV, "", "crashing")) == (
        "'net.tflite' was not read: LiteRT itself crashes on this machine (SIGSEGV)."
    )


def test_where_litert_cannot_learn_of_the_processor_no_file_is_damaged() -> None:
    hide = "mount -t tmpfs none /sys && mount --bind /dev/null /proc/cpuinfo && "
    apart = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*apart, f"{hide} true"], check=False, stderr=-3).returncode:
        pytest.skip("/proc and /sys can be hidden by root alone")
    program = (
        "from export.tflite.isolation import epitaph; "
        "print(epitaph('f', -11, '', 'export.verification.audit'))"
    )
    command = f"{hide} exec {sys.executable} -c {shlex.quote(program)}"
    done = subprocess.run([*apart, command], check=True, capture_output=True, text=True)
    assert done.stdout == (
        "'f' was not read: LiteRT itself crashes on this machine (SIGSEGV); /proc/cpuinfo and "
        "/sys/devices/system/cpu/possible cannot be read here.\n"
    )


def test_a_file_that_takes_too_long_is_given_up() -> None:
    assert refusal("verification.audit.audit", SOUND, seconds=0.01).startswith(
        f"'{SOUND}' is damaged: LiteRT did not finish with it in 0 s"
    )


def test_a_file_that_wants_all_memory_is_refused(tmp_path: Path) -> None:
    model = parse(SOUND.read_bytes())
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape[1:3] = 30_000, 30_000  # activations of some 80 GB
    greedy = tmp_path / "greedy.tflite"
    greedy.write_bytes(pack(model))
    assert str(greedy) in refusal("verification.audit.audit", greedy)


def test_each_image_is_told(capfd: pytest.CaptureFixture[str]) -> None:
    told: list[None] = []
    judged = SOUND, REFERENCE, IMAGES, None, FLOAT32
    call("verification.verify.verify", *judged, file=SOUND, advance=lambda: told.append(None))
    assert len(told) == len(IMAGES)
    assert capfd.readouterr() == ("", "")


def test_what_children_do_needs_no_tensorflow() -> None:
    program = (
        "import sys; "
        "from export.verification import audit, layer_errors, verify; "
        "sys.exit(bool({'keras', 'tensorflow', 'tyro'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
