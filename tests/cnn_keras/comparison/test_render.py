from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from cnn_keras.comparison.entries import Entry, open_entries
from cnn_keras.comparison.render import render_figure, render_html, render_markdown, to_document
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 3})
HOSTILE = "<script>alert(1)<!script>|`"  # a folder's name, so it has no slash


@pytest.fixture
def entries(tmp_path: Path) -> list[Entry]:
    """Two seeds, a killed training of another recipe, and one that only started."""
    killed = tmp_path / "killed"
    modern = Training.of("resnet20", "digits", recipe={"epochs": 3, "schedule": "cosine"})
    write_run(killed, modern, [0.5], with_speed=False)
    with (killed / "history.csv").open("a") as table:
        table.write("2,2.5,0.1,0.4,nan,0.7,inf\n")
    return open_entries(
        [
            write_run(tmp_path / "seed_0", TRAINING, [0.5, 0.8, 0.9], 0.9),
            write_run(tmp_path / "seed_1", replace(TRAINING, seed=1), [0.5, 0.8, 0.9], 0.8),
            killed,
            write_run(tmp_path / HOSTILE, TRAINING),
        ]
    )


class Page(HTMLParser):
    """The tags and the text of a page in which every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert not {"src", "href", "onload", "onerror"} & {name for name, _ in attrs}
        self.tags.append(tag)
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data


def test_the_page_is_well_formed_and_fetches_nothing(entries: list[Entry]) -> None:
    text = render_html(entries, "cnn-keras compare")
    page = Page(text)
    assert {"script", "link", "img", "iframe"}.isdisjoint(page.tags)
    assert not re.search(r"https?:|url\(|@import", text)
    assert page.tags.count("figure") == 3
    words = " ".join(page.text.split())
    assert HOSTILE in words
    assert "lenet5 epoch 0 of 3 — — — — — — — — —" in words
    assert "schedule step step cosine step" in words
    assert "over the seeds of seed_0 and seed_1 is 85.00 %" in words


def test_colors_of_the_page_are_defined_in_light_and_dark(entries: list[Entry]) -> None:
    text = render_html(entries, "cnn-keras compare")
    style, _, body = text.partition("</style>")
    used = set(re.findall(r"var\(--(\w+)\)", body))
    assert {"run1", "run2", "run3", "run4"} <= used
    for part in style.split("prefers-color-scheme: dark")[:2]:
        assert used <= set(re.findall(r"--(\w+):", part))


def test_markdown_has_one_cell_for_each_run(entries: list[Entry]) -> None:
    text = render_markdown(entries, "cnn-keras compare a b", "curves.svg")
    assert "![Curves of the runs over the epochs](curves.svg)" in text
    rows = [re.findall(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("|")]
    assert {len(row) for row in rows} == {len(entries) + 2, 13}
    assert "| schedule | step | step | cosine | step |" in text
    assert "&lt;script&gt;" in text
    assert "momentum: 0.9; weight decay: 0.0001; " in text
    assert text.endswith("Made by `cnn-keras compare a b`.\n")
    assert "![" not in render_markdown(entries, "cnn-keras compare", None)


def test_the_figure_of_the_document_stands_alone(entries: list[Entry]) -> None:
    text = render_figure(entries)
    assert text is not None
    assert "var(" not in text
    root = ET.fromstring(text)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "validation loss, nats" in {*root.itertext()}
    assert render_figure(entries[3:]) is None


def test_runs_of_early_versions_have_a_figure_of_the_learning_rate(entries: list[Entry]) -> None:
    text = render_html(entries[2:], "cnn-keras compare")
    assert text.count("<figure>") == 3
    assert 'aria-label="learning rate over the epochs.' in text
    assert ">images/s</text>" not in text


def test_the_document_is_strict_json(entries: list[Entry]) -> None:
    document = to_document(entries)
    text = json.dumps(document, allow_nan=False)
    last = json.loads(text)["runs"][2]["history"][1]
    assert last["loss"] is last["val_loss"] is None
    assert document["differ_only_in_seed"] is False
    assert [group["runs"] for group in document["seed_groups"]] == [
        [str(entry.run.path) for entry in entries[:2]]
    ]
    names = [setting["name"] for setting in document["differences"]]
    assert names[:2] == ["network", "seed"]
