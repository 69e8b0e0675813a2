from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.comparison.entries import Entry, open_entries
from cnn_keras.comparison.figures import (
    ERROR,
    LINES,
    NUM_COLORS,
    SPEED,
    color,
    draw_curves,
    draw_overview,
    has_curve,
    line,
)
from cnn_keras.report.axes import COLORS
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={})


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """A run of three epochs, one of an early version, and one without any epoch."""
    return open_entries(
        [
            write_run(tmp_path / "new", TRAINING, [0.5, 0.9, 0.8]),
            write_run(tmp_path / "early", TRAINING, [0.6], with_speed=False),
            write_run(tmp_path / "empty", TRAINING),
        ]
    )


def test_each_run_has_its_curve(entries: list[Entry]) -> None:
    training, validation = draw_curves(entries, ERROR).axes
    assert [line.get_color() for line in validation.lines] == [COLORS["run1"], COLORS["run2"]]
    assert [*validation.lines[0].get_ydata()] == pytest.approx([50, 10, 20])
    assert [*training.lines[1].get_ydata()] == pytest.approx([50])
    assert training.get_xlim() == validation.get_xlim() == (0.5, 3.5)


def test_an_early_version_has_no_curve_of_the_speed(entries: list[Entry]) -> None:
    assert [has_curve(entry, SPEED[1:]) for entry in entries] == [True, False, False]
    rates, speeds = draw_curves(entries, SPEED).axes
    assert (len(rates.lines), len(speeds.lines)) == (2, 1)
    assert [*speeds.lines[0].get_ydata()] == [100, 200, 300]
    early = entries[1:2]
    assert len(draw_curves(early, SPEED[:1]).axes) == 1
    assert [axes.get_visible() for axes in draw_overview(early).axes] == [True] * 5 + [False]


def test_the_overview_has_all_panels_and_a_legend(entries: list[Entry]) -> None:
    figure = draw_overview(entries)
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 2, 2, 2, 1]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["new", "early", "empty"]
    plots = [axes.get_tightbbox() for axes in figure.axes]
    assert legend.get_window_extent().y0 > max(box.y1 for box in plots)


def test_many_runs_differ_in_color_or_line() -> None:
    looks = [(color(index), line(index)) for index in range(NUM_COLORS * len(LINES))]
    assert len(set(looks)) == len(looks) == 24
