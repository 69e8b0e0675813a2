"""The report of a whole chain: what was trained, which files may ship, what they cost.

Two forms of the same facts: `html`, one page that needs nothing beside it, and `markdown`, one
table. Both depend on what they are given and on the installed versions only: no clock is read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple

from cnn_keras import __version__, zoo
from cnn_keras.inspection import anatomy
from cnn_keras.machine import Host, versions
from cnn_keras.training.evaluate import wilson
from cnn_keras.training.run_folder import Run

from ..benchmark.integer_speed import integer_note
from ..benchmark.results import significant
from ..benchmark.runner import Row
from ..recipes import RECIPES, Recipe
from .charts import Bubble, Panel, bubbles, curves
from .page import Html, page, tag

_NONE = "—"
_MATRIX_CLASSES = 20  # beyond, a confusion matrix has more cells than one can read


class Entry(NamedTuple):
    """One trained network with its files.

    Attributes:
        run: Its finished run.
        export: The content of `export.json`.
        benchmarks: Rows of `cnn-keras benchmark`; those of other files are ignored.
    """

    run: Run
    export: dict[str, Any]
    benchmarks: list[dict[str, Any]]

    @property
    def name(self) -> str:
        """Network and data set."""
        return f"{self.run.config['network']} on {self.run.config['data']}"

    @property
    def threads(self) -> list[int]:
        """The numbers of threads that any of the files was measured with."""
        hashes = {file["sha256"] for file in self.export["files"]}
        return sorted({r["num_threads"] for r in self.benchmarks if r["sha256"] in hashes})

    @property
    def rows(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The files that were measured, each with its row, once for each number of threads."""
        return [
            (file, row)
            for file in self.export["files"]
            for count in self.threads
            if (row := self.measured(file, count))
        ]

    def measured(self, file: dict[str, Any], num_threads: int) -> dict[str, Any] | None:
        """Return a file's latest benchmark row with so many threads."""
        for row in reversed(self.benchmarks):
            if (row["sha256"], row["num_threads"]) == (file["sha256"], num_threads):
                return row
        return None


def _made(file: dict[str, Any]) -> dict[str, Any] | None:
    """Return a file's row of `export.json`; None where it could not be made, or run."""
    return file if file["audit"] else None


class _Column(NamedTuple):
    """A column of the table: its head, what it means, and its text for one row."""

    head: str
    meaning: str
    text: Callable[[dict[str, Any]], str]


# fmt: off
_FILE_COLUMNS = (
    _Column("size, kB",
            "Size of the file, in thousands of bytes, labels and preprocessing included.",
            lambda file: f"{file['size_bytes'] / 1000:,.1f}"),
    _Column("ratio",
            "Size over that of the float32 file.",
            lambda file: f"{file['size_ratio']:.2f}×"),
    _Column("top-1, %",
            "Share of the held-out images whose likeliest class is the right one, by LiteRT.",
            lambda file: f"{100 * file['top1_file']:.2f}"),
    _Column("drop, points",
            "Top-1 of the Keras model less top-1 of the file, in percentage points; below zero the "
            "file is better.",
            lambda file: _signed(file["drop_points"], 2)),
    _Column("agreement, %",
            "Share of the held-out images on which file and Keras model give the same class.",
            lambda file: f"{100 * file['agreement']:.2f}"),
    _Column("SNR, dB",
            "Power of the Keras model's probabilities over that of the file's error; 20 dB is an "
            "error of a tenth, each further 20 dB a tenth of that.",
            lambda file: _known(file["snr_db"], ".1f")),
)
_LATENCY_COLUMNS = (
    _Column("p50, ms",
            "Median latency: the inference of one image alone, without copying it in and out, back "
            "to back after a warm-up, in a fresh process.",
            lambda row: significant(row["latency_p50_ms"])),
    _Column("p90, ms", "Nine of ten of these inferences are as fast or faster.",
            lambda row: significant(row["latency_p90_ms"])),
    _Column("p99, ms", "Ninety-nine of a hundred are; other work on the machine shows here first.",
            lambda row: significant(row["latency_p99_ms"])),
)
_START_COLUMNS = (
    _Column("load, ms",
            "Opening the file, creating the interpreter and packing the weights, once.",
            lambda row: significant(row["load_ms"])),
    _Column("first, ms", "The first inference after that.",
            lambda row: significant(row["first_ms"])),
    _Column("peak, MiB",
            "Most resident memory of the process up to its first inference; Python, numpy and the "
            "runtime take most of it.",
            lambda row: f"{row['peak_rss_mb']:.1f}"),
)
_AUDIT_COLUMNS = (
    _Column("delegated",
            "Operations of the file that XNNPACK's optimized kernels run, of all.",
            lambda file: f"{_known(file['audit']['delegated_nodes'], 'd')}"
                         f"/{file['audit']['nodes']}"),
    _Column("partitions",
            "Pieces in which XNNPACK gets them; every further one costs a copy.",
            lambda file: _known(file["audit"]["partitions"], "d")),
)
# fmt: on


