from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.benchmark.runner import TimingOptions
from export.choice import choose, timing
from export.choice.rule import Limits, best
from export.recipes import recipe
from export.studies import choice as study
from tests.export.choice.invented_files import InventedFiles

FILES = InventedFiles(0).all_files()
LIMITS = Limits(max_kb=60)


def test_a_choice_is_compared_with_the_best_of_the_others() -> None:
    found = best(FILES, LIMITS)
    assert study.budget(LIMITS, FILES[:9], found, FILES).no_worse
    worse = max(LIMITS.within(FILES), key=lambda file: file.value("accuracy"))
    assert not study.budget(LIMITS, FILES[:9], worse, FILES).no_worse
    assert not study.budget(LIMITS, FILES[:9], None, FILES).no_worse
    impossible = Limits(max_kb=1)
    assert study.budget(impossible, FILES[:9], None, FILES).no_worse


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time each file once, for a moment."""
    moment = timing._OPTIONS._replace(timing=TimingOptions(5, 0.0), warmup_secs=0.0)
    monkeypatch.setattr(timing, "_OPTIONS", moment)
    monkeypatch.setattr(timing, "_PROFILE_SECS", 0.01)
    monkeypatch.setattr(choose, "_ROUNDS", 1)
    monkeypatch.setattr(study, "PROCESSES", 1)


@pytest.mark.slow  # 242 files
@pytest.mark.usefixtures("brief")
def test_every_mix_is_made_and_the_choices_are_recorded(lenet_run: Run, tmp_path: Path) -> None:
    record = study.choice(
        tmp_path,
        enumerated=lenet_run.path,
        searched=[],
        recipes=[recipe("float32"), recipe("static_wi8_ai8")],
        runs=tmp_path,
    )
    path = tmp_path / "choice.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    (network,) = record["networks"]
    assert len(network["files"]) == 3**5 - 1 + 1
    assert len(network["budgets"]) == len(record["claims"]) == 9
    assert all(claim["value"] < study.MAX_FILES for claim in record["claims"])
