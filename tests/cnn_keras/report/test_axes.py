from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from cnn_keras.report.axes import count_epochs, new_figure, set_scale, ticks_between


@pytest.mark.parametrize(
    ("values", "scale"),
    [([1.0, 10.0], "linear"), ([1.0, 11.0], "log"), ([0.0, 11.0], "linear"), ([], "linear")],
)
def test_an_axis_is_logarithmic_if_its_values_span_a_decade(
    values: list[float], scale: str
) -> None:
    axes = Figure().subplots()
    set_scale(axes, values)
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert all(low <= value <= high for value in values)
    assert len(axes.get_yticks()) >= 2


def test_ticks_are_round_and_within_the_range() -> None:
    assert ticks_between(0.13, 1.02) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_margins_are_in_points() -> None:
    figure = new_figure(330.0, 110.0)
    axes = figure.subplots()
    assert figure.bbox.width == pytest.approx(420)
    assert axes.bbox.x1 == pytest.approx(310)
    axes.set_xlim(0.5, 3.5)
    count_epochs(axes)
    assert [tick for tick in axes.get_xticks() if 0.5 <= tick <= 3.5] == [1, 2, 3]