def html(entries: Sequence[Entry], host: dict[str, Any], command: str) -> str:
    """Return the report as one HTML page that fetches nothing.

    Args:
        entries: The networks, in order.
        host: Fields of `cnn_keras.machine.Host`: where the files were measured.
        command: What made the page.

    Example:
        entries = [Entry(run, document, rows)]
        text = html(entries, host()._asdict(), "cnn-keras demo")
    """
    title = f"Trained, exported, measured: {_enumerate(e.name for e in entries)}"
    items = [tag("li", tag("a", e.name, href=f"#network-{i}")) for i, e in enumerate(entries, 1)]
    items.append(tag("li", tag("a", "How it was measured", href="#measured")))
    return page(
        title,
        tag(
            "header",
            tag("p", f"cnn-keras {__version__}", class_="eyebrow"),
            tag("h1", title),
            tag("p", verdict(entries, host), class_="lead"),
            tag("nav", tag("ul", *items), aria_label="Contents"),
        ),
        tag(
            "main",
            *(_section(entry, host, number) for number, entry in enumerate(entries, 1)),
            _method(entries, host, command),
        ),
    )


def markdown(entries: Sequence[Entry], host: dict[str, Any], command: str) -> str:
    """Return the report as Markdown: the verdict, the facts, and one table of all files.

    Args:
        entries: The networks, in order.
        host: Fields of `cnn_keras.machine.Host`: where the files were measured.
        command: What made the document.
    """
    threads = sorted({count for entry in entries for count in entry.threads})
    heads = ["network", "recipe", "verdict", *(c.head for c in _FILE_COLUMNS)]
    heads += [f"p50 / p90 / p99, ms, {_threads(count)}" for count in threads]
    heads += ["load / first, ms", "peak, MiB", *(c.head for c in _AUDIT_COLUMNS)]
    rows = []
    for entry in entries:
        for file in entry.export["files"]:
            first = entry.measured(file, threads[0]) if threads else None
            load, start, peak = _texts(_START_COLUMNS, first)
            cells = [entry.run.config["network"], file["recipe"]]
            cells.append("; ".join([_judgment(file), *file["reasons"], *file["remarks"]]))
            cells += _texts(_FILE_COLUMNS, _made(file))
            cells += [
                " / ".join(_texts(_LATENCY_COLUMNS, row)) if row else _NONE
                for row in (entry.measured(file, count) for count in threads)
            ]
            cells += [f"{load} / {start}" if first else _NONE, peak]
            rows.append([*cells, *_texts(_AUDIT_COLUMNS, _made(file))])
    numbers = len(heads) - 3
    lines = [f"# {_md(f'cnn-keras: {_enumerate(entry.name for entry in entries)}')}", ""]
    lines += [_md(verdict(entries, host)), ""]
    lines += [_md_row(heads), _md_row([":---"] * 3 + ["---:"] * numbers), *map(_md_row, rows), ""]
    for entry in entries:
        facts = "; ".join(f"{name} {value}" for name, value in _facts(entry))
        lines += [f"**{_md(entry.name)}**: {_md(facts)}. {_md(_basis(entry))}", ""]
        lines += [f"- {_md(note)}" for note in _notes(entry, host)]
        lines += [""] if _notes(entry, host) else []
    lines += [_md(f"Machine: {'; '.join(f'{k} {v}' for k, v in _machine(entries, host))}."), ""]
    return "\n".join([*lines, f"Made by `{command.replace('`', ' ')}`.", ""])


