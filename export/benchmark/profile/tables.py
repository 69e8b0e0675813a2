"""Tables, figures and files of the latency of operations."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cnn_keras.tables import escape, significant, table

from .results import Grouping, Operation, arithmetic, grouped, stage_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_BARS = 60  # in the figure
_COLUMNS = ("ms", "share", "million MACs", "GMAC/s", "kB", "roofline")


def profile_table(title: str, profile: dict[str, Any], by: Grouping) -> Table:
    """Return the operations by row, kind or stage as a table, the slowest first."""
    result = Table(title=escape(title), title_justify="left", box=SIMPLE_HEAD)
    for column in (by, "operations"):
        result.add_column(column, overflow="fold")
    for column in _COLUMNS:
        result.add_column(column, justify="right", no_wrap=True)
    for row in grouped(profile, by):
        result.add_row(escape(row.name), escape(row.ops), *_cells(row))
    return result


def native_table(title: str, profile: dict[str, Any]) -> Any:
    """Return the profile by `benchmark_model` by kind of operation, the slowest first.

    Args:
        title: Title of the table.
        profile: See `places.native_profile.document`.
    """
    groups: dict[str, list[float]] = {}
    for each in profile["operations"]:
        groups.setdefault(each["op"], []).append(each["ms"])
    total = profile["sum_ms"]
    cells = [
        (op, str(len(group)), significant(sum(group)), f"{sum(group) / total:.1%}" if total else "")
        for op, group in sorted(groups.items(), key=lambda item: -sum(item[1]))
    ]
    line = f"The operations take {total:.4g} ms together, within the whole file."
    return table(("op", "operations", "ms", "share"), cells, title, [line])


def _cells(row: Operation) -> Sequence[str]:
    return (
        significant(row.ms),
        f"{row.share:.1%}",
        f"{row.macs / 1e6:,.2f}" if row.macs else "",
        f"{row.gmac_s:,.1f}" if row.gmac_s else "",
        f"{row.num_bytes / 1000:,.0f}",
        f"{row.roofline:.0%}",
    )


def profile_figure(title: str, profile: dict[str, Any]) -> Figure:
    """Draw the time of each row, in the order of the network, and the operations under the roof."""
    from matplotlib.figure import Figure

    rows = list(dict.fromkeys(row["row"] for row in profile["operations"]))
    by: Grouping = "row" if len(rows) <= MAX_BARS else "stage"
    by_name = {each.name: each for each in grouped(profile, by)}
    names = list(dict.fromkeys(row if by == "row" else stage_of(row) for row in rows))
    figure = Figure(figsize=(12, max(4.0, 1.5 + 0.22 * len(names))), layout="constrained")
    bars, roof = figure.subplots(1, 2)
    positions = range(len(names))
    bounds = [by_name[name].roofline * by_name[name].ms for name in names]
    bars.barh(positions, [by_name[name].ms for name in names], color="C0", label="measured")
    bars.barh(positions, bounds, color="C1", height=0.3, label="roofline")
    bars.set_yticks(positions, names, fontsize="small")
    bars.invert_yaxis()
    bars.set_xlabel("latency, ms")
    bars.legend(fontsize="small")
    bars.set_title(title, fontsize="medium")
    _draw_roofline(roof, profile)
    return figure


def _draw_roofline(axes: Any, profile: dict[str, Any]) -> None:
    """Draw the operations with multiply-adds, and the roof of each type."""
    points = [row for row in profile["operations"] if row["macs"] and row["ms"]]
    intensities = [row["macs"] / row["num_bytes"] for row in points]
    kernels = {arithmetic(row["kernel_dtype"]) for row in points}
    speeds = profile["bandwidth_gb_s"].values()
    low, high = min(intensities, default=1) / 10, max(intensities, default=1) * 10
    for dtype in sorted(kernels):
        peak, color = profile["peak_gmac_s"][dtype], "C2" if dtype == "int8" else "C3"
        for speed, style, where in ((max(speeds), "-", "cache"), (min(speeds), "--", "memory")):
            line = [low * speed, peak, peak]
            axes.plot([low, peak / speed, high], line, style, c=color, label=f"{dtype}, {where}")
    axes.scatter(
        intensities,
        [row["macs"] / row["ms"] / 1e6 for row in points],
        s=12,
        color="C0",
        zorder=3,
    )
    axes.set_title("operations that multiply", fontsize="medium")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("multiply-adds per byte")
    axes.set_ylabel("10⁹ multiply-adds per second")
    axes.legend(fontsize="small")


def node_data(title: str, profile: dict[str, Any]) -> str:
    """Return node data that Model Explorer shows on the graph of a file: ms by output.

    Reference:
        google-ai-edge/model-explorer, ``NodeDataProviderGraphData`` in
        ``src/ui/src/components/visualizer/common/types.ts``.
    """
    graph = {
        "name": title,
        "results": {row["tensor"]: {"value": row["ms"]} for row in profile["operations"]},
        "gradient": [{"stop": 0, "bgColor": "white"}, {"stop": 1, "bgColor": "#f4511e"}],
    }
    return json.dumps({"main": graph}, indent=1) + "\n"
