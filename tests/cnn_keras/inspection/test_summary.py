from __future__ import annotations

import importlib
from typing import Any

import pytest

from cnn_keras.inspection import summary
from cnn_keras.inspection.summary import notes, summarize
from cnn_keras.zoo import ZOO

# Networks with figures in their papers; `lenet5` is the taught form.
PRINTED = set(ZOO) - {"lenet5", "nin"}


@pytest.fixture(scope="module", params=ZOO)
def network(request: pytest.FixtureRequest) -> summary.Summary:
    return summarize(request.param)


def printed_rows(found: summary.Summary) -> set[str]:
    return {row.row for row, printed in (*found.rows, found.total) if any(printed)}


def test_only_rows_that_differ_from_their_paper_have_a_note(network: summary.Summary) -> None:
    marked = {note.row: note.fields for note in notes(network)}
    assert marked == {
        "alexnet": {"conv1": ["neurons"]},
        "googlenet": {
            "conv1": ["parameters", "macs"],
            "4c": ["parameters"],
            "4d": ["parameters"],
            "5a": ["parameters", "macs"],
            "5b": ["parameters"],
        },
    }.get(network.name, {})
    contradictions = {row.row for row, printed in network.rows if printed.contradiction}
    assert contradictions == {"alexnet": {"conv1"}, "googlenet": {"conv1", "4c", "5a"}}.get(
        network.name, set()
    )


def test_every_printed_row_is_a_row_of_the_network(network: summary.Summary) -> None:
    assert bool(printed_rows(network)) == (network.name in PRINTED)
    row = ZOO[network.name]
    family = importlib.import_module(f"cnn_keras.models.{row.builder.split(':')[0]}")
    assert set(family.printed(**row.options)) - {"total"} <= {r.row for r, _ in network.rows}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("alexnet", {"options": {"form": "2014"}}),
        ("alexnet", {"options": {"stem": "small"}}),
        ("alexnet", {"input_shape": (224, 224, 3)}),
        ("alexnet", {"num_classes": 10}),
        ("googlenet", {"options": {"normalization": "batch_norm"}}),
        ("googlenet", {"options": {"form": "torchvision"}}),
        ("vgg16", {"options": {"batch_normalization": True}}),
        ("resnet50", {"options": {"stride_on": "3x3"}}),
        ("resnet50", {"options": {"shortcut": "C"}}),
        ("resnet18", {"options": {"preactivation": True}}),
        ("resnet20", {"options": {"shortcut": "B"}}),
        ("lenet5", {}),
    ],
)
def test_variants_that_are_not_in_the_paper_have_no_figures(
    name: str, arguments: dict[str, Any]
) -> None:
    assert printed_rows(summarize(name, **arguments)) == set()


def test_auxiliary_classifiers_do_not_change_the_papers_rows() -> None:
    found = summarize("googlenet", options={"auxiliary": True})
    assert [row.row for row, _ in found.rows if "aux" in row.row]
    assert len(notes(found)) == 5


def test_other_differences_are_given_in_numbers() -> None:
    (note,) = (note for note in notes(summarize("googlenet")) if note.row == "4d")
    assert note.mark == "³"
    assert note.text == (
        "the paper prints 580K parameters, which is 593,920; the network has 605,376, 1.9% more."
    )


def test_markdown_is_one_table_with_its_notes_below() -> None:
    text = summary.markdown(summarize("googlenet"))
    title, table, *footnotes = text.split("\n\n")
    lines = table.splitlines()
    assert "6,998,552 parameters, 1,582,671,872 multiply-adds" in title
    assert len(lines) == 2 + 18 + 1
    assert len({line.count("|") for line in lines}) == 1
    assert "| 118.0M | 34M¹ |" in lines[2]
    assert footnotes[0].startswith("¹ conv1: ")
    assert len(footnotes) == 5 + 1
