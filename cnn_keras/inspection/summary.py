"""A network's rows beside what its paper prints about them, for `cnn-keras summary`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ..zoo import build, checked_options, network
from . import anatomy

if TYPE_CHECKING:
    from rich.console import RenderableType

    from ..paper import Printed
    from .anatomy import Row

# What rows have and papers print, and its name in the table.
HEADS = {"output_shape": "output", "parameters": "parameters", "macs": "MACs", "neurons": "neurons"}

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


LEGEND = (
    "field: side of the input, in pixels, that one output depends on, with the padding. "
    "parameters: with biases. memory: float32 maps of one image, of layers not working in place."
)


class Summary(NamedTuple):
    """A network taken apart, beside its paper."""

    name: str
    paper: str
    input_shape: tuple[int, ...]
    depth: int
    rows: list[tuple[Row, Printed]]  # empty ones where the network is not the paper's
    total: tuple[Row, Printed]


class Note(NamedTuple):
    """Why a row is not as its paper prints it."""

    mark: str
    row: str
    fields: list[str]  # in which it differs
    text: str


class Column(NamedTuple):
    """A column of a table, from the network's first row to the total."""

    head: str
    cells: list[str]
    justify: Literal["left", "right"] = "right"


def summarize(
    name: str,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Summary:
    """Take a network of the zoo apart.

    Args:
        name: Row of the zoo.
        input_shape: The paper's by default.
        num_classes: The paper's by default.
        options: The family's own choices.

    Raises:
        UsageError: An unknown network or option, or a shape that the network cannot take.
    """
    row = network(name)
    chosen = {**row.options, **checked_options(name, options or {})}
    model = anatomy.outline(lambda: build(name, input_shape, num_classes, **chosen))
    from ..paper import Printed

    shape = tuple(model.input_shape[1:])
    is_papers = shape == row.input_shape and model.outputs[0].shape[-1] == row.num_classes
    family = importlib.import_module(f"..models.{row.builder.partition(':')[0]}", __package__)
    printed = family.printed(**chosen) if is_papers else {}
    found = anatomy.rows(model)
    *rows, total = [(r, printed.get(r.row, Printed())) for r in (*found, anatomy.total(found))]
    return Summary(name, row.paper, shape, anatomy.depth(model), rows, total)


def differing(row: Row, printed: Printed) -> list[str]:
    """Return the fields in which a row is not as its paper prints it, beyond rounding."""
    fields = [] if printed.output_shape in (None, row.output_shape) else ["output_shape"]
    for field in ("parameters", "macs", "neurons"):
        number = getattr(printed, field)
        if number is not None and not number.agrees(getattr(row, field)):
            fields.append(field)
    return fields


def notes(summary: Summary) -> list[Note]:
    """Return a note on each row that is not as its paper prints it."""
    found: list[Note] = []
    for row, printed in (*summary.rows, summary.total):
        if fields := differing(row, printed):
            pairs = [(field, getattr(row, field), getattr(printed, field)) for field in fields]
            text = printed.contradiction or " ".join(_difference(*pair) for pair in pairs)
            mark = str(len(found) + 1).translate(SUPERSCRIPTS)
            found.append(Note(mark, row.row, fields, text))
    return found


def _difference(field: str, counted: Any, printed: Any) -> str:
    if field == "output_shape":
        return f"the paper prints {_text(printed)}, the network has {_text(counted)}."
    change = counted / printed.value - 1
    return (
        f"the paper prints {printed.text} {HEADS[field]}, which is {printed.value:,.0f}; the "
        f"network has {counted:,}, {abs(change):.1%} {'more' if change > 0 else 'less'}."
    )


def document(summary: Summary) -> dict[str, Any]:
    """Return a summary as `--json` prints it: exact, with the paper's numbers."""
    total, printed = summary.total
    return {
        "name": summary.name,
        "paper": summary.paper,
        "input_shape": summary.input_shape,
        "depth": summary.depth,
        **{field: getattr(total, field) for field in anatomy.SUMMED},
        **_beside(total, printed),
        "rows": [row._asdict() | _beside(row, printed) for row, printed in summary.rows],
    }


def _beside(row: Row, printed: Printed) -> dict[str, Any]:
    values = {
        field: getattr(value, "value", value)
        for field, value in printed._asdict().items()
        if value and field != "contradiction"
    }
    differs = differing(row, printed)
    return {"printed": values, "differs": differs, "contradiction": printed.contradiction}


def title(summary: Summary) -> str:
    """Return a line about the network as a whole, in exact numbers."""
    total, _ = summary.total
    return (
        f"{summary.name}: {summary.paper}. Input {_text(summary.input_shape)}, {summary.depth} "
        f"layers deep, {total.parameters:,} parameters, {total.macs:,} multiply-adds."
    )


def columns(summary: Summary) -> list[Column]:
    """Return the table for people, the paper's numbers beside ours, with the marks of `notes`."""
    lines = [*summary.rows, summary.total]
    marks = {(note.row, field): note.mark for note in notes(summary) for field in note.fields}

    def ours(field: str, head: str, justify: Literal["left", "right"] = "right") -> list[Column]:
        return [Column(head, [_text(getattr(row, field)) for row, _ in lines], justify)]

    def papers(field: str, head: str = "paper") -> list[Column]:
        """Return a column only where the paper prints something."""
        cells = [
            _text(getattr(printed, field)) + marks.get((row.row, field), "")
            for row, printed in lines
        ]
        return [Column(head, cells)] if any(cells) else []

    compared = [[*ours(field, HEADS[field]), *papers(field)] for field in HEADS]
    return [
        *ours("row", "row", "left"),
        *ours("layers", "layers", "left"),
        *compared[0],
        Column("field", [_side(row.receptive_field) for row, _ in lines]),
        *(column for pair in compared[1:] for column in pair),
        *papers("connections", "connections (paper)"),
        Column("memory", [f"{short(row.activation_bytes)}B" for row, _ in lines]),
    ]


def table(summary: Summary) -> RenderableType:
    """Return title, table and notes for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    found = columns(summary)
    lines = Table(title=title(summary), title_justify="left", box=SIMPLE_HEAD)
    for column in found:
        lines.add_column(column.head, justify=column.justify, overflow="fold")
    for line in zip(*(column.cells for column in found), strict=True):
        lines.add_row(*line)
    return Group(lines, *footnotes(summary))


def markdown(summary: Summary) -> str:
    """Return title, table and notes for a page on GitHub."""
    found = columns(summary)
    lines = [
        [column.head for column in found],
        [":---" if column.justify == "left" else "---:" for column in found],
        *zip(*(column.cells for column in found), strict=True),
    ]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n\n".join([title(summary), "\n".join(rows), *footnotes(summary)])


def footnotes(summary: Summary) -> list[str]:
    """Return what stands below the table, a paragraph each."""
    return [f"{note.mark} {note.row}: {note.text}" for note in notes(summary)] + [LEGEND]


def short(number: int) -> str:
    """Return a number in full up to four digits, else rounded and with its unit.

    Example:
        >>> short(4096), short(118_013_952), short(1_582_671_872)
        ('4,096', '118.0M', '1.58G')
    """
    if number < 10_000:
        return f"{number:,}"
    power, unit = next((p, u) for p, u in ((1e9, "G"), (1e6, "M"), (1e3, "K")) if number >= p)
    return f"{number / power:.{2 if number < 10 * power else 1}f}{unit}"


def _text(value: Any) -> str:
    """Return a cell: a shape, a number, a number of the paper, a word or nothing."""
    from ..paper import Figure

    if value is None:
        return ""
    if isinstance(value, int):
        return short(value)
    if isinstance(value, str):
        return value
    return value.text if isinstance(value, Figure) else "×".join(map(str, value))


def _side(field: tuple[int, ...]) -> str:
    """Return the side of a square receptive field, or both sides."""
    return str(field[0]) if len(set(field)) == 1 else "×".join(map(str, field))
