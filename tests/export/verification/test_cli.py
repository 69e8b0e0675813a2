from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

from cnn_keras.training.run_folder import Run
from export.verification import exported_file
from export.verification.cli import document_table
from tests.fixtures.command_line import run_main


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the latency measurement of a repair."""
    monkeypatch.setattr(
        exported_file,
        "TimingOptions",
        partial(exported_file.TimingOptions, num_runs=8, min_secs=0.0),
    )
    monkeypatch.setattr(
        exported_file, "LoadOptions", partial(exported_file.LoadOptions, warmup_secs=0.0)
    )


@pytest.mark.usefixtures("quick")
def test_verify_compares_layers_and_repairs(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = exported.glob("*_static_wi8_ai8.tflite")
    options = ("--layers", "--figure", tmp_path / "layers.SVG", "--repair", tmp_path / "r.tflite")
    code, out, _ = run_main(capsys, "verify", file, *options, "--json")
    document = json.loads(out)
    assert code == 0
    added = [layer["added"] for layer in document["layers"]]
    assert added == sorted(added, reverse=True)
    assert {"c1", "c3", "c5", "f6", "logits"} <= {layer["row"] for layer in document["layers"]}
    assert "<svg" in (tmp_path / "layers.SVG").read_text()
    assert document["repaired"]["float_layers"] == []  # the file passes as it is
    assert (tmp_path / "r.tflite").read_bytes() == file.read_bytes()
    assert document["repaired"]["latency_p50_ms"] > 0
    code, _, err = run_main(capsys, "verify", file, "--figure", tmp_path / "layers.pdf")
    assert (code, err.count("\n")) == (2, 1)


def test_verify_and_audit_agree_with_export(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {r["recipe"]: r for r in json.loads((exported / "export.json").read_text())["files"]}
    for name, row in rows.items():
        code, out, _ = run_main(capsys, "audit", exported / row["file"], "--json")
        document = json.loads(out)
        assert (code, document["recipe"], document["sha256"]) == (0, name, row["sha256"])
    row = rows["static_wi8_ai8"]
    code, out, _ = run_main(capsys, "verify", exported / row["file"], "--json")
    document = json.loads(out)
    assert code == 0
    for key in ("top1_file", "agreement", "max_abs_error", "snr_db"):
        assert document[key] == pytest.approx(row[key])
    assert run_main(capsys, "verify", exported / row["file"], "--split", "test")[0] == 0


def test_verify_refuses_a_file_of_another_network(
    exported: Path, ruined: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ruined.model()
    model.set_weights([np.roll(w, 1, axis=-1) for w in model.get_weights()])
    model.save(ruined.path / "model.keras")
    file = exported / f"{exported_name(exported)}_float32.tflite"
    code, out, _ = run_main(capsys, "verify", file, "--run", ruined.path, "--json")
    assert code == 1
    assert json.loads(out)["reasons"]
    assert file.exists()  # it is the user's; only export removes


def exported_name(exported: Path) -> str:
    name: str = json.loads((exported / "export.json").read_text())["run"]
    return Path(name).name


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("of", ["lone file", "run"])
def test_a_model_with_logits_is_compared_with_a_softmax(
    of: str, lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = lenet_run.model()
    logits = keras.Model(trained.inputs[0], trained.get_layer("logits").output, name="lenet5")
    source: list[str | Path] = [tmp_path / "mine.keras", "--run", lenet_run.path]
    if of == "run":
        source = [tmp_path / "run"]
        shutil.copytree(lenet_run.path, tmp_path / "run")
    else:  # another network than its run's; `verify` has to compare with this one
        logits.set_weights([0.8 * weight for weight in logits.get_weights()])
    logits.save(tmp_path / ("run/model.keras" if of == "run" else "mine.keras"))
    recipes = ("--recipes", "float32", "static_wi8_ai8", "--json")
    code, out, _ = run_main(capsys, "export", *source, "--out", tmp_path / "files", *recipes)
    exact, integer = json.loads(out)["files"]
    assert (code, exact["agreement"], exact["audit"]["ops"]["SOFTMAX"]) == (0, 1, 1)
    assert exact["max_abs_error"] < 1e-5
    assert integer["snr_db"] > 20
    if of == "run":
        code, out, _ = run_main(capsys, "evaluate", tmp_path / "run", "--json")
        assert (code, json.loads(out)["loss"] < 0.3) == (0, True)  # of probabilities
        return
    file, repaired = tmp_path / "files" / integer["file"], tmp_path / "repaired.tflite"
    code, out, _ = run_main(capsys, "verify", file, "--repair", repaired, "--json")
    document = json.loads(out)
    assert code == 0
    assert max(layer["lost"] for layer in document["layers"]) < 0.05
    for found in (document, document["repaired"]):
        assert found["snr_db"] == pytest.approx(integer["snr_db"])


def test_document_table_prints_values_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    document = {
        "labeled": True,
        "remarks": [],
        "num_labels": None,
        "interval": [0.9969198713661426, 1.25],
        "ops": {"CONV_2D": 2},
    }
    Console(width=60).print(document_table(document))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["labeled", "yes"],
        ["remarks", "none"],
        ["num", "labels", "–"],
        ["interval", "0.99692,", "1.25"],
        ["ops", "CONV_2D", "2"],
    ]
