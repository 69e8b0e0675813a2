"""The summary of a network: its rows beside the numbers that its paper prints."""

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

# Fields that rows have and papers print, and their headers in the table.
HEADERS = {
    "output_shape": "output",
    "parameters": "parameters",
    "macs": "MACs",
    "neurons": "neurons",
}

SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

LEGEND = (
    "field: receptive field, the side in pixels of the input region of one output, with padding. "
    "parameters: with biases. memory: float32 outputs for one image, except of in-place layers."
)


class Summary(NamedTuple):
    """A network's rows beside its paper's."""

    name: str
    paper: str
    input_shape: tuple[int, ...]
    depth: int
    rows: list[tuple[Row, Printed]]  # empty if the network is not the paper's
    total: tuple[Row, Printed]


class Note(NamedTuple):
    """Why a row differs from its paper."""

    mark: str
    row: str
    fields: list[str]  # those that differ
    text: str


class Column(NamedTuple):
    """A column of a table, from the network's first row to the total."""

    header: str
    cells: list[str]
    justify: Literal["left", "right"] = "right"


def summarize(
    name: str,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Summary:
    """Return the summary of a network of the zoo.

    Args:
        name: Row of the zoo.
        input_shape: The paper's by default.
        num_classes: The paper's by default.
        options: Options of the family.

    Raises:
        UsageError: An unknown network or option, or a shape that the network cannot take.
    """
    row = network(name)
    chosen = {**row.options, **checked_options(name, options or {})}
    model = anatomy.build_uninitialized(lambda: build(name, input_shape, num_classes, **chosen))
    from ..paper import Printed

    shape = tuple(model.input_shape[1:])
    is_paper_shape = shape == row.input_shape and model.outputs[0].shape[-1] == row.num_classes
    family = importlib.import_module(f"..models.{row.builder.partition(':')[0]}", __package__)
    printed = family.printed(**chosen) if is_paper_shape else {}
    found = anatomy.rows(model)
    *rows, total = [(r, printed.get(r.row, Printed())) for r in (*found, anatomy.total(found))]
    return Summary(name, row.paper, shape, anatomy.depth(model), rows, total)


def differing_fields(row: Row, printed: Printed) -> list[str]:
    """Return the fields in which a row differs from its paper by more than rounding."""
    fields = [] if printed.output_shape in (None, row.output_shape) else ["output_shape"]
    for field in ("parameters", "macs", "neurons"):
        number = getattr(printed, field)
        if number is not None and not number.agrees(getattr(row, field)):
            fields.append(field)
    return fields


def notes(summary: Summary) -> list[Note]:
    """Return a note on each row that differs from its paper."""
    found: list[Note] = []
    for row, printed in (*summary.rows, summary.total):
        if fields := differing_fields(row, printed):
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
        f"the paper prints {printed.text} {HEADERS[field]}, which is {printed.value:,.0f}; the "
        f"network has {counted:,}, {abs(change):.1%} {'more' if change > 0 else 'less'}."
    )


def document(summary: Summary) -> dict[str, Any]:
    """Return a summary as a JSON document, with exact numbers and the paper's."""
    total, printed = summary.total
    return {
        "name": summary.name,
        "paper": summary.paper,
        "input_shape": summary.input_shape,
        "depth": summary.depth,
        **{field: getattr(total, field) for field in anatomy.SUMMED},
        **_paper_fields(total, printed),
        "rows": [row._asdict() | _paper_fields(row, printed) for row, printed in summary.rows],
    }


def _paper_fields(row: Row, printed: Printed) -> dict[str, Any]:
    values = {
        field: getattr(value, "value", value)
        for field, value in printed._asdict().items()
        if value and field != "contradiction"
    }
    differs = differing_fields(row, printed)
    return {"printed": values, "differs": differs, "contradiction": printed.contradiction}


def title(summary: Summary) -> str:
    """Return one line with the network's totals in exact numbers."""
    total, _ = summary.total
    return (
        f"{summary.name}: {summary.paper}. Input {_text(summary.input_shape)}, {summary.depth} "
        f"layers deep, {total.parameters:,} parameters, {total.macs:,} multiply-adds."
    )


def columns(summary: Summary) -> list[Column]:
    """Return the columns of the table, the paper's numbers beside ours and marked with notes."""
    lines = [*summary.rows, summary.total]
    marks = {(note.row, field): note.mark for note in notes(summary) for field in note.fields}

    def ours(field: str, header: str, justify: Literal["left", "right"] = "right") -> list[Column]:
        return [Column(header, [_text(getattr(row, field)) for row, _ in lines], justify)]

    def papers(field: str, header: str = "paper") -> list[Column]:
        """Return a column if the paper prints any of its numbers."""
        cells = [
            _text(getattr(printed, field)) + marks.get((row.row, field), "")
            for row, printed in lines
        ]
        return [Column(header, cells)] if any(cells) else []

    compared = [[*ours(field, HEADERS[field]), *papers(field)] for field in HEADERS]
    return [
        *ours("row", "row", "left"),
        *ours("layers", "layers", "left"),
        *compared[0],
        Column("field", [_field_text(row.receptive_field) for row, _ in lines]),
        *(column for pair in compared[1:] for column in pair),
        *papers("connections", "connections (paper)"),
        Column("memory", [f"{abbreviate(row.activation_bytes)}B" for row, _ in lines]),
    ]


def table(summary: Summary) -> RenderableType:
    """Return title, table and notes for a terminal."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    found = columns(summary)
    lines = Table(title=title(summary), title_justify="left", box=SIMPLE_HEAD)
    for column in found:
        lines.add_column(column.header, justify=column.justify, overflow="fold")
    for line in zip(*(column.cells for column in found), strict=True):
        lines.add_row(*line)
    return Group(lines, *footnotes(summary))


def markdown(summary: Summary) -> str:
    """Return title, table and notes as Markdown."""
    found = columns(summary)
    lines = [
        [column.header for column in found],
        [":---" if column.justify == "left" else "---:" for column in found],
        *zip(*(column.cells for column in found), strict=True),
    ]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n\n".join([title(summary), "\n".join(rows), *footnotes(summary)])


def footnotes(summary: Summary) -> list[str]:
    """Return the paragraphs below the table."""
    return [f"{note.mark} {note.row}: {note.text}" for note in notes(summary)] + [LEGEND]


def abbreviate(number: int) -> str:
    """Return a number in full up to four digits, else rounded with a unit prefix.

    Example:
        >>> abbreviate(4096), abbreviate(118_013_952), abbreviate(1_582_671_872)
        ('4,096', '118.0M', '1.58G')
    """
    if number < 10_000:
        return f"{number:,}"
    power, unit = next((p, u) for p, u in ((1e9, "G"), (1e6, "M"), (1e3, "K")) if number >= p)
    return f"{number / power:.{2 if number < 10 * power else 1}f}{unit}"


def _text(value: Any) -> str:
    """Return the text of a cell for a shape, a number, a figure of the paper, a word or None."""
    from ..paper import Figure

    if value is None:
        return ""
    if isinstance(value, int):
        return abbreviate(value)
    if isinstance(value, str):
        return value
    return value.text if isinstance(value, Figure) else "×".join(map(str, value))


def _field_text(field: tuple[int, ...]) -> str:
    """Return the side of a square receptive field, else height and width."""
    return str(field[0]) if len(set(field)) == 1 else "×".join(map(str, field))
