"""On two processes of JAX."""

from __future__ import annotations

from typing import Any


def test_processes_agree(joint: dict[str, Any]) -> None:
    assert joint["agreed"] == 1
    assert joint["anywhere"] == (True, False)
    assert joint["broadcast"] == "0"


def test_a_batch_must_be_divisible(joint: dict[str, Any]) -> None:
    assert joint["refused"] == (
        "A batch of 17 images cannot be divided equally among 2 devices: use --batch-size 16 or "
        "18, or another number of devices."
    )


def test_weights_that_differ_are_found(joint: dict[str, Any]) -> None:
    line = "The weights of process 1 differ from those of process 0: one of their devices may be "
    assert joint["unequal"] == [f"{line}faulty."] * 2
