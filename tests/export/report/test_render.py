import copy
import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from cnn_keras.machine import host
from cnn_keras.tables import significant
from cnn_keras.training.run_folder import Run
from export.benchmark.measurements import MeasurementOptions, measure_files
from export.benchmark.runner import TimingOptions
from export.pipeline import export as export_files
from export.recipes import RECIPES
from export.report.facts import Entry
from export.report.render import render_html, render_markdown
from export.source_model import SourceModel

HOST = host()._asdict()
COMMAND = "cnn-keras demo --threads 1 2"
HOSTILE = "<script>alert(1)</script>|\"'><img src=http://x.example/a.png>"


@pytest.fixture(scope="module")
def measured(lenet_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Entry:
    """LeNet-5 with two real files, each really measured on one and two threads."""
    out = tmp_path_factory.mktemp("files")
    recipes = [RECIPES["float32"], RECIPES["static_wi8_ai8"]]
    source = SourceModel("lenet5_digits", lenet_run.model(), lenet_run, lenet_run.dataset())
    document = export_files(source, out, recipes)
    options = MeasurementOptions((1, 2), TimingOptions(num_runs=5, min_secs=0.0), warmup_secs=0.0)
    rows = measure_files([out / file["file"] for file in document["files"]], options).documents
    # As if written to and read from JSON, and on a machine that had nothing else to do.
    rows = json.loads(json.dumps(rows))
    for row in rows:
        row["host"]["load_average"] = 0.5
    return Entry(lenet_run, json.loads(json.dumps(document)), rows)


@pytest.fixture
def entry(measured: Entry, tmp_path: Path) -> Entry:
    """A copy that a test may change; its run folder has no models."""
    out = tmp_path / "run"
    shutil.copytree(measured.run.path, out, ignore=shutil.ignore_patterns("*.keras"))
    return Entry(Run(out), copy.deepcopy(measured.export), copy.deepcopy(measured.benchmarks))


def refuse(entry: Entry, recipe: str, reason: str) -> dict[str, Any]:
    """Turn a file into a refused one, which is neither written nor measured."""
    file: dict[str, Any] = next(f for f in entry.export["files"] if f["recipe"] == recipe)
    file |= {"accepted": False, "reasons": [reason], "file": None}
    entry.benchmarks[:] = [row for row in entry.benchmarks if row["sha256"] != file["sha256"]]
    return file


class Page(HTMLParser):
    """A parsed page: elements by name, the text, and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[tuple[str, int]] = []  # of the tables: text and number of columns
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        assert len(attributes) == len(attrs)
        self.elements.append((tag, attributes))
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append(("", 0))
        if tag in ("td", "th"):
            text, width = self.rows[-1]
            self.rows[-1] = (f"{text} ", width + int(attributes.get("colspan") or 1))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data
        if "tr" in self.open:
            text, width = self.rows[-1]
            self.rows[-1] = (text + data, width)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def test_page_fetches_nothing(entry: Entry) -> None:
    text = render_html([entry], HOST, COMMAND)
    page = Page(text)
    assert {name for name, _ in page.elements}.isdisjoint({"script", "link", "img", "iframe"})
    for _, attributes in page.elements:
        assert not {"src", "srcset", "onload", "onerror"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"https?:|url\(|@import|//\w", text)


def test_page_is_well_formed(entry: Entry) -> None:
    page = Page(render_html([entry, entry], HOST, COMMAND))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {f"#{name}" for name in ids} == {link["href"] for link in page.all("a")}
    for cell in page.all("th"):
        assert cell["scope"] in ("row", "col", "colgroup")


def test_figures_are_xml_and_say_what_they_show(entry: Entry) -> None:
    figures = re.findall(r"<svg.*?</svg>", render_html([entry], HOST, COMMAND), re.DOTALL)
    assert len(figures) == 2
    for figure in figures:
        root = ET.fromstring(figure)
        assert root.attrib["role"] == "img"
        assert len(root.attrib["aria-label"]) > 40
        width, height = map(float, root.attrib["viewBox"].split()[2:])
        for element in root.iter("text"):
            assert 0 <= float(element.attrib["x"]) <= width
            assert 0 <= float(element.attrib["y"]) <= height


def test_table_has_every_file_and_measurement(entry: Entry) -> None:
    page = Page(render_html([entry], HOST, COMMAND))
    for file in entry.export["files"]:
        (row,) = [text for text, _ in page.rows if text.strip().startswith(file["recipe"])]
        assert "✓ accepted" in row
        assert f"{100 * file['top1_file']:.2f}" in row
        assert f"{file['size_bytes'] / 1000:,.1f}" in row
        assert f"{file['audit']['delegated_nodes']}/{file['audit']['nodes']}" in row
        for threads in (1, 2):
            measurement = entry.measured(file, threads)
            assert measurement
            for key in ("latency_p50_ms", "latency_p90_ms", "latency_p99_ms"):
                assert significant(measurement[key]) in row
        assert file["sha256"] in page.text
    widths = {width for text, width in page.rows if "accepted" in text or "Refused" in text}
    assert len(widths) == 1
    assert COMMAND in page.text
    assert page.text.count("All 2 files are accepted.") == 1
    assert "too few images" not in page.text
    entry.export["files"][1]["too_few_images"] = True
    said = (
        "All 2 files are accepted. 1 of them was compared on too few images for a reliable verdict."
    )
    assert said in Page(render_html([entry], HOST, COMMAND)).text


def test_refused_file_is_shown_with_its_reason(entry: Entry) -> None:
    refuse(entry, "static_wi8_ai8", "loses 16.66 points of accuracy; it may lose 0.5")
    entry.export["files"][0]["remarks"] = ["XNNPACK runs 12 of 13 operations"]
    page = Page(render_html([entry], HOST, COMMAND))
    (row,) = [text for text, _ in page.rows if text.strip().startswith("static_wi8_ai8")]
    assert "✕ refused" in row
    assert "— not measured, because it was not written" in row
    assert "Refused: loses 16.66 points of accuracy; it may lose 0.5." in page.text
    assert "Note: XNNPACK runs 12 of 13 operations." in page.text
    assert "1 of 2 files is accepted; static_wi8_ai8 of lenet5 is refused" in page.text
    assert "Not measured, so not shown: static_wi8_ai8." in page.text
    widths = {
        width for text, width in page.rows if re.search("accepted|refused|Refused|Note", text)
    }
    assert len(widths) == 1
    text = render_markdown([entry], HOST, COMMAND)
    assert "| ✕ refused; loses 16.66 points of accuracy; it may lose 0.5 |" in text
    assert "| ✓ accepted; XNNPACK runs 12 of 13 operations |" in text


def test_all_files_refused(entry: Entry) -> None:
    for recipe in ("float32", "static_wi8_ai8"):
        refuse(entry, recipe, "gives the same probabilities for every image")
    page = Page(render_html([entry], HOST, COMMAND))
    assert "0 of 2 files are accepted" in page.text
    assert columns(render_markdown([entry], HOST, COMMAND)) == [16] * 4


def test_hostile_names_stay_text(entry: Entry) -> None:
    labels = entry.run.path / "labels.txt"
    labels.write_text("\n".join([HOSTILE, *entry.run.classes[1:]]) + "\n")
    config = entry.run.config | {"data": HOSTILE}
    entry.run.write_json("config.json", config)
    hostile = Entry(Run(entry.run.path), entry.export, entry.benchmarks)
    refuse(hostile, "static_wi8_ai8", HOSTILE)
    hostile.export["files"][0]["remarks"] = [HOSTILE]
    machine = HOST | {"cpu": HOSTILE}
    page = Page(render_html([hostile], machine, f"cnn-keras </code>{HOSTILE}"))
    assert {name for name, _ in page.elements}.isdisjoint({"script", "img"})
    assert page.text.count(HOSTILE) >= 6
    text = render_markdown([hostile], machine, f"cnn-keras `{HOSTILE}`")
    assert "<" not in text.replace(f"`cnn-keras  {HOSTILE} `", "")
    assert len(set(columns(text))) == 1


def test_names_are_escaped_in_text_and_attributes(entry: Entry) -> None:
    entry.run.write_json("config.json", entry.run.config | {"data": "<b>\"'&"})
    text = render_html([Entry(Run(entry.run.path), *entry[1:])], HOST, COMMAND)
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "lenet5 on &lt;b&gt;&#34;&#39;&amp;</title>" in text
    assert 'aria-label="Files of lenet5 on &lt;b&gt;&#34;&#39;&amp;"' in text
    assert '<b>"' not in text


def columns(text: str) -> list[int]:
    """Return how many cells each line of the Markdown table of the files has."""
    table = next(block for block in text.split("\n\n") if "| recipe |" in block)
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [len(re.split(r"(?<!\\)\|", line)) for line in lines]


def test_markdown_is_one_table_of_all_files(entry: Entry) -> None:
    refuse(entry, "static_wi8_ai8", "agrees on 54 % | of the images")
    text = render_markdown([entry, entry], HOST, COMMAND)
    counts = columns(text)
    assert len(counts) == 2 + 4
    assert len(set(counts)) == 1
    head = next(line for line in text.splitlines() if "| recipe |" in line)
    for name in ("recipe", "drop, points", "p50 / p90 / p99, ms, 2 threads", "partitions"):
        assert f"| {name} |" in head
    assert f"`{COMMAND}`" in text
    assert "61,706" in text


def test_same_input_gives_the_same_text(entry: Entry) -> None:
    for form in (render_html, render_markdown):
        again = Entry(Run(entry.run.path), copy.deepcopy(entry.export), entry.benchmarks)
        assert form([entry], HOST, COMMAND) == form([again], HOST, COMMAND)


def test_without_benchmarks(entry: Entry) -> None:
    bare = entry._replace(benchmarks=[])
    page = Page(render_html([bare], HOST, COMMAND))
    assert "No file was measured." in page.text
    assert "latency, 1" not in page.text
    assert f"{HOST['load_average']:g} before each measurement" in page.text
    assert len(set(columns(render_markdown([bare], HOST, COMMAND)))) == 1


def test_partly_measured(entry: Entry) -> None:
    first = entry.export["files"][0]["sha256"]
    rows = [r for r in entry.benchmarks if r["sha256"] != first or r["num_threads"] == 2]
    page = Page(render_html([entry._replace(benchmarks=rows)], HOST, COMMAND))
    (row,) = [text for text, _ in page.rows if text.strip().startswith("float32")]
    assert row.count("—") == 6  # latency on one thread, and the start there
    assert "Not measured, so not shown: float32." in page.text


def test_single_epoch(entry: Entry) -> None:
    with (entry.run.path / "history.csv").open(newline="") as file:
        rows = list(csv.reader(file))[:2]
    with (entry.run.path / "history.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    page = Page(render_html([entry], HOST, COMMAND))
    (label,) = [svg["aria-label"] or "" for svg in page.all("svg") if "Error" in str(svg)]
    assert label.startswith("Error and loss over 1 epoch.")


def test_many_classes_are_listed_not_drawn(entry: Entry) -> None:
    names = [f"class {number}" for number in range(100)]
    (entry.run.path / "labels.txt").write_text("\n".join(names) + "\n")
    matrix = [[10 * (row == column) for column in range(100)] for row in range(100)]
    matrix[7][3] = 5
    entry.run.write_json("metrics.json", entry.run.metrics | {"confusion_matrix": matrix})
    many = Entry(Run(entry.run.path), entry.export, entry.benchmarks)
    page = Page(render_html([many], HOST, COMMAND))
    assert "class 7 predicted as class 3: 5 of 15" in page.text
    assert "confusion" not in [table["class"] for table in page.all("table")]


def test_doubtful_files_busy_machines_and_slow_integers_are_explained(entry: Entry) -> None:
    entry.export["remarks"].append("The Keras model itself is right by chance.")
    static = entry.export["files"][1]["sha256"]
    for row in entry.benchmarks:
        row["host"]["load_average"] = 99.0
        if row["sha256"] == static:
            row["latency_p50_ms"] = row["latency_min_ms"] = 1e3
    for text in (
        Page(render_html([entry], HOST, COMMAND)).text,
        render_markdown([entry], HOST, COMMAND),
    ):
        assert "The Keras model itself is right by chance." in text
        assert "up to 99 on" in text
        assert "as long as float32 here" in text


def test_accuracy_comes_with_its_interval(entry: Entry) -> None:
    metrics = entry.run.metrics
    metrics["test"] = {"accuracy": 0.9, "loss": 0.3, "num_images": 100}
    # Wilson 1927, as R's prop.test(90, 100, correct = FALSE) gives it: 0.8256 to 0.9448.
    page = Page(render_html([entry], HOST, COMMAND))
    assert "90.00\N{NO-BREAK SPACE}% (82.6–94.5)" in page.text


def test_networks_from_the_package_are_told_apart(entry: Entry) -> None:
    shipped = entry._replace(package_name="lenet5:digits")
    text = render_html([entry, shipped], HOST, COMMAND)
    page = Page(text)
    assert "<title>Trained, exported and measured: lenet5 on digits</title>" in text
    own, theirs = page.all("section")[:2]
    assert own.get("class") is None
    assert theirs["class"] == "shipped"
    origins = [text.split() for text, _ in page.rows if "of 1,257 images" in text]
    assert [row[:5] for row in origins] == [
        ["lenet5", "on", "digits", "trained", "now"],
        ["lenet5:digits", "from", "the", "package", "6"],
    ]
    # The training is shown only if it took place here.
    assert sum("Error and loss" in (svg["aria-label"] or "") for svg in page.all("svg")) == 1
    assert page.text.count("training time") == 1
    markdown = render_markdown([entry, shipped], HOST, COMMAND)
    assert markdown.startswith("# cnn-keras: lenet5 on digits\n")
    assert "| lenet5 on digits | trained now | 6 epochs of 1,257 images |" in markdown
    assert "| lenet5:digits | from the package | 6 epochs of 1,257 images |" in markdown
    assert "| lenet5 | trained now | float32 |" in markdown
    assert "| lenet5:digits | from the package | float32 |" in markdown
    assert "**lenet5:digits**" in markdown
