"""The files that were tried, as a document, a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_keras.tables import significant, table
from cnn_keras.unpack import trained_name

from ..pipeline import ExportJob
from .layers import Layer, describe
from .rule import QUANTITIES, Limits, Quantity, Tried
from .search import LayerCosts
from .trials import Trials

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_OPTIONS: Mapping[Quantity, tuple[str, str, str]] = {
    "accuracy": ("--max-drop", "most accurate", "points"),
    "latency": ("--max-ms", "fastest", "ms"),
    "size": ("--max-kb", "smallest", "kB"),
}


def document(
    job: ExportJob,
    trials: Trials,
    limits: Limits,
    costs: LayerCosts | None,
    chosen: Tried | None,
    file: Path | None,
) -> dict[str, Any]:
    """Return what was tried and chosen, as JSON types.

    Args:
        job: The network.
        trials: The files that were tried.
        limits: The limits.
        costs: What the types of the layers cost.
        chosen: The best one; None if no file keeps the limits.
        file: Its path.
    """
    run, layers, files = job.source.run, trials.layers, trials.files
    return {
        "run": trained_name(run.path) or str(run.path),
        "data": job.source.dataset.name,
        "split": job.split,
        "num_images": len(job.images),
        "labeled": job.labels is not None,
        "place": trials.place,
        "limits": limits.__dict__,
        "order": limits.order,
        "file": file and str(file),
        "chosen": chosen and _row(chosen, layers, limits, chosen),
        "reasons": [] if chosen else reasons(files, layers, limits),
        "layers": [
            {
                "name": layer.name,
                "types": {
                    of: {
                        "kb": layer.kernel_bytes(of) / 1000,
                        "divergence": costs.divergence[at].get(of),
                        "ms": costs.ms[at].get(of),
                    }
                    for of in layer.types
                },
            }
            for at, layer in enumerate(layers if costs else ())
            if costs
        ],
        "tried": [_row(each, layers, limits, chosen) for each in ranked(files, limits, chosen)],
    }


def label(file: Tried, layers: Sequence[Layer]) -> str:
    """Return what a file is: its recipe, or the types of its layers."""
    return file.name if file.is_recipe or not file.types else describe(layers, file.types)


def ranked(files: Sequence[Tried], limits: Limits, chosen: Tried | None) -> list[Tried]:
    """Return the chosen file first, then those within the limits, those beyond, and the refused."""

    def key(file: Tried) -> tuple[bool, bool, bool, float]:
        usable = file.usable
        latency = file.value("latency") if usable else 0.0
        return file is not chosen, not usable, usable and bool(limits.excess(file)), latency

    return sorted(files, key=key)


def reasons(files: Sequence[Tried], layers: Sequence[Layer], limits: Limits) -> list[str]:
    """Return which limits no file keeps, and by how much, one line each."""
    usable = [file for file in files if file.usable]
    if not usable:
        return [f"Every file is refused; {files[0].name} {files[0].reasons[0]}."]
    found = []
    for quantity in QUANTITIES:
        limit = limits.of(quantity)
        least = min(usable, key=lambda file: file.value(quantity))
        if limit is not None and least.value(quantity) > limit:
            option, superlative, unit = _OPTIONS[quantity]
            value = least.value(quantity)
            found.append(
                f"No file keeps {option} {limit:g}: {label(least, layers)} is the {superlative} "
                f"with {_number(value)} {unit}, {_number(value - limit)} {unit} beyond it."
            )
    if found:
        return found
    nearest = min(usable, key=lambda file: _relative_excess(file, limits))
    return [
        f"Each limit can be kept, but no file keeps all: {label(nearest, layers)} comes nearest, "
        f"and {_excess(nearest, limits)}."
    ]


def progress_line(
    file: Tried, layers: Sequence[Layer], limits: Limits, number: int, most: int
) -> str:
    """Return a line about a file that was tried."""
    return f"{number}/{most}  {label(file, layers)}: {_measured(file)}{_verdict(file, limits)}"


def choice_table(found: Mapping[str, Any]) -> Any:
    """Return the table of the tried files, from the document."""
    rows = [
        (
            row["label"],
            "–" if row["kb"] is None else f"{row['kb']:,.1f}",
            "–" if row["drop_points"] is None else f"{row['drop_points']:.2f}".replace("-", "−"),
            "–" if row["latency_ms"] is None else significant(row["latency_ms"]),
            "–" if row["delegated"] is None else "{}/{}, {}".format(*row["delegated"]),
            row["verdict"],
        )
        for row in found["tried"]
    ]
    columns = ("file", "kB", "drop", "ms", "delegated, partitions", "verdict")
    title = f"{found['run']} at {found['place']}: {len(rows)} files tried"
    return table(columns, rows, title=title)


def conclusion(found: Mapping[str, Any]) -> list[str]:
    """Return the lines under the table, from the document."""
    measured = f"Accuracy is that on the {found['num_images']:,} {found['split']} images"
    if found["chosen"] is None:
        return [*found["reasons"], f"{measured}."]
    row = found["chosen"]
    return [
        f"{found['file']}: {row['label']}. It has {row['kb']:,.1f} kB, loses "
        f"{row['drop_points']:.2f} points and takes {significant(row['latency_ms'])} ms.",
        f"{measured}, on which the file was chosen; `verify --split test` shows it on others.",
    ]


def figure(files: Sequence[Tried], limits: Limits, chosen: Tried | None) -> Figure:
    """Draw the size and the drop in accuracy of the tried files against their latency."""
    from matplotlib.figure import Figure

    result = Figure(figsize=(9, 4.2), layout="constrained")
    panels = result.subplots(1, 2)
    usable = [file for file in files if file.usable]
    shown: tuple[tuple[Quantity, str], ...] = (
        ("size", "size, kB"),
        ("accuracy", "drop in accuracy, points"),
    )
    for axes, (quantity, title) in zip(panels, shown, strict=True):
        for mixed, marker, name in ((False, "s", "recipe"), (True, "o", "mix of types by layer")):
            drawn = [file for file in usable if file.is_recipe != mixed]
            axes.scatter(
                [file.value("latency") for file in drawn],
                [file.value(quantity) for file in drawn],
                c=["C0" if not limits.excess(file) else "0.7" for file in drawn],
                marker=marker,
                label=name,
            )
        if chosen:
            axes.scatter(
                chosen.value("latency"),
                chosen.value(quantity),
                s=160,
                facecolors="none",
                edgecolors="C3",
                linewidths=2,
                label="chosen",
            )
        if (limit := limits.of(quantity)) is not None:
            axes.axhline(limit, color="black", linewidth=0.8, linestyle="--")
        if limits.max_ms is not None:
            axes.axvline(limits.max_ms, color="black", linewidth=0.8, linestyle="--")
        show_latency(axes)
        axes.set_ylabel(title)
    panels[0].legend(fontsize="small", title="gray: beyond a limit", title_fontsize="small")
    return result


def show_latency(axes: Axes) -> None:
    """Give a panel a logarithmic x-axis of latencies with plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("latency, ms")


