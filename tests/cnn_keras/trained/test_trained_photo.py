"""ResNet-20, trained on CIFAR-10, classifies a photograph.

`photos/cat.jpg` is Chelsea, a cat photographed by Stéfan van der Walt (CC0), from scikit-image's
`data.cat`, scaled to 226×150.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from export import app_models
from tests.fixtures import FIXTURES
from tests.fixtures.command_line import run_main

APP_FILE = app_models.models_folder(app_models.APP) / "resnet20_cifar10_static_wi8_ai8.tflite"


@pytest.mark.parametrize("source", ["resnet20:cifar10", APP_FILE], ids=["network", "file"])
def test_a_cat_is_a_cat(
    source: str | Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, out, _ = run_main(capsys, "predict", source, FIXTURES / "photos/cat.jpg", "--json")
    assert code == 0
    (image,) = json.loads(out)
    assert image["top"][0]["label"] == "cat"
    assert image["top"][0]["probability"] > 0.9
