from __future__ import annotations

from typing import Any

from export.studies.speed.trainer import Case, take_turns


class Counter:
    num_parameters, version = 7, ("counter", "1.0")

    def fit(self, steps: int) -> float:
        return steps * 0.5

    def compute(self, steps: int) -> float:
        return steps * 0.25

    def load(self, steps: int) -> float:
        return steps * 0.125


def test_a_session_answers_with_seconds_and_peak_memory() -> None:
    answers: list[Any] = []
    started: list[Any] = []

    def start(request: dict[str, Any]) -> Counter:
        started.append(request)
        return Counter()

    requests = iter([{"network": "x"}, ["fit", 2], ["load", 8]])
    take_turns(start)(requests, answers.append)
    assert started == [{"network": "x"}]
    assert answers[0] == [7, ("counter", "1.0")]
    assert [answer[0] for answer in answers[1:]] == [1.0, 1.0]
    assert all(1 < answer[1] < 1e6 for answer in answers[1:])  # MiB


def test_a_case_has_images_for_eight_batches() -> None:
    assert Case("lenet5", 32, 1, 10, 16, 0, False, 0.1, 0.9, 0, 1).num_images == 128
