"""A trained run, which tests of both packages share."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# TensorFlow reads these when it is imported, so they come first.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train

# A background job of a shell without job control ignores SIGINT, and so do its subprocesses.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lenet_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """LeNet-5 after six epochs on the digits, with an accuracy of about 98 %."""
    out: Path = tmp_path_factory.mktemp("runs") / "lenet5_digits"
    return train(Training.of("lenet5", "digits", recipe={"epochs": 6}), out)
