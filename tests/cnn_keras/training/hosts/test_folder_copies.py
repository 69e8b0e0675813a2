"""On two processes of JAX; this is the folder of process 1."""

from __future__ import annotations

from typing import Any


def test_the_folder_has_what_a_training_reads(joint: dict[str, Any]) -> None:
    assert "labels.txt" not in joint["files"][0]
    assert joint["seen"] == [[], ["labels.txt"]]
    assert joint["files"][1]["history.csv"] == "of 0"
    assert joint["files"][1]["other.txt"] == "of 1"