def verdict(entries: Sequence[Entry], host: dict[str, Any]) -> str:
    """Say in one paragraph which files may ship, what was trained, and where it was measured."""
    files = [(entry, file) for entry in entries for file in entry.export["files"]]
    refused = [(entry, file) for entry, file in files if not file["accepted"]]
    if refused:
        names = [f"{file['recipe']} of {entry.run.config['network']}" for entry, file in refused]
        sentences = [
            f"{len(files) - len(refused)} of {len(files)} files may ship; {_enumerate(names)} "
            f"{'is' if len(names) == 1 else 'are'} refused, and the table says why."
        ]
    else:
        sentences = [f"All {len(files)} files may ship."]
    if few := sum(file.get("too_few_images", False) for _, file in files):
        sentences.append(f"Too few images judged {few} of them to trust that.")
    sentences += map(_summary, entries)
    if any(entry.threads for entry in entries):
        sentences.append(
            f"Times are of one image on {host['cpu']}, {_count(host['cores'], 'core')}."
        )
    return _bind(" ".join(sentences))


def _summary(entry: Entry) -> str:
    """Say how good a network is, and which of its files are the smallest and the fastest."""
    test = entry.run.metrics["test"]
    low, high = wilson(test["accuracy"], test["num_images"])
    text = (
        f"{entry.run.config['network']}, trained on {entry.run.config['data']}, gets "
        f"{100 * test['accuracy']:.1f} % of {test['num_images']:,} test images right (95 % "
        f"interval {100 * low:.1f} to {100 * high:.1f})"
    )
    accepted = [file for file in entry.export["files"] if file["accepted"]]
    if accepted:
        small = min(accepted, key=lambda file: (file["size_bytes"], file["recipe"]))
        text += f"; its smallest file, {small['recipe']}, has {small['size_bytes'] / 1000:,.0f} kB "
        text += f"({small['size_ratio']:.2f} of float32)"
    timed = [
        (row["latency_p50_ms"], file["recipe"], row["num_threads"])
        for file, row in entry.rows
        if file["accepted"]
    ]
    if timed:
        latency, recipe, count = min(timed)
        text += f", its fastest, {recipe}, takes {significant(latency)} ms on {_threads(count)}"
    return f"{text}."


