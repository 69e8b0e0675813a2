"""The memory that the images of a folder add to a training, measured with `cnn-keras train`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tests.fixtures.own_data import write_npz

# LeNet-5 has few weights and feature maps, so that most of the memory is that of the data.
NETWORK, SIDE, BATCH = "lenet5", 224, 32

# Peaks of the process and of the worker processes that have ended, in MiB.
_PROGRAM = """
import resource, sys
from cnn_keras.cli import main
from export.worker import memory_mb
code = main()
children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
print(memory_mb()[1], children)
sys.exit(code)
"""


class Peaks(NamedTuple):
    """Peak memory of two trainings, in MiB.

    Attributes:
        repeated: Of a training on one repeated batch of the same shape.
        files: Of a training on the files.
    """

    repeated: float
    files: float

    @property
    def added(self) -> float:
        """What the files add."""
        return self.files - self.repeated


def measure(folder: Path, out: Path, *options: str) -> Peaks:
    """Train on one repeated batch and then on a folder of images, at 224×224 in RGB.

    Args:
        folder: Images by split and class; broken ones are skipped.
        out: A new folder for the run folders and the batch.
        options: More options of the training on the folder, such as `--workers 2`.
    """
    out.mkdir(parents=True)
    random = np.random.default_rng(0)
    arrays = {
        f"{kind}_{split}": values
        for split in ("train", "test")
        for kind, values in (
            ("x", random.integers(0, 256, (BATCH, SIDE, SIDE, 3), np.uint8)),
            ("y", np.arange(BATCH) % 8),
        )
    }
    arrays |= {"x_val": arrays["x_test"], "y_val": arrays["y_test"]}
    batch = write_npz(out / "batch.npz", arrays)
    repeated = _peak("--data", f"npz:{batch}", "--out", out / "repeated", "--epochs", "4")
    files = _peak(
        *("--data", f"folder:{folder}", "--out", out / "files", "--epochs", "1", "--skip-broken"),
        *("--weights", out / "repeated", *options),  # for the same input in RGB
    )
    return Peaks(repeated, files)


def _peak(*arguments: str | Path) -> float:
    """Return the peak memory of a training in MiB, with that of its worker processes."""
    command = [sys.executable, "-c", _PROGRAM, "train", NETWORK, "--batch-size", str(BATCH)]
    done = subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return sum(map(float, done.stdout.split()[-2:]))
