from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.trained.table import TRAINED
from tests.fixtures.command_line import run_main


def test_card_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "card", folder, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["card"] == str(folder / "README.md")
    assert sorted(document["files"]) == sorted(p.name for p in folder.glob("files/*.tflite"))


def test_a_trained_network(
    carded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    files = shutil.copytree(carded / "files", tmp_path / "files")
    document = json.loads((files / "export.json").read_bytes()) | {"run": "lenet5:digits"}
    (files / "export.json").write_text(json.dumps(document))
    code, out, err = run_main(capsys, "card", "lenet5:digits", "--files", files, "--json")
    assert code == 0, err
    text = Path(json.loads(out)["card"]).read_text(encoding="utf-8")
    accuracy = TRAINED["lenet5:digits"].read_json("metrics.json")["test"]["accuracy"]
    assert f"It classifies {100 * accuracy:.2f} % of 360 test images correctly" in text
    assert "--data digits --recipe recipe.toml --seed 0 --out lenet5_digits\n" in text
    arguments = ("--files", files, "--to", "hf:ada/lenet5-digits", "--dry-run")
    out_folder = tmp_path / "upload"
    assert run_main(capsys, "publish", "lenet5:digits", *arguments, "--out", out_folder)[0] == 0
    assert (out_folder / "model.keras").is_file()


@pytest.mark.parametrize(
    ("arguments", "reason", "exit_code"),
    [
        (("card", "{folder}", "--license", "Apache 2"), "--license is a name of the Hub", 2),
        (("card", "{folder}/files"), "has no trained model", 1),
        (("card", "{folder}/none"), "No such run folder", 1),
        (("publish", "{folder}", "--to", "ada/lenet5"), "hf:USER/NAME", 2),
        (("publish", "{folder}", "--to", "hf:ada/b", "--out", "x"), "--out is for --dry-run", 2),
    ],
)
def test_errors_are_one_line(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    reason: str,
    exit_code: int,
) -> None:
    words = [word.format(folder=folder) for word in arguments]
    code, out, err = run_main(capsys, *words)
    assert (code, out, err.count("\n")) == (exit_code, "", 1)
    assert reason in err
