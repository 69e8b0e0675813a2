from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from export.studies.speed.passes import BATCH, Pipeline, answer_passes, jpeg_files


def test_files_are_sorted_by_class(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "a/3.jpg", "b/1.jpg", "b/note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    paths, labels = jpeg_files(tmp_path)
    assert [Path(path).name for path in paths] == ["3.jpg", "1.jpg", "2.jpg"]
    assert labels == [0, 1, 1]


def test_a_session_saves_the_first_images_and_answers_with_rates(tmp_path: Path) -> None:
    started = []

    def pipeline(folder: Path) -> Pipeline:
        def start() -> list[range]:
            started.append(folder)
            return 20 * [range(BATCH)]

        return Pipeline(start, lambda: np.ones((BATCH, 2, 2, 3)), ("none", "1.0"))

    answers: list[Any] = []
    requests = iter([["a", "images", str(tmp_path / "a.npy")], None, None])
    answer_passes({"a": pipeline})(requests, answers.append)
    assert answers[0] == ("none", "1.0")
    assert all(rate > BATCH for rate in answers[1:])
    assert len(answers) == 3
    assert started == 3 * [Path("images")]  # one to warm up
    assert np.load(tmp_path / "a.npy").shape == (BATCH, 2, 2, 3)
