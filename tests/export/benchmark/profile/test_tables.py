from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from rich.console import Console

from export.benchmark.profile.results import Grouping
from export.benchmark.profile.tables import node_data, profile_figure, profile_table


@pytest.mark.parametrize("by", ["row", "op", "stage"])
def test_the_table_has_a_line_for_each_group(by: Grouping, profile: dict[str, Any]) -> None:
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(profile_table("[bold]net", profile, by))
    text = console.export_text()
    assert "[bold]net" in text
    expected = {"row": "3b .*57.1%", "op": r"PAD \+ CONV_2D, CONV_2D .*85.7%", "stage": "3 .*85.7%"}
    assert re.search(expected[by], text)


def test_the_figure_has_a_bar_for_each_row_in_order(profile: dict[str, Any]) -> None:
    bars, roofline = profile_figure("net", profile).axes
    labels = [label.get_text() for label in bars.get_yticklabels()]
    assert labels == ["3a", "3b", "logits"]
    widths = [bar.get_width() for bar in bars.patches[:3]]
    assert widths == pytest.approx([0.2, 0.4, 0.1])
    (points,) = roofline.collections
    assert len(points.get_offsets()) == 2  # those with multiply-adds


def test_node_data_names_the_outputs(profile: dict[str, Any]) -> None:
    results = json.loads(node_data("net", profile))["main"]["results"]
    assert results["b"]["value"] == pytest.approx(0.4)
    assert list(results) == ["a", "b", "c"]
