from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.command_line import run_main


def test_card_as_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "card", folder, "--json")
    assert code == 0
    document = json.loads(out)
    assert document["card"] == str(folder / "README.md")
    assert sorted(document["files"]) == sorted(p.name for p in folder.glob("files/*.tflite"))


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
