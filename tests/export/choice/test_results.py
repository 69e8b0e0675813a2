from __future__ import annotations

from export.choice.results import figure, label, progress_line, ranked, reasons
from export.choice.rule import Limits, Tried, best
from tests.export.choice.invented_files import InventedFiles

FILES = InventedFiles(0)
TRIED = FILES.all_files()
REFUSED = Tried(name="dynamic", reasons=("loses 50.00 points of accuracy",))


def test_the_chosen_file_comes_first_and_the_refused_last() -> None:
    limits = Limits(max_kb=60)
    chosen = best(TRIED, limits)
    assert chosen
    shown = ranked([REFUSED, *TRIED], limits, chosen)
    assert (shown[0], shown[-1]) == (chosen, REFUSED)
    beyond = [bool(limits.excess(file)) for file in shown[:-1]]
    assert beyond == sorted(beyond)


def test_the_reason_names_the_limit_that_no_file_keeps_and_by_how_much() -> None:
    (reason,) = reasons(TRIED, FILES.layers, Limits(max_kb=40, max_drop=50))
    assert reason == (
        "No file keeps --max-kb 40: all int4 is the smallest with 46.0 kB, 6.00 kB beyond it."
    )


def test_limits_that_exclude_each_other_are_said_to() -> None:
    fastest = min(file.value("latency") for file in TRIED)
    smallest = min(file.value("size") for file in TRIED)
    limits = Limits(max_ms=fastest, max_kb=smallest)
    assert best(TRIED, limits) is None
    (reason,) = reasons([*TRIED, REFUSED], FILES.layers, limits)
    assert reason.startswith("Each limit can be kept, but no file keeps all: ")
    assert " exceeds --max-" in reason
    assert reasons([REFUSED], FILES.layers, limits) == [
        "Every file is refused; dynamic loses 50.00 points of accuracy."
    ]


def test_a_line_of_progress_has_what_was_measured() -> None:
    file = FILES.try_types(("int8", "int4", "int8", "int8"))
    line = progress_line(file, FILES.layers, Limits(max_kb=60), 3, 36)
    assert line.startswith("3/36  conv1 int4, others int8: 79.0 kB, drop ")
    assert line.endswith("exceeds --max-kb by 19.0 kB")
    assert label(FILES.try_types(("int8",) * 4), FILES.layers) == "int8-int8-int8-int8"
    assert "refused: loses" in progress_line(REFUSED, FILES.layers, Limits(max_kb=60), 1, 2)


def test_the_figure_has_latency_against_size_and_accuracy() -> None:
    limits = Limits(max_kb=60, max_ms=1.0)
    panels = figure([*TRIED, REFUSED], limits, best(TRIED, limits)).axes
    assert [axes.get_ylabel() for axes in panels] == ["size, kB", "drop in accuracy, points"]
