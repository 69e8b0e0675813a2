"""On two processes of JAX; the signal arrives at process 1."""

from __future__ import annotations

from typing import Any


def test_all_stop_after_the_same_step(joint: dict[str, Any]) -> None:
    assert joint["before"] == [False, False]
    assert joint["unknown"] == [False, False]
    assert joint["after"] == [True, True]
    assert joint["raised"] == [("Terminated", "after step 3")] * 2
