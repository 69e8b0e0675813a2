"""Run the scripts of this folder in the environment that has torch and JAX."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PYTHON = ROOT / ".venv-torch" / "bin" / "python"


def run_there(script: str, *arguments: str | Path, backend: str = "torch") -> None:
    """Run a script of this folder.

    Args:
        script: Name of the script.
        arguments: Its arguments.
        backend: Backend of Keras.
    """
    if not PYTHON.exists():
        pytest.fail(
            "There is no .venv-torch: `make test-slow` makes it from "
            "tests/backends/requirements.txt."
        )
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT)}
    command = [PYTHON, "-W", "error::FutureWarning", HERE / script, *arguments]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr
