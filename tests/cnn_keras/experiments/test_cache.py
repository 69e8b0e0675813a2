from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.experiments.cache import cached_result
from cnn_keras.training.run_folder import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "model.keras").write_bytes(b"weights")
    return Run(tmp_path)


def never() -> object:
    raise AssertionError("It was computed again.")


def test_a_result_is_computed_once(run: Run) -> None:
    first = cached_result(run, "errors", {"images": 100}, lambda: {"error": (0.25, 0.5)})
    assert first == {"error": [0.25, 0.5]}
    assert cached_result(Run(run.path), "errors", {"images": 100}, never) == first
    assert cached_result(run, "others", {"images": 100}, lambda: [1]) == [1]


def test_other_settings_or_weights_are_computed_again(run: Run) -> None:
    cached_result(run, "errors", {"images": 100}, lambda: 1)
    assert cached_result(run, "errors", {"images": 200}, lambda: 2) == 2
    (run.path / "model.keras").write_bytes(b"other weights")
    assert cached_result(run, "errors", {"images": 200}, lambda: 3) == 3
    assert cached_result(run, "errors", {"images": 200}, never) == 3


@pytest.mark.parametrize("text", ["", "[]", '{"asked": {}}', '{"found": 1}', '"asked"'])
def test_another_file_is_overwritten(run: Run, text: str) -> None:
    path = run.path / "findings" / "errors.json"
    path.parent.mkdir()
    path.write_text(text)
    assert cached_result(run, "errors", {}, lambda: 1) == 1
    assert cached_result(run, "errors", {}, never) == 1


def test_a_failed_computation_is_not_cached(run: Run) -> None:
    with pytest.raises(ZeroDivisionError):
        cached_result(run, "errors", {}, lambda: 1 / 0)
    assert [path.name for path in run.path.iterdir()] == ["model.keras"]
