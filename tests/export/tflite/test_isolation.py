"""A damaged file ends the subprocess, and the caller goes on."""

from __future__ import annotations

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
from export.tflite.isolation import call
from tests.fixtures.android.write_models import CLASSES, FOLDER, SHAPE

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


def test_the_result_is_the_functions() -> None:
    assert call("verification.audit.audit", SOUND, file=SOUND) == export.audit(SOUND)


def test_errors_come_back_as_themselves() -> None:
    cut = FOLDER / "truncated.tflite"
    with pytest.raises(ModelFileError) as here:
        export.audit(cut)
    assert refusal("verification.audit.audit", cut) == str(here.value)
    judged = SOUND, REFERENCE[:0], IMAGES[:0], None, FLOAT32
    with pytest.raises(UsageError, match="0 images") as there:
        call("verification.verify.verify", *judged, file=SOUND)
    assert "in verify" in there.value.__notes__[0]  # where in the subprocess


@pytest.mark.parametrize(
    ("code", "file", "name"),
    [
        ("Interpreter(file)", LOADED, "SIGABRT"),
        (f"Interpreter(file)(np.zeros((1, *{SHAPE}), 'f4'))", RUN, "SIGSEGV"),
    ],
)
def test_without_a_subprocess_files_end_the_process(code: str, file: Path, name: str) -> None:
    """Why there is a subprocess, and that the two files still show it."""
    program = (
        "import numpy as np; from export.tflite.interpreter import Interpreter; "
        f"file = {str(file)!r}"
    )
    done = subprocess.run([sys.executable, "-c", f"{program}; {code}"], check=False, stderr=-1)
    assert -done.returncode == signal.Signals[name]


def test_a_signal_is_named() -> None:
    assert refusal("verification.audit.audit", LOADED) == (
        f"'{LOADED}' is damaged: LiteRT crashed on it (SIGABRT); copy or export the file again."
    )
    judged = REFERENCE, IMAGES, None, FLOAT32
    assert "LiteRT crashed on it (SIGSEGV)" in refusal("verification.verify.verify", RUN, *judged)


def test_a_file_that_takes_too_long_is_refused() -> None:
    assert refusal("verification.audit.audit", SOUND, seconds=0.01).startswith(
        f"'{SOUND}' is damaged: LiteRT did not finish with it in 0 s"
    )


def test_a_file_that_needs_too_much_memory_is_refused(tmp_path: Path) -> None:
    model = parse(SOUND.read_bytes())
    graph = model.subgraphs[0]
    graph.tensors[graph.inputs[0]].shape[1:3] = 30_000, 30_000  # activations of some 80 GB
    greedy = tmp_path / "greedy.tflite"
    greedy.write_bytes(pack(model))
    assert str(greedy) in refusal("verification.audit.audit", greedy)


def test_each_image_advances_the_progress(capfd: pytest.CaptureFixture[str]) -> None:
    steps: list[None] = []
    judged = SOUND, REFERENCE, IMAGES, None, FLOAT32
    call("verification.verify.verify", *judged, file=SOUND, advance=lambda: steps.append(None))
    assert len(steps) == len(IMAGES)
    assert capfd.readouterr() == ("", "")


def test_what_subprocesses_call_needs_no_tensorflow() -> None:
    program = (
        "import sys; "
        "from export.verification import audit, layer_errors, verify; "
        "sys.exit(bool({'keras', 'tensorflow', 'tyro'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
