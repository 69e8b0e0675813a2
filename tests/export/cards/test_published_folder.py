from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.cards.published_folder import FILES
from tests.fixtures.command_line import run_main

TO = ("--to", "hf:ada/lenet5-digits", "--dry-run")


def test_a_dry_run_writes_the_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "upload"
    code, shown, err = run_main(capsys, "publish", folder, *TO, "--out", out)
    assert (code, err) == (0, "")
    names = {path.name for path in out.iterdir()}
    files = {path.name for path in folder.glob("files/*.tflite")}
    known = {"config.json", "model.keras", "recipe.toml", *FILES} - {"lighting.json"}
    assert names == known | files
    assert shown.splitlines() == [f"{out}: {len(names)} files", *sorted(names)]
    for name in names:
        source = folder / "files" / name if name in files else folder / name
        assert (out / name).read_bytes() == source.read_bytes()


def test_the_folder_is_a_run(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "upload"
    assert run_main(capsys, "publish", folder, *TO, "--out", out)[0] == 0
    code, shown, _ = run_main(capsys, "evaluate", out, "--json")
    assert code == 0
    accuracy = Run(folder).metrics["test"]["accuracy"]
    assert json.loads(shown)["accuracy"] == pytest.approx(accuracy)
    code, _, err = run_main(capsys, "publish", folder, *TO, "--out", out)
    assert (code, "exists and is not empty" in err) == (2, True)


def test_folders_of_the_machine_are_not_published(
    folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    config = json.loads((folder / "config.json").read_bytes())
    config |= {"data": "csv:/home/ada/secret/list.csv", "weights": "/home/ada/secret/first"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "recipe.toml").unlink()
    assert run_main(capsys, "card", folder)[0] == 0
    assert run_main(capsys, "publish", folder, *TO)[0] == 0
    out = tmp_path / "lenet5-digits"
    assert not [path for path in out.rglob("*") if b"secret" in path.read_bytes()]
    published = json.loads((out / "config.json").read_bytes())
    assert (published["data"], published["weights"]) == ("csv:list.csv", "first")
    assert "epochs = 6" in (out / "recipe.toml").read_text()


def test_a_card_is_needed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "README.md").unlink()
    code, _, err = run_main(capsys, "publish", folder, *TO)
    assert (code, err.count("\n")) == (1, 1)
    assert f"cnn-keras card {folder}" in err


def test_a_card_of_other_files_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "upload"
    arguments = ("publish", folder, *TO, "--out", out)
    moved = shutil.move(folder / "files", folder / "moved")
    code, _, err = run_main(capsys, *arguments)
    assert (code, err.count("\n")) == (1, 1)
    assert "give both commands the same --files" in err
    assert not out.exists()
    assert run_main(capsys, *arguments, "--files", moved)[0] == 0
    shutil.rmtree(out)
    card = folder / "README.md"
    card.write_text(card.read_text().replace("teaching", "learning"))
    assert "replaces your edits" in run_main(capsys, *arguments)[2]
    assert run_main(capsys, *arguments, "--files", moved)[0] == 0  # edited, but of these files
    shutil.rmtree(out)
    card.write_text("# My own card\n")
    assert run_main(capsys, *arguments)[0] == 0
    assert (out / "README.md").read_text() == "# My own card\n"
