from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.benchmark.inputs import NOISE, Inputs
from export.benchmark.places.place import Job
from export.benchmark.runner import Loaded, TimingOptions, noise
from export.tflite.interpreter import TensorSpec

SPEC = TensorSpec("image", (1, 2, 2, 1), "int8", 0.5, 3)
JOB = Job(
    Path("net.tflite"),
    "ab" * 32,
    Loaded(SPEC, SPEC, "int8", "int8", 5, 2),
    NOISE,
    num_threads=2,
    warmup_secs=0.5,
    timing=TimingOptions(),
)


def test_without_images_a_job_has_noise() -> None:
    np.testing.assert_array_equal(JOB.images(), noise((2, 2, 1)))
    assert JOB.load_options == ("net.tflite", 2, 0.5, None)


def test_raw_images_have_the_type_of_the_input(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    np.save(path, np.float32([0.0, 1.0, -1.0, 100.0]).reshape(1, 2, 2, 1))
    job = Job(JOB.file, JOB.sha256, JOB.loaded, Inputs(path, "validation"), 1, 0.0, TimingOptions())
    assert job.load_options.inputs == str(path)
    raw = job.raw_images()
    assert raw.dtype == "int8"
    assert raw.ravel().tolist() == [3, 5, 1, 127]


@pytest.mark.parametrize("scale", [0.0])
def test_raw_images_of_a_float_input_are_the_images(scale: float) -> None:
    spec = SPEC._replace(dtype="float32", scale=scale)
    job = Job(JOB.file, JOB.sha256, JOB.loaded._replace(input=spec), NOISE, 1, 0.0, TimingOptions())
    np.testing.assert_array_equal(job.raw_images(), job.images())
