from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.errors import Error
from cnn_keras.training.config import Training
from export import demo as demo_module
from export.benchmark.measurements import MeasurementOptions
from export.benchmark.runner import TimingOptions
from export.cli import main
from export.recipes import DEFAULT


def test_the_chain_ends_with_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With short trainings, and without the second data set: no cache, no reachable proxy."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(demo_module, "LENET", Training.of("lenet5", "digits", recipe={"epochs": 4}))
    short = {"epochs": 3, "batch_size": 32, "learning_rate": 0.05}
    small = Training.of("resnet20", "mnist", recipe=short, image_size=16, options={"depth": 8})
    monkeypatch.setattr(demo_module, "RESNET", small)
    monkeypatch.setattr(demo_module, "RESNET_FALLBACK", replace(small, data="digits"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    quick = MeasurementOptions(timing=TimingOptions(min_secs=0.1), warmup_secs=0.05)  # of six files
    monkeypatch.setattr(demo_module, "BENCHMARK", quick)

    recipes = {name: DEFAULT[name] for name in ("float32", "static_wi8_ai8")}
    monkeypatch.setattr(demo_module, "DEFAULT", recipes)

    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out), "--threads", "1", "--json"]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert "Continue with digits." in captured.err
    own, package, fallback = document["exports"]
    assert [Path(exported["run"]).name for exported in (own, fallback)] == [
        "lenet5_digits",
        "resnet20_digits",
    ]
    assert package["run"] == "lenet5:digits"
    assert len(document["benchmarks"]) == 3 * len(recipes)
    for exported in ("lenet5_digits", "package/lenet5_digits"):
        assert (out / "files" / exported / "lenet5_digits_float32.tflite").is_file()
    pages = Path(document["report"]), Path(document["markdown"])
    html, markdown = (page.read_text(encoding="utf-8") for page in pages)
    for name in recipes:
        assert name in html
        assert f"| lenet5 | trained now | {name} |" in markdown
        assert f"| lenet5:digits | from the package | {name} |" in markdown
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize(
    ("recipe", "data", "message"),
    [
        ({"learning_rate": 1e30}, "digits", "lower --learning-rate"),
        ({"batch_size": 10_000}, "digits", "less than one batch"),
        ({}, "mnist", "cannot be read"),
    ],
    ids=["diverged", "options", "damaged"],
)
def test_only_a_missing_data_set_is_replaced(
    recipe: dict[str, Any], data: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(b"cut off")
    training = Training.of("lenet5", data, recipe=recipe)
    fallback = Training.of("lenet5", "digits", recipe={})
    with pytest.raises(Error, match=message):
        demo_module.train_or_fall_back(training, tmp_path / "out", tmp_path, fallback)
