from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from export.benchmark.places.board import agent, bundle


def test_runners_need_only_what_travels(tmp_path: Path) -> None:
    for name, text in bundle.files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    code = (
        f"import sys; sys.path = [{str(tmp_path)!r}, *sys.path[1:]]; import runpy, {bundle.RUNNER};"
        f"import {bundle.OPERATOR_RUNNER};"
        "import cnn_keras.machine; print(*(m.__file__ for n, m in sys.modules.items()"
        " if n.partition('.')[0] in ('export', 'cnn_keras')), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported = {str(Path(line).relative_to(tmp_path)) for line in done.stdout.split()}
    assert imported == set(bundle.files())


def test_it_is_small() -> None:
    assert sum(len(text.encode()) for text in bundle.files().values()) < 100_000


def test_hash_depends_on_every_text() -> None:
    files = bundle.files()
    name = bundle.folder_name(files)
    assert name == bundle.folder_name(dict(reversed(files.items())))
    assert name != bundle.folder_name({**files, "export/worker.py": "# changed"})


@pytest.mark.parametrize("path", [*bundle.sources().values(), Path(agent.__file__)], ids=str)
def test_python_3_9_is_enough(path: Path) -> None:
    """vermin knows since when each module, function and piece of syntax exists."""
    minimum = ".".join(map(str, bundle.MIN_PYTHON))
    code = "import vermin; vermin.main()"
    done = subprocess.run(
        [sys.executable, "-c", code, f"-t={minimum}-", "--violations", path],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_packages_are_those_of_this_machine() -> None:
    assert bundle.requirements((3, 11)) == [f"ai-edge-litert=={version('ai-edge-litert')}", "numpy"]
