from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main


def test_a_file_on_reference_kernels_has_its_slowdown_remarked(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = ("--recipes", "static_wi8_ai16", "--json")
    code, out, _ = run_main(capsys, "export", lenet_run.path, "--out", tmp_path, *recipes)
    row = json.loads(out)["files"][0]
    assert (code, row["audit"]["dtypes"]["int16"] > 0) == (0, True)
    assert row["remarks"][0] == "XNNPACK runs none of 15 operations"
    # Sixteen-bit activations take ten times as long on any CPU: no timing is asserted by this.
    interval = r"takes \S+ times as long as float32 on reference kernels here \(95 % interval"
    assert re.match(interval, row["remarks"][1])
