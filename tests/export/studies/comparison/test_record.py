from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from export.studies.comparison import record
from export.studies.comparison.record import claims, comparison
from export.studies.comparison.trials import Trial


def results(
    kind: str, wrong: int, load: str = "idle", count: int = 10
) -> list[tuple[Trial, dict[str, Any]]]:
    found = {"ratio": 1.0, "interval": [0.9, 1.1], "verdict": "", "processes": 8}
    return [
        (Trial(kind, "10us", load, index), found | {"right": index >= wrong})
        for index in range(count)
    ]


def test_nine_of_ten_verdicts_must_be_right() -> None:
    found = claims([*results("copy", 1), *results("slower", 2)])
    assert [(claim.value, claim.holds) for claim in found] == [(9, True), (8, False)]
    assert found[0].claim == (
        "--vs shows no difference between a file of 10 µs and its copy (right verdicts of 10)"
    )
    assert "is slower than another one by 5%" in found[1].claim


def test_equal_files_are_counted_together_under_load() -> None:
    (found,) = claims([*results("copy", 1, "half", 5), *results("itself", 1, "half", 5)])
    assert (found.value, found.holds) == (8, False)
    assert "and its copy or itself, while another process loads half a core" in found.claim


def test_finished_trials_are_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "write_files", lambda *_: {"10us.tflite": {"classes": 10}})
    rows = [{**trial._asdict(), **found} for trial, found in results("copy", 0)]
    folder = tmp_path / "runs"
    folder.mkdir()
    (folder / "trials.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    document = comparison(tmp_path, folder, ("10us",), ("idle",), ("copy",))
    path = tmp_path / "comparison.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(document))
    assert "<svg" in path.with_suffix(".svg").read_text()
    assert [claim["holds"] for claim in document["claims"]] == [True]
    assert document["trials"] == rows
