"""Records of studies: claims and whether they hold, with command, budget, hardware and versions."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NotRequired, TypedDict, Unpack

from ..command import Outcome, write_together
from ..machine import hardware, versions

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Claim(NamedTuple):
    """A claim of one sentence, and whether it holds."""

    claim: str
    holds: bool
    value: float
    interval: tuple[float, float] | None = None


class Content(TypedDict):
    """What a record contains beside its claims.

    Attributes:
        seeds: Seeds of the runs.
        budget: Epochs, images, seconds.
        details: Further keys: the numbers behind the claims.
        figure: A figure of these numbers.
        failed: Runs that failed, each with the reason.
    """

    seeds: Sequence[int]
    budget: Mapping[str, Any]
    details: Mapping[str, Any]
    figure: Figure
    failed: NotRequired[Sequence[Mapping[str, str]]]


def command_line() -> str:
    """Return the command line of this process."""
    return " ".join(["cnn-keras", *map(shlex.quote, sys.argv[1:])])


def write_record(
    path: Path,
    kind: str,
    name: str,
    claims: Sequence[Claim],
    *,
    remark: str | None = None,
    **content: Unpack[Content],
) -> dict[str, Any]:
    """Write a record and, beside it under the same name, its figure.

    Args:
        path: The JSON file; the figure is its `.svg`.
        kind: ``"study"`` or ``"benchmark"``.
        name: Name of the study.
        claims: The claims.
        remark: A sentence about the images or the trainings.
        content: See `Content`.

    Returns:
        The record.
    """
    import io

    import matplotlib as mpl

    document = {
        kind: name,
        "command": command_line(),
        **({"remark": remark} if remark else {}),
        "seeds": list(content["seeds"]),
        "budget": dict(content["budget"]),
        "hardware": hardware(),
        "versions": versions(),
        "claims": [claim._asdict() for claim in claims],
        **({"failed": list(failed)} if (failed := content.get("failed")) else {}),
        **content["details"],
    }
    svg = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        content["figure"].savefig(svg, format="svg", metadata={"Date": None})
    text = json.dumps(document, indent=2) + "\n"
    write_together({path.with_suffix(".svg"): svg.getvalue(), path: text})
    return document


def claims_table(document: Mapping[str, Any]) -> Any:
    """Return a record's claims as a table."""
    from rich.box import SIMPLE_HEAD
    from rich.markup import escape
    from rich.table import Table

    table = Table("claim", "holds", "value", "interval", box=SIMPLE_HEAD)
    for row in document["claims"]:
        interval = row["interval"]
        cell = f"{interval[0]:.4g} to {interval[1]:.4g}" if interval else "–"
        claim = escape(row["claim"])  # names in it may have brackets
        table.add_row(claim, "yes" if row["holds"] else "no", f"{row['value']:.4g}", cell)
    return table


def record_outcome(document: dict[str, Any]) -> Outcome:
    """Return a record with the table of its claims and its remark.

    The exit code is 1 if a run failed.
    """
    from rich.console import Group
    from rich.text import Text

    failed = document.get("failed", [])
    lines = [Text(f"{row['run']} failed: {row['reason']}") for row in failed]
    if "remark" in document:
        lines.append(Text(document["remark"]))
    return Outcome(document, Group(claims_table(document), *lines), exit_code=1 if failed else 0)
