"""A trained run, which tests of both packages share."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path
from typing import Any

import pytest

# TensorFlow reads these when it is imported, so they come first.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

from cnn_keras import blocks
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train

# A background job of a shell without job control ignores SIGINT, and so do its subprocesses.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Keep the half million objects of the imported modules out of each garbage collection."""
    gc.freeze()


@pytest.fixture(scope="session")
def lenet_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """LeNet-5 after six epochs on the digits, with an accuracy of about 98 %."""
    out: Path = tmp_path_factory.mktemp("runs") / "lenet5_digits"
    return train(Training.of("lenet5", "digits", recipe={"epochs": 6}), out)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Build AlexNet and VGG with dense layers of 64 units, of which the papers' have 4096.

    Their weights take most of the time where only the operations matter.
    """

    def narrow_layer(x: Any, units: int, *, name: str) -> Any:
        assert units == 4096
        return blocks.fc_relu_dropout(x, 64, name=name)

    for family in ("alexnet", "vgg"):
        monkeypatch.setattr(f"cnn_keras.models.{family}.fc_relu_dropout", narrow_layer)
