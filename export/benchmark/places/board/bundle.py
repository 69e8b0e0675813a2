"""What runs on a board: the runner, its modules, and the packages that they need.

The modules are copied into the cache there under the hash of their contents, so that the next
command finds them. They need Python 3.9 or later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import cnn_keras.machine

MIN_PYTHON = (3, 9)

# The last version with wheels for Python 3.9; later ones need 3.10 or later (files on PyPI).
_LITERT_FOR_3_9 = "2.1.0"

# Modules of `export`, and `cnn_keras.machine` for the description of the board.
_MODULES = (
    "worker.py",
    "benchmark/latency.py",
    "benchmark/runner.py",
    "benchmark/stability.py",
    "benchmark/profile/operator_runner.py",
    "tflite/interpreter.py",
    "tflite/raw_model.py",
)

# On the board; this package may have another name here.
RUNNER = "export.benchmark.runner"
OPERATOR_RUNNER = "export.benchmark.profile.operator_runner"


def sources() -> dict[str, Path]:
    """Return the modules that travel: their files here by their paths there."""
    export = Path(__file__).resolve().parents[3]
    found = {f"export/{name}": export / name for name in _MODULES}
    return {**found, "cnn_keras/machine.py": Path(cnn_keras.machine.__file__)}


def files() -> dict[str, str]:
    """Return the texts that travel by their paths, with an empty `__init__.py` in each package."""
    texts = {path: source.read_text(encoding="utf-8") for path, source in sources().items()}
    packages = {str(folder) for path in texts for folder in Path(path).parents} - {"."}
    return {**texts, **{f"{package}/__init__.py": "" for package in sorted(packages)}}


def folder_name(texts: dict[str, str]) -> str:
    """Return the name of the folder for the texts, which contains their hash."""
    digest = hashlib.sha256(repr(sorted(texts.items())).encode())
    return f"runner-{digest.hexdigest()[:16]}"


def requirements(python: Sequence[int]) -> list[str]:
    """Return what pip installs for a version of Python: the LiteRT of this machine, if it can.

    Example:
        >>> requirements((3, 9))
        ['ai-edge-litert==2.1.0', 'numpy']
    """
    litert = version("ai-edge-litert") if tuple(python) >= (3, 10) else _LITERT_FOR_3_9
    return [f"ai-edge-litert=={litert}", "numpy"]
