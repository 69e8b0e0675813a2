"""The files of a job for the app; `tests/places/test_adb.py` starts it."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import numpy as np

from export.benchmark.inputs import NOISE
from export.benchmark.places.android import app
from export.benchmark.places.place import Job
from export.benchmark.places.row_schema import schema
from export.benchmark.runner import LoadOptions, TimingOptions
from export.benchmark.runner_process import RunnerProcess
from tests.fixtures import FIXTURES
from tests.fixtures.android.write_expected import MODELS

DEMO = FIXTURES.parents[1] / "android_demo"
KOTLIN = DEMO / "app/src/main/kotlin/org/cnnkeras/demo"


def test_job(tmp_path: Path) -> None:
    file = MODELS / "lenet5_mnist_static_wi8_ai8.tflite"
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    with RunnerProcess(LoadOptions(str(file), 1, 0.0)) as process:
        loaded = process.loaded
    job = Job(file, sha256, loaded, NOISE, 4, 0.5, TimingOptions(50, 1.0, 150.0))
    expected = app.expected_outputs(job)
    paths = app.write_job(job, expected, tmp_path)
    assert [path.name for path in paths] == ["job.json", "inputs.bin", "expected.bin"]
    assert json.loads(paths[0].read_text()) == {
        "file": file.name,
        "inputs": "random",
        "num_threads": 4,
        "warmup_secs": 0.5,
        "num_runs": 50,
        "min_secs": 1.0,
        "max_secs": 150.0,
        "rule": "static",
        "step": 1 / 256,
    }
    assert paths[1].read_bytes() == job.raw_images().tobytes()
    outputs = np.frombuffer(paths[2].read_bytes(), np.float32).reshape(32, 10)
    assert len(np.unique(outputs, axis=0)) > 1


def test_names_are_those_of_the_app() -> None:
    pom = ET.parse(DEMO / "pom.xml").getroot()
    package = pom.findtext(".//{*}app.package")
    assert package == app.PACKAGE
    activity = app.ACTIVITY.removeprefix(f"{package}/.").replace(".", "/")
    assert (KOTLIN / f"{activity}.kt").is_file()
    job = (KOTLIN / "benchmark/BenchmarkJob.kt").read_text("utf-8")
    names = set(re.findall(r'const val [A-Z]+ = "([\w.]+)"', job))
    assert names == {
        *("job.json", "inputs.bin", "expected.bin", "started", "outputs.bin", "result.json")
    }
    assert set(re.findall(r"[\w.]+\.(?:bin|json)|started", app._RUN)) <= names


def test_row_of_the_app_fits_the_schema() -> None:
    row = json.loads((FIXTURES / "app_result.json").read_text("utf-8"))["row"]
    jsonschema.validate(row, schema())
