"""Commands on damaged files: a result or one clear line, and the process survives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.cli import main
from tests.fixtures.android.write_expected import INTEGERS, MODELS
from tests.fixtures.android.write_models import FOLDER
from tests.fixtures.mutations import mutate

FILES = [*sorted(MODELS.glob("lenet5_*.tflite")), *sorted(INTEGERS.glob("lenet5_*.tflite"))]

# Of the first 12,000 seeds the only one that crashes LiteRT, at the first image: FULLY_CONNECTED
# has the options of another operation. `flatbuffer.parse` refuses nine others.
CRASHING_SEED = 5825


def damaged(seed: int, folder: Path) -> Path:
    path = folder / f"{seed}.tflite"
    path.write_bytes(mutate(FILES[seed % len(FILES)].read_bytes(), seed))
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Run a command on a damaged file; return its exit code, and stderr if there is no result."""
    code = main([*map(str, arguments)])
    out, err = capfd.readouterr()
    if out:
        assert (code in (0, 1), err) == (True, "")
    else:
        assert code in (1, 2)
        assert re.fullmatch(r"cnn-keras: .+\.\n", err), err
        assert "Traceback" not in err
    return code, err


def test_commands_report_a_crash_of_litert(
    lenet_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = damaged(CRASHING_SEED, tmp_path)
    assert run(capfd, "audit", file) == (0, "")
    for broken, command in ((FOLDER / "no_scale.tflite", "audit"), (file, "verify")):
        run_folder = ("--run", lenet_run.path) if command == "verify" else ()
        code, said = run(capfd, command, broken, *run_folder)
        assert code == 1
        assert said.startswith(f"cnn-keras: '{broken}' is damaged: LiteRT died on it (SIG")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_damaged_files_give_a_result_or_one_line(
    seed: int, lenet_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = damaged(seed, tmp_path)
    run(capfd, "audit", file)
    run(capfd, "verify", file, "--run", lenet_run.path)
