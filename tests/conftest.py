"""Fixtures that several tests share: a run that was really trained."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

# Read when TensorFlow is first imported, so they stand before anything else.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train

# A shell without job control starts a background job deaf to interrupts, and so what tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def lenet_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """LeNet-5 after six epochs on the digits: about 98 % right."""
    out: Path = tmp_path_factory.mktemp("runs") / "lenet5_digits"
    return train(Training.of("lenet5", "digits", recipe={"epochs": 6}), out)