def _facts(entry: Entry) -> list[tuple[str, str]]:
    """Return what was trained, on what, with what result."""
    run = entry.run
    config, metrics, shape = run.config, run.metrics, run.preprocessing
    size = (shape.height, shape.width, shape.channels)
    model = zoo.build(config["network"], size, len(run.classes), **config["options"])
    rows = anatomy.rows(model)
    test = metrics["test"]
    low, high = wilson(test["accuracy"], test["num_images"])
    counts = [metrics["num_train_images"], metrics["validation"]["num_images"], test["num_images"]]
    recipe = config["recipe"]
    interval = f"({100 * low:.1f}–{100 * high:.1f})"
    rates = dict.fromkeys(f"{row['learning_rate']:.3g}" for row in run.history)
    options = "".join(f", {key} {value}" for key, value in config["options"].items())
    facts = [
        ("network", f"{config['network']}{options}"),
        ("paper", zoo.network(config["network"]).paper),
        ("data set", f"{config['data']}, {len(run.classes)} classes"),
        ("images: train, validation, test", " / ".join(f"{count:,}" for count in counts)),
        ("input", " × ".join(map(str, size))),
        ("parameters", f"{sum(row.parameters for row in rows):,}"),
        ("multiply-adds for one image", f"{sum(row.macs for row in rows):,}"),
        ("epochs", f"{len(run.history)} of {_count(recipe['batch_size'], 'image')} a step"),
        ("learning rate", " → ".join(rates)),
        ("training time", f"{metrics['train_seconds']:,.0f} s, seed {config['seed']}"),
        ("validation accuracy", f"{100 * metrics['validation']['accuracy']:.2f} %"),
        ("test accuracy (95 % interval)", f"{100 * test['accuracy']:.2f} % {interval}"),
    ]
    return [(_bind(name), _bind(value)) for name, value in facts]


def _section(entry: Entry, host: dict[str, Any], number: int) -> Html:
    """Return everything about one network."""
    facts = [tag("div", tag("dt", name), tag("dd", value)) for name, value in _facts(entry)]
    notes = [tag("p", note) for note in _notes(entry, host)]
    return tag(
        "section",
        tag("h2", entry.run.config["network"], tag("small", f" on {entry.run.config['data']}")),
        tag("dl", *facts, class_="facts"),
        tag("div", _training(entry), _confusions(entry), _scatter(entry), class_="figures"),
        _table(entry),
        tag("div", *notes, class_="notes", role="note") if notes else Html(),
        id=f"network-{number}",
    )


def _training(entry: Entry) -> Html:
    history = entry.run.history
    epochs = [int(row["epoch"]) for row in history]
    drops = [
        (row["epoch"] - 0.5, f"rate {row['learning_rate']:.3g}")
        for before, row in pairwise(history)
        if not math.isclose(row["learning_rate"], before["learning_rate"])
    ]
    errors = [[100 * (1 - row[key]) for row in history] for key in ("accuracy", "val_accuracy")]
    losses = [[row[key] for row in history] for key in ("loss", "val_loss")]
    panels = [Panel("error, %", *errors), Panel("loss, nats", *losses)]
    label = (
        f"Error and loss over {_count(len(epochs), 'epoch')}. In the last one the error is "
        f"{errors[0][-1]:.2f} % on training and {errors[1][-1]:.2f} % on validation images."
    )
    caption = "Training images are counted while the weights still change, and are distorted where "
    caption += "the recipe says so; so their error can lie above that of validation."
    if drops:
        caption += " Dotted: the learning rate changes."
    return tag(
        "figure",
        tag("h3", "Training"),
        curves(epochs, panels, drops, label),
        tag("figcaption", caption),
    )


def _confusions(entry: Entry) -> Html:
    """Return the confusion matrix as a table, and in words what is confused most."""
    matrix, names = entry.run.metrics["confusion_matrix"], entry.run.classes
    small = len(names) <= _MATRIX_CLASSES
    wrong = [
        (count, -true, -guess)
        for true, row in enumerate(matrix)
        for guess, count in enumerate(row)
        if count and true != guess
    ]
    worst = [
        tag("li", f"{names[-t]} taken for {names[-g]}: {n:,} of {sum(matrix[-t]):,}")
        for n, t, g in sorted(wrong, reverse=True)[: 3 if small else 12]
    ]
    words = (
        [tag("p", "Most often confused:"), tag("ul", *worst)] if worst else [Html("No mistake.")]
    )
    return tag(
        "figure",
        tag("h3", f"Confusions on the {entry.run.metrics['test']['num_images']:,} test images"),
        _matrix(matrix, names) if small else Html(),
        tag("figcaption", *words),
    )


