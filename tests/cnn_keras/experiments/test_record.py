from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from rich.console import Console

from cnn_keras.experiments.record import (
    Claim,
    claims_table,
    command_line,
    record_outcome,
    write_record,
)

CLAIMS = [Claim("A [new] claim.", True, 0.5, (0.25, 0.75)), Claim("Another.", False, 2.0)]


def test_a_record_and_its_figure_have_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["cnn-keras", "study", "a study"])
    figure = Figure()
    figure.add_subplot().set_title("errors")
    failed = [{"run": "lenet5_0", "reason": "No memory."}]
    record = write_record(
        tmp_path / "name.json",
        "study",
        "a study",
        CLAIMS,
        seeds=(0, 1),
        budget={"epochs": 2},
        details={"errors": [0.1]},
        figure=figure,
        failed=failed,
        remark="A remark.",
    )
    written = json.loads((tmp_path / "name.json").read_text())
    assert written == json.loads(json.dumps(record))
    assert list(written) == [
        *("study", "command", "remark", "seeds", "budget", "hardware", "versions", "claims"),
        *("failed", "errors"),
    ]
    assert written["remark"] == "A remark."
    assert written["command"] == command_line() == "cnn-keras study 'a study'"
    assert written["claims"][1] == {
        "claim": "Another.",
        "holds": False,
        "value": 2.0,
        "interval": None,
    }
    assert "errors" in (tmp_path / "name.svg").read_text()


def test_claims_are_a_table() -> None:
    console = Console(width=100, record=True)
    console.print(claims_table({"claims": [claim._asdict() for claim in CLAIMS]}))
    text = console.export_text()
    assert "A [new] claim." in text
    assert "0.25 to 0.75" in text


@pytest.mark.parametrize("failed", [[], [{"run": "lenet5_0", "reason": "no space"}]])
def test_a_failed_run_decides_the_exit_code(failed: list[dict[str, str]]) -> None:
    document = {"claims": [], "failed": failed}
    outcome = record_outcome(document)
    assert outcome.document is document
    assert outcome.exit_code == len(failed)


def test_a_remark_is_shown_below_the_claims() -> None:
    console = Console(width=100, record=True)
    console.print(record_outcome({"claims": [], "remark": "The images are [small]."}).text)
    assert console.export_text().rstrip().endswith("The images are [small].")
