from __future__ import annotations

from pathlib import Path

import numpy as np

from cnn_keras.training.run_folder import Run
from export.benchmark.inputs import NOISE, saved_inputs, validation_images


def test_runs_images_are_the_inputs(lenet_run: Run) -> None:
    images = validation_images(lenet_run.path)
    assert images.shape == (32, 32, 32, 1)
    assert images.dtype == "float32"


def test_saved_inputs_are_those_of_the_run(lenet_run: Run, tmp_path: Path) -> None:
    with saved_inputs(tmp_path / "net.tflite", lenet_run.path, None) as inputs:
        assert inputs.path
        assert inputs.kind == "validation"
        np.testing.assert_array_equal(np.load(inputs.path), validation_images(lenet_run.path))
    assert not inputs.path.exists()
    with saved_inputs(tmp_path / "net.tflite", None, None) as inputs:
        assert inputs == NOISE