def _row(
    file: Tried, layers: Sequence[Layer], limits: Limits, chosen: Tried | None
) -> dict[str, Any]:
    return {
        "name": file.name,
        "label": label(file, layers),
        "types": file.types and dict(zip((each.name for each in layers), file.types, strict=True)),
        "kb": None if file.size_bytes is None else file.value("size"),
        "drop_points": file.drop_points,
        "latency_ms": file.value("latency") if file.latencies_ms else None,
        "latencies_ms": file.latencies_ms,
        "divergence": file.divergence,
        "delegated": file.delegated,
        "sha256": file.sha256,
        "verdict": "chosen" if chosen and file.name == chosen.name else _verdict(file, limits),
    }


def _verdict(file: Tried, limits: Limits) -> str:
    if file.reasons:
        return f"refused: {file.reasons[0]}"
    return _excess(file, limits) or "within the limits"


def _excess(file: Tried, limits: Limits) -> str:
    excess = limits.excess(file)
    if not excess:
        return ""
    return "exceeds " + ", ".join(
        f"{_OPTIONS[each][0]} by {_number(value)} {_OPTIONS[each][2]}"
        for each, value in excess.items()
    )


def _relative_excess(file: Tried, limits: Limits) -> float:
    return sum(
        value / max(limits.of(each) or 0, 1e-9) for each, value in limits.excess(file).items()
    )


def _measured(file: Tried) -> str:
    if not file.usable:
        return ""
    return (
        f"{file.value('size'):,.1f} kB, drop {file.value('accuracy'):.2f}, "
        f"{significant(file.value('latency'))} ms, "
    )


def _number(value: float) -> str:
    """Format an excess or a value, also one that is zero."""
    return significant(value) if value else "0"
