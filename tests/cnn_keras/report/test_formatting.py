import pytest

from cnn_keras.report.formatting import DASH, enumerate_names, keep_units, or_dash, plural, signed


@pytest.mark.parametrize(("value", "text"), [(-0.5, "−0.50"), (-0.001, "0.00"), (1.0, "1.00")])
def test_signed(value: float, text: str) -> None:
    assert signed(value, 2) == text


def test_counts_names_and_missing_values() -> None:
    assert plural(1, "core") == "1 core"
    assert plural(1200, "core") == "1,200 cores"
    assert enumerate_names(["a"]) == "a"
    assert enumerate_names(["a", "b", "c"]) == "a, b and c"
    assert or_dash(None, ".1f") == DASH
    assert or_dash(0, "d") == "0"


def test_a_number_stays_with_its_unit() -> None:
    assert keep_units("5 % of 3 images in 2 ms") == "5\u00a0% of 3 images in 2\u00a0ms"
    assert keep_units("4 seeds, 1 thread") == "4 seeds, 1\u00a0thread"
