from __future__ import annotations

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from export.benchmark.results_files import Result
from export.benchmark_report.exports import Exported
from export.benchmark_report.measurements import Measurement, measurements
from export.benchmark_report.render import render_html, summary
from tests.export.benchmark_report.rows import HOSTILE, SHA256, benchmark_row, row_of_0_1_0

COMMAND = "cnn-keras report a.jsonl"


def found(rows: Sequence[dict[str, Any]], **exported: Any) -> list[tuple[Measurement, Any]]:
    results = [Result(Path("a.jsonl"), row) for row in rows]
    return measurements(results, {SHA256: Exported(**exported)})


class Page(HTMLParser):
    """A parsed page: its elements, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._in = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._in = ""

    def handle_data(self, data: str) -> None:
        if self._in == "script":
            self.scripts[-1] += data
        elif self._in != "style":
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.scripts[0])
        return document


def decoded(field: Any) -> list[Any]:
    if isinstance(field, list):
        return field
    return [field["values"][code] for code in field["codes"]]


def test_page_has_every_value() -> None:
    rows = [
        benchmark_row(num_threads=threads, place=place, peak_rss_mb=memory)
        for threads, place, memory in ((1, "local", 45.5), (2, "ssh:pi@board", None))
    ]
    each = found(rows, accuracy=0.9, recipe="float16")
    data = Page(render_html(each, [Path("a.jsonl")], COMMAND)).data
    assert data["count"] == 2
    assert data["order"] == list(Measurement._fields)
    for index, name in enumerate(Measurement._fields):
        assert decoded(data["fields"][name]) == [measurement[index] for measurement, _ in each]
    assert decoded(data["details"]["versions"]) == [row["versions"] for row in rows]
    assert len(data["details"]["host"]["values"]) == 1
    assert "load_average" not in data["details"]["host"]["values"][0]


def test_old_rows_have_no_digest() -> None:
    row = row_of_0_1_0() | {"place": "local", "runtime": "LiteRT", "runtime_version": "2.0"}
    each = found([row | {"untrained": False, "digest": None}])
    assert decoded(Page(render_html(each, [], COMMAND)).data["details"]["digest"]) == [None]


def test_page_fetches_nothing() -> None:
    text = render_html(found([benchmark_row()]), [Path("a.jsonl")], COMMAND)
    page = Page(text)
    names = {name for name, _ in page.elements}
    assert names.isdisjoint({"link", "img", "iframe", "object", "base"})
    for _, attributes in page.elements:
        assert not {"src", "srcset", "href", "action"} & set(attributes)
        assert not any(name.startswith("on") for name in attributes)
    namespace = "http://www.w3.org/2000/svg"
    assert not re.search(r"https?:|url\(|@import", text.replace(namespace, ""))


def test_browsers_run_only_the_script_of_the_page() -> None:
    text = render_html(found([benchmark_row()]), [], COMMAND)
    page = Page(text)
    policy = next(
        attributes["content"] or ""
        for name, attributes in page.elements
        if name == "meta" and attributes.get("http-equiv") == "Content-Security-Policy"
    )
    script = page.scripts[1]
    digest = b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none';")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_hostile_names_stay_text() -> None:
    host = benchmark_row()["host"] | {"cpu": HOSTILE}
    names = dict.fromkeys(("file", "place", "runtime", "runtime_version"), f"{HOSTILE}\ud800")
    row = benchmark_row(**names, host=host, versions={HOSTILE: HOSTILE})
    each = found([row], data=HOSTILE, network="</script>" + HOSTILE, recipe=HOSTILE)
    text = render_html(each, [Path(HOSTILE.replace("/", "_"))], f"cnn-keras {HOSTILE}")
    page = Page(text)
    assert len(page.scripts) == 2
    assert "img" not in {name for name, _ in page.elements}
    assert page.data["fields"]["data"]["values"] == [HOSTILE]
    assert page.data["fields"]["network"]["values"] == ["</script>" + HOSTILE]
    assert "cnn-keras <script>alert(1)</script>" in page.text
    assert "<script>alert" not in text
    assert "<!--" not in text


def test_ids_are_unique_and_labels_complete() -> None:
    page = Page(render_html(found([benchmark_row()]), [], COMMAND))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'byId\("([^"]+)"\)', page.scripts[1]))
    assert used <= set(ids)
    assert ("html", {"lang": "en"}) in page.elements
    assert "Benchmark report" in page.text
    assert COMMAND in page.text


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([{}], "1 measurement of 1 file on 1 host, on 2026-11-30."),
        (
            [{}, {"time": "2026-12-01T00:00:00Z", "sha256": "0" * 64, "place": "app"}],
            "2 measurements of 2 files on 2 hosts, from 2026-11-30 to 2026-12-01.",
        ),
    ],
)
def test_summary_counts(rows: list[dict[str, Any]], text: str) -> None:
    assert summary([each for each, _ in found([benchmark_row(**row) for row in rows])]) == text


def test_same_input_gives_the_same_page() -> None:
    rows = [benchmark_row(), benchmark_row(num_threads=2)]
    first = render_html(found(rows), [], COMMAND)
    assert first == render_html(found(rows), [], COMMAND)