def _matrix(matrix: Sequence[Sequence[int]], names: Sequence[str]) -> Html:
    heads = [tag("th", tag("span", name), scope="col") for name in names]
    rows = []
    for true, (name, row) in enumerate(zip(names, matrix, strict=True)):
        total = sum(row) or 1
        cells = []
        for guess, count in enumerate(row):
            kind = ("right" if guess == true else "wrong") if count else "none"
            # Square roots, so that one mistake in a hundred can be seen.
            share = count / total if kind == "right" else math.sqrt(count / total)
            style = f"--share:{share:.3f}" if count else None
            cells.append(tag("td", str(count) if count else "·", class_=kind, style=style))
        rows.append(tag("tr", tag("th", name, scope="row"), *cells))
    return tag(
        "table",
        tag("thead", tag("tr", tag("td", "true ↓", tag("br"), "guess →"), *heads)),
        tag("tbody", *rows),
        class_="confusion",
        aria_label="Confusion matrix: a row is a true class, a column what the network says",
    )


def _scatter(entry: Entry) -> Html:
    heading = tag("h3", "Accuracy, latency, size")
    if not entry.threads:
        return tag("figure", heading, tag("figcaption", "No file was measured."))
    count = entry.threads[0]
    points = [
        Bubble(
            file["recipe"],
            f"{significant(row['latency_p50_ms'])} ms · {file['size_bytes'] / 1000:,.0f} kB",
            row["latency_p50_ms"],
            100 * file["top1_file"],
            file["size_bytes"],
        )
        for file, row in entry.rows
        if row["num_threads"] == count
    ]
    label = "Top-1 accuracy against median latency: " + "; ".join(
        f"{point.name} {point.y:.2f} %, {point.detail}" for point in points
    )
    missing = [f["recipe"] for f in entry.export["files"] if not entry.measured(f, count)]
    reference = 100 * entry.export["files"][0]["top1_float"]
    caption = (
        f"{_basis(entry)} Latency is the median on {_threads(count)}, an area a file's size. "
        f"Dotted: the Keras model, {reference:.2f} %."
    )
    if missing:
        caption += f" Not measured, so not shown: {_enumerate(missing)}."
    return tag(
        "figure",
        heading,
        bubbles(points, "p50 latency, ms", "top-1, %", reference, 100.0, label),
        tag("figcaption", caption),
    )


def _table(entry: Entry) -> Html:
    """Return the table of all files, each a group of rows: numbers, then what is to be said."""
    threads = entry.threads
    groups: list[tuple[str, Sequence[_Column]]] = [
        ("against the Keras model", _FILE_COLUMNS),
        *((f"latency, {_threads(count)}", _LATENCY_COLUMNS) for count in threads),
    ]
    if threads:
        groups.append((f"start, {_threads(threads[0])}", _START_COLUMNS))
    groups.append(("XNNPACK", _AUDIT_COLUMNS))
    upper = [
        tag("th", "recipe", scope="col", rowspan=2),
        tag("th", "may ship", scope="col", rowspan=2, class_="verdict"),
    ]
    upper += [
        tag("th", name, scope="colgroup", colspan=len(c), class_="start") for name, c in groups
    ]
    lower = [
        tag("th", *_head(column), scope="col", class_=_start(place))
        for _, columns in groups
        for place, column in enumerate(columns)
    ]
    return tag(
        "div",
        tag(
            "table",
            tag("caption", tag("b", "Every file"), _basis(entry)),
            tag("thead", tag("tr", *upper), tag("tr", *lower)),
            *(_file_rows(entry, file) for file in entry.export["files"]),
            class_="files",
        ),
        class_="scroll",
        role="region",
        tabindex=0,
        aria_label=f"Files of {entry.name}",
    )


