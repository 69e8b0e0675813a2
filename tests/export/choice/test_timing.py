from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import export
from export.benchmark.places import digest
from export.benchmark.places.local import Local
from export.choice import timing
from export.choice.timing import Timer, layer_ms
from tests.fixtures.trained_network import Trained


def test_a_file_is_timed_and_profiled_by_layer(trained: Trained, tmp_path: Path) -> None:
    file = tmp_path / "small.tflite"
    file.write_bytes(export.quantize(trained.float32, "static_wi8_ai8", trained.calibration))
    with Timer(Local(), 1, trained.images[:32]) as timer:
        assert timer.name == "local, 1 thread"
        assert timer.time(file) > 0
        layers = timer.profile(file)
    assert len(layers) == 4
    assert min(layers) >= 0 < sum(layers)


def test_what_is_before_the_first_layer_belongs_to_it() -> None:
    assert layer_ms([0, 10, 0, 20], [1.0, 2.0, 4.0, 8.0]) == [7.0, 8.0]


def test_a_file_that_computes_something_else_elsewhere_is_not_timed(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "small.tflite"
    file.write_bytes(trained.float32)

    class Elsewhere(Local):
        name = "elsewhere"

    monkeypatch.setattr(timing, "Local", type("Here", (), {}))
    with Timer(Elsewhere(), 1, trained.images[:32]) as timer:
        timer.time(file)  # the outputs are compared, and equal
        job, expected = timer._job(file)
        wrong = np.roll(expected.outputs, 1, axis=1)
        timer._known[file] = job, expected._replace(outputs=wrong)
        with pytest.raises(digest.DigestError):
            timer.time(file)
