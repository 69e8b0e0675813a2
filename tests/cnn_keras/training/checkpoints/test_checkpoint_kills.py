"""Trainings that are killed at random moments and resumed end like undisturbed ones."""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import time
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.training.run_folder import Run
from export.cli import main
from tests.fixtures.interruptions import assert_same_training

pytestmark = pytest.mark.slow

LENET = ["lenet5", "--data", "digits", "--epochs", "3", "--train-images", "320"]
GOOGLENET = ["googlenet", "--data", "digits", "--image-size", "32", "--options", "stem=small"]
GOOGLENET += ["--epochs", "2", "--batch-size", "32", "--train-images", "96"]


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    """Processes that start with TensorFlow imported, which takes most of the time otherwise."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras", "sklearn.datasets", "cnn_keras.training.train"])
    first = context.Process(target=time.sleep, args=(0,))  # waits for the imports
    first.start()
    first.join()
    return context


def start(context: ForkServerContext, arguments: list[str], out: Path) -> BaseProcess:
    options = ["train", *arguments, "--save-every", "1", "--out", str(out)]
    process = context.Process(target=_train, args=(options,))
    process.start()
    return process


def _train(arguments: list[str]) -> None:
    raise SystemExit(main(arguments))


def train_with_kills(
    context: ForkServerContext, arguments: list[str], out: Path, max_saves: int, seed: int
) -> tuple[int, int]:
    """Train until the end, killed at random moments.

    Args:
        context: Starts the processes.
        arguments: Those of `train`.
        out: The run folder.
        max_saves: Each process is killed after fewer saves, or between two.
        seed: Seed of the moments.

    Returns:
        The numbers of kills and of those inside a save.
    """
    moments = random.Random(seed)
    kills = in_save = 0
    while True:
        process = start(context, arguments, out)
        wait_for_saves(process, out / "last.keras", moments.randrange(max_saves))
        process.join(moments.uniform(0, 0.1))
        process.kill()
        process.join()
        if process.exitcode == 0:
            return kills, in_save
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        in_save += any(path.suffix == ".keras" for path in out.glob(".*"))


def wait_for_saves(process: BaseProcess, path: Path, count: int) -> None:
    """Wait until a process has replaced a file so many times, or has ended."""
    last = path.stat().st_ino if path.exists() else 0
    while count and process.exitcode is None:
        time.sleep(0.001)
        found = path.stat().st_ino if path.exists() else 0
        count -= found != last
        last = found


@pytest.mark.parametrize(
    ("arguments", "runs", "max_saves"),
    [(LENET, 20, 20), (GOOGLENET, 3, 5)],
    ids=["lenet5", "inception"],
)
def test_killed_trainings_end_with_the_weights_of_an_undisturbed_one(
    arguments: list[str], runs: int, max_saves: int, processes: ForkServerContext, tmp_path: Path
) -> None:
    expected = tmp_path / "undisturbed"
    process = start(processes, arguments, expected)
    process.join()
    assert process.exitcode == 0
    total = np.zeros(2, int)
    for seed in range(runs):
        out = tmp_path / f"run_{seed}"
        total += train_with_kills(processes, arguments, out, max_saves, seed)
        assert_same_training(Run(out), Run(expected))
        assert {p.name for p in out.iterdir()} == {p.name for p in expected.iterdir()}
    kills, in_save = total
    assert kills >= runs
    assert in_save > 0 or runs < 20
    sys.stderr.write(f"{runs} runs, {kills} kills, {in_save} of them inside a save: all equal\n")