def _file_rows(entry: Entry, file: dict[str, Any]) -> Html:
    cells = [
        tag("th", file["recipe"], scope="row"),
        tag("td", _judgment(file), class_=f"verdict {'ship' if file['accepted'] else 'refused'}"),
        *_cells(_FILE_COLUMNS, _made(file)),
    ]
    measured = [(count, entry.measured(file, count)) for count in entry.threads]
    span = len(measured) * len(_LATENCY_COLUMNS) + len(_START_COLUMNS) if measured else 0
    if any(row for _, row in measured):
        for count, row in measured:
            cells += _cells(_LATENCY_COLUMNS, row, f", {_threads(count)}")
        cells += _cells(_START_COLUMNS, measured[0][1])
    elif measured:
        why = "not measured" if file["accepted"] else "not measured, because it was not written"
        cells.append(tag("td", f"{_NONE} {why}", colspan=span, class_="absent start"))
    cells += _cells(_AUDIT_COLUMNS, _made(file))
    rows = [tag("tr", *cells)]
    width = 2 + len(_FILE_COLUMNS) + span + len(_AUDIT_COLUMNS)
    said = [("Refused:", f" it {reason}.") for reason in file["reasons"]]
    said += [("Note:", f" {remark}.") for remark in file["remarks"]]
    for head, text in said:
        rows.append(tag("tr", tag("td", tag("b", head), text, colspan=width), class_="why"))
    return tag("tbody", *rows)


def _cells(
    columns: Sequence[_Column], values: dict[str, Any] | None, suffix: str = ""
) -> list[Html]:
    """Return cells that say what they are, for where the head of the table is not shown."""
    return [
        tag("td", text, data_label=f"{column.head}{suffix}", class_=_start(place))
        for place, (column, text) in enumerate(zip(columns, _texts(columns, values), strict=True))
    ]


def _head(column: _Column) -> tuple[str, ...]:
    """Return a column's name with its unit on a line of its own."""
    name, _, unit = column.head.partition(", ")
    return (name, tag("br"), unit) if unit else (name,)


def _start(place: int) -> str | None:
    return None if place else "start"


def _method(entries: Sequence[Entry], host: dict[str, Any], command: str) -> Html:
    """Return how the numbers came about: machine, versions, meanings, limits, hashes, command."""
    columns = (*_FILE_COLUMNS, *_LATENCY_COLUMNS, *_START_COLUMNS, *_AUDIT_COLUMNS)
    used = {file["recipe"] for entry in entries for file in entry.export["files"]}
    recipes = [(name, _limits(row)) for name, row in RECIPES.items() if name in used]
    files = [
        (file["file"] or f"{entry.name}, {file['recipe']} (not written)", file["sha256"])
        for entry in entries
        for file in entry.export["files"]
        if file["sha256"]
    ]
    return tag(
        "section",
        tag("h2", "How it was measured"),
        tag(
            "div",
            _terms("Columns", [("may ship", _MAY_SHIP), *((c.head, c.meaning) for c in columns)]),
            _terms("Recipes and their limits", recipes),
            _terms("Machine", [*_machine(entries, host), ("versions", _versions(entries))]),
            class_="columns",
        ),
        _terms("SHA-256 of the files", [(name, tag("code", digest)) for name, digest in files]),
        tag("h3", "Command"),
        tag("pre", tag("code", command)),
        id="measured",
    )


_MAY_SHIP = (
    "Whether the file stays within its recipe's limits and holds no operation, type or shape that "
    "it should not. A refused file is not written."
)


def _terms(heading: str, pairs: Iterable[tuple[str, str]]) -> Html:
    parts = [part for name, text in pairs for part in (tag("dt", name), tag("dd", text))]
    return tag("div", tag("h3", heading), tag("dl", *parts, class_="terms"))


def _limits(recipe: Recipe) -> str:
    limits = recipe.limits
    text = f"{recipe.summary}. May lose {limits.max_drop_points:g} points and agrees "
    text += "with the network that was trained on " if recipe.techniques else ""
    text += f"on {100 * limits.min_agreement:g} % of the images, both but for chance"
    if limits.max_abs_error is not None:
        text += f", no probability differs by more than {limits.max_abs_error:g}"
    return f"{text[0].upper()}{text[1:]}."


