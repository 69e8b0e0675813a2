"""A trained network, exported files, a ruined run, and a Python that lacks packages."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.cli import main
from tests.fixtures import trained_network
from tests.fixtures.trained_network import Trained

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def trained() -> Trained:
    return trained_network.train()


@pytest.fixture(scope="session")
def exported(lenet_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("files")
    assert main(["export", str(lenet_run.path), "--out", str(out)]) == 0
    return out


@pytest.fixture
def ruined(lenet_run: Run, tmp_path: Path) -> Run:
    """A run whose network still works in float, but whose third layer has no usable range.

    One bias of C3 is huge: behind the tanh its map is 1 everywhere, while an integer file spends
    its 256 steps on it and has none left for the other fifteen maps.
    """
    folder = tmp_path / "ruined"
    shutil.copytree(lenet_run.path, folder)
    model = lenet_run.model()
    kernel, bias = model.get_layer("c3").get_weights()
    bias[0] = 10_000
    model.get_layer("c3").set_weights([kernel, bias])
    model.save(folder / "model.keras")
    return Run(folder)


@pytest.fixture
def run_without(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a Python that cannot import some packages, nor can its subprocesses."""

    def run(packages: set[str], *command: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        (tmp_path / "sitecustomize.py").write_text(
            "import sys\n"
            "class Absent:\n"
            "    def find_spec(self, name, path=None, target=None):\n"
            f"        if name.partition('.')[0] in {packages!r}:\n"
            "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
            "sys.meta_path.insert(0, Absent())\n"
        )
        return subprocess.run(
            [sys.executable, *command],
            env={**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"},
            cwd=ROOT,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    return run
