"""The wheel holds both packages and one command, and no top-level `export`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_keras.trained.table import DESCRIPTION, TRAINED, WEIGHTS
from tests.fixtures import FIXTURES

ROOT = Path(__file__).parents[1]
PACKAGES = {"cnn_keras": Path("cnn_keras"), "export": Path("cnn_keras_export")}


PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
OFFLINE = ("--no-deps", "--no-build-isolation", "--no-index")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources."""
    base = tmp_path_factory.mktemp("wheel")
    source = base / "source"
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, source / folder)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    subprocess.run([*PIP, "wheel", *OFFLINE, "-w", str(base), str(source)], check=True)
    (path,) = base.glob("cnn_keras-*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The wheel, unpacked into a folder of its own."""
    target = wheel.parent / "site"
    subprocess.run([*PIP, "install", *OFFLINE, "--target", str(target), str(wheel)], check=True)
    return target


def run(installed: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(installed)}
    return subprocess.run(
        arguments,
        cwd=installed.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_wheel_holds_both_packages_and_no_export(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"cnn_keras", "cnn_keras_export", "bin"}
    modules = {str(path.relative_to(installed)) for path in installed.rglob("*.py")}
    for folder, package in PACKAGES.items():
        for path in (ROOT / folder).rglob("*.py"):
            assert str(package / path.relative_to(ROOT / folder)) in modules


def test_it_holds_the_templates_and_the_style_sheet(installed: Path) -> None:
    for folder in ("cnn_keras_export/report", "cnn_keras/comparison"):
        for name in ("page.html.j2", "page.md.j2"):
            assert (installed / folder / name).is_file()
    for name in ("page.html.j2", "page.css", "main.js"):
        assert (installed / "cnn_keras_export" / "benchmark_report" / "page" / name).is_file()
    assert (installed / "cnn_keras_export" / "cards" / "card.md.j2").is_file()
    assert (installed / "cnn_keras_export" / "benchmark" / "row.schema.json").is_file()
    assert (installed / "cnn_keras" / "report" / "style.css").is_file()


def test_trained_networks_classify_images(wheel: Path, installed: Path, tmp_path: Path) -> None:
    assert wheel.stat().st_size < 8_000_000
    for trained in TRAINED.values():
        packed = installed / trained.folder.relative_to(ROOT)
        assert {path.name for path in packed.iterdir()} == {WEIGHTS, *DESCRIPTION}
    image = str(FIXTURES / "images" / "digit_3.png")
    command = [str(installed / "bin" / "cnn-keras"), "predict", "lenet5:digits", image, "--json"]
    done = run(installed, "env", f"XDG_CACHE_HOME={tmp_path}", *command)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)[0]["top"][0]["label"] == "3"


def test_command_works_outside_the_sources(installed: Path) -> None:
    done = run(installed, str(installed / "bin" / "cnn-keras"), "list", "--json")
    assert done.returncode == 0, done.stderr
    assert '"resnet110"' in done.stdout
    failed = run(installed, str(installed / "bin" / "cnn-keras"), "audit", "missing.tflite")
    assert (failed.returncode, failed.stderr.count("\n")) == (1, 1)


def test_benchmark_measures_a_file(installed: Path, tmp_path: Path) -> None:
    file = shutil.copy(FIXTURES / "models" / "float32.tflite", tmp_path)
    options = ["--num-runs", "5", "--min-secs", "0", "--warmup-secs", "0", "--json"]
    command = [str(installed / "bin" / "cnn-keras"), "benchmark", file]
    done = run(installed, *command, *options)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"][0]["num_runs"] >= 5