def _basis(entry: Entry) -> str:
    """Say what the accuracies were counted on, and the integers' ranges taken from."""
    export = entry.export
    count = export["num_images"]
    text = f"Accuracy is on {count:,} {export['split']} images, where one image is "
    text += f"{100 / count:.2g} points."
    if calibration := export.get("calibration"):
        text += f" Static ranges come from {calibration['num_images']} training images."
    if kinds := {row["inputs"] for _, row in entry.rows}:
        text += f" Files were timed on {' and '.join(sorted(kinds))} images."
    return _bind(text)


def _notes(entry: Entry, host: dict[str, Any]) -> list[str]:
    """Say what a reader would otherwise wonder about or believe too easily."""
    measurements = [Row(**{field: row[field] for field in Row._fields}) for _, row in entry.rows]
    notes = [*entry.export["remarks"]]
    notes += (integer_note(Host(**host), measurements) or "").splitlines()
    load = max(_loads([entry]), default=0.0)
    if load > host["cores"]:
        notes.append(
            f"In the minute before a measurement up to {load:g} processes wanted the "
            f"{_count(host['cores'], 'core')}. Where that was not this command's own work, the "
            "medians can still be compared, but p90 and p99 show the other work."
        )
    return notes


def _machine(entries: Sequence[Entry], host: dict[str, Any]) -> list[tuple[str, str]]:
    loads = _loads(entries) or [host["load_average"]]
    span = f"{min(loads):g}" if min(loads) == max(loads) else f"{min(loads):g} to {max(loads):g}"
    return [
        ("processor", f"{host['cpu']}, {host['architecture']}, {_count(host['cores'], 'core')}"),
        ("instructions", ", ".join(host["instructions"]) or "none known"),
        ("frequency governor", host["governor"] or "not visible"),
        ("load average", f"{span} before each measurement"),
        ("memory", f"{host['memory_mb']:,} MiB"),
        ("system", f"{host['os']}, kernel {host['kernel']}"),
    ]


def _loads(entries: Iterable[Entry]) -> list[float]:
    return [row["host"]["load_average"] for entry in entries for row in entry.benchmarks]


def _versions(entries: Sequence[Entry]) -> str:
    """Return the versions that measured, and those that are installed where the page is made."""
    found = versions() | {"cnn-keras": __version__}
    for entry in entries:
        for row in entry.benchmarks:
            found |= row["versions"]
    return ", ".join(f"{name} {version}" for name, version in sorted(found.items()))


def _judgment(file: dict[str, Any]) -> str:
    return "✓ ships" if file["accepted"] else "✕ refused"


def _texts(columns: Sequence[_Column], values: dict[str, Any] | None) -> list[str]:
    return [_NONE if values is None else column.text(values) for column in columns]


def _known(value: float | None, spec: str) -> str:
    return _NONE if value is None else format(value, spec)


def _signed(value: float, digits: int) -> str:
    """Write a number with a real minus sign; zero has none."""
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"


def _threads(count: int) -> str:
    return _count(count, "thread")


def _bind(text: str) -> str:
    """Keep numbers and their units on one line."""
    units = "%|ms|kB|s\\b|MiB|points|threads?|cores?"
    return re.sub(rf"(?<=\d) (?={units})", "\N{NO-BREAK SPACE}", text)


def _enumerate(names: Iterable[str]) -> str:
    """Join names as in a sentence: a, b and c."""
    *others, last = list(names)
    return f"{', '.join(others)} and {last}" if others else last


def _md(text: str) -> str:
    """Escape what Markdown or the HTML in it would take for markup."""
    text = escape(" ".join(text.split()), quote=False)
    for sign in "\\`*[]|":
        text = text.replace(sign, f"\\{sign}")
    return text


def _md_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_md, cells))} |"
