from __future__ import annotations

import pytest

from cnn_keras.paper import Figure, exactly, millions


@pytest.mark.parametrize(
    ("figure", "text", "counted", "agrees"),
    [
        (exactly(253_440), "253,440", 253_440, True),
        (exactly(253_440), "253,440", 253_441, False),
        (millions(60), "60M", 60_965_224, True),
        (millions(60), "60M", 61_000_001, False),
        (millions(1.7, 0.1), "1.7M", 1_727_962, True),
        (Figure("3.8×10⁹", 3.8e9, 1e8), "3.8×10⁹", 3_858_000_000, True),
        (Figure("3.8×10⁹", 3.8e9, 1e8), "3.8×10⁹", 4_089_000_000, False),
    ],
)
def test_a_figure_agrees_within_its_rounding(
    figure: Figure, text: str, counted: float, agrees: bool
) -> None:
    assert figure.text == text
    assert figure.agrees(counted) == agrees
