"""The reference of other executors: trains one network after the other in one process.

python -m tests.executors.in_order THREADS < TASKS
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Sequence

from cnn_keras.command import start_keras
from cnn_keras.experiments.executors.executor import IN_ORDER, Task
from cnn_keras.experiments.executors.threads import set_threads


def train_in_order(tasks: Sequence[Task], threads: int) -> None:
    """Train in a new process, because TensorFlow's threads are set before its first operation."""
    subprocess.run(
        [sys.executable, "-m", __name__, str(threads)],
        input=pickle.dumps(list(tasks)),
        check=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )


if __name__ == "__main__":
    start_keras()
    set_threads(int(sys.argv[1]))
    IN_ORDER.train_all(pickle.load(sys.stdin.buffer))
