from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cnn_keras.weights.source_options import SourceOptions


@dataclass(frozen=True, kw_only=True)
class WithOther(SourceOptions):
    other: int = 3


def test_given_returns_only_the_options_that_are_set() -> None:
    assert SourceOptions().given() == {}
    given = {"data": "digits", "labels": Path("labels.txt"), "modules": ("layers",)}
    assert SourceOptions(**given).given() == given


def test_given_leaves_out_the_other_options_of_a_command() -> None:
    assert WithOther(image_size=96).given() == {"image_size": 96}
