from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import keras
import pytest

from cnn_keras.training.ensemble import save_ensemble
from cnn_keras.training.run_folder import Run
from export.cards.exported_files import read_exported_files
from export.cards.facts import ModelCard
from export.cards.render import render
from tests.fixtures import external_models
from tests.fixtures.command_line import run_main


def rewrite(folder: Path, name: str, **changes: Any) -> None:
    path = folder / name
    document = json.loads(path.read_bytes()) | changes
    path.write_text(json.dumps({key: v for key, v in document.items() if v is not None}))


def card_of(folder: Path) -> str:
    run = Run(folder)
    return render(ModelCard(run, read_exported_files(run)))


def test_an_ensemble(lenet_run: Run, tmp_path: Path) -> None:
    members = [lenet_run, lenet_run]
    models = [lenet_run.model(), lenet_run.model()]
    out = tmp_path / "ensemble"
    save_ensemble(members, models, lenet_run.metrics, out)
    text = card_of(out)
    assert "An ensemble of 2 networks `lenet5`" in text
    assert "trains one of the networks" in text
    assert f"{2 * models[0].count_params():,} parameters" in text
    assert "Latency" not in text
    assert "| model.keras |" in text


def test_an_external_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = external_models.saved(external_models.rgb(), tmp_path / "theirs.keras")
    options = ("--data", "photographs", "--pixel-range", "0", "1", "--recipes", "float32")
    code, _, err = run_main(capsys, "export", model, *options, "--out", tmp_path / "out")
    assert code == 0, err
    run = tmp_path / "out" / "theirs"
    code, _, err = run_main(capsys, "card", run, "--files", tmp_path / "out")
    assert (code, err) == (0, "")
    text = (run / "README.md").read_text()
    assert "An external Keras model from theirs.keras." in text
    assert "does not record how the model was trained" in text
    assert "no results on test images" in text
    assert "100 validation images without labels" in text
    assert "cnn-keras evaluate" not in text
    assert "model-index" not in text
    assert "learning rate" not in text  # its recipe is a placeholder for further training
    assert str(tmp_path) not in text
    assert str(keras.models.load_model(model).count_params()) in text


def test_published_weights(folder: Path) -> None:
    shutil.rmtree(folder / "files")
    for name in ("metrics.json", "history.csv", "recipe.toml"):
        (folder / name).unlink()
    imported = {
        "publisher": "torchvision",
        "name": "lenet",
        "file": "lenet.pth",
        "sha256": "0" * 64,
    }
    rewrite(folder, "config.json", imported=imported, data="photographs", recipe=None)
    text = card_of(folder)
    assert "with weights that torchvision publishes" in text
    assert "cnn-keras import-weights lenet lenet.pth --image-size 32 --out lenet5\n" in text
    assert "which images the weights were trained" in text
    assert "No accuracy is known" in text


def test_a_run_of_an_early_version(folder: Path) -> None:
    metrics = json.loads((folder / "metrics.json").read_bytes())
    for split in ("validation", "test"):
        metrics[split] = {key: metrics[split][key] for key in ("accuracy", "num_images")}
    del metrics["hardware"], metrics["versions"], metrics["confusion_matrix"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    (folder / "recipe.toml").unlink()
    text = card_of(folder)
    assert "| 360 |" in text
    assert "| — | — |" in text
    assert "### Confusions" not in text
    assert "epochs = 6" in text


def test_a_network_without_errors(folder: Path) -> None:
    matrix = [[36 * (row == column) for column in range(10)] for row in range(10)]
    rewrite(folder, "metrics.json", confusion_matrix=matrix)
    text = card_of(folder)
    assert "No test image is misclassified." in text
    assert "least accurate" not in text


def test_many_classes_are_folded(folder: Path) -> None:
    names = [f"class {number}" for number in range(40)]
    (folder / "labels.txt").write_text("\n".join(names) + "\n")
    matrix = [[9 * (row == column) + (column == 3) for column in range(40)] for row in range(40)]
    rewrite(folder, "metrics.json", confusion_matrix=matrix)
    text = card_of(folder)
    assert "<summary>40 classes</summary>" in text
    assert "Confusion matrix" not in text
    assert "class 19, … (all are in labels.txt)" in text
    assert text.count("| class 3 | 1 | 10.0 |") == 10


def test_refused_files_and_remarks_are_named(folder: Path) -> None:
    path = folder / "files" / "export.json"
    document = json.loads(path.read_bytes())
    for row in document["files"][2:4]:
        row["remarks"] = ["A remark on two."]
    row = document["files"][1]
    row |= {"accepted": False, "file": None, "reasons": ["the drop is 3.00 points"]}
    path.write_text(json.dumps(document | {"remarks": ["A remark."]}))
    rewrite(folder, "metrics.json", remarks=["Scans of 1998."])
    text = card_of(folder)
    assert f"- {row['recipe']}: the drop is 3.00 points\n" in text
    assert "- dynamic_wi8_afp32 and weight_only_wi8_afp32: A remark on two.\n" in text
    assert f"| {row['recipe']} |" not in text
    assert "- Scans of 1998.\n- A remark.\n" in text


def test_pretrained_weights_and_own_images(folder: Path) -> None:
    rewrite(folder, "config.json", weights="/home/ada/first", data="folder:/home/ada/flowers")
    text = card_of(folder)
    assert "Start: the weights `first`" in text
    assert "The images of `flowers`. The run folder does not record their license." in text
    assert "cnn-keras evaluate" not in text
    assert "datasets:" not in text
