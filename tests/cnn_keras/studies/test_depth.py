from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from cnn_keras.inspection.anatomy import rows
from cnn_keras.models.inception import Widths
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.depth import REVOLUTION, depth, module
from cnn_keras.zoo import ZOO


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("results")


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    depth(folder)
    return json.loads((folder / "depth.json").read_text())


def test_the_cost_of_the_lectures_example_follows_from_its_shapes(record: dict[str, Any]) -> None:
    places = 28 * 28
    naive = {part["layer"]: part["macs"] for part in record["example"]["naive"]}
    assert naive == {
        "3a_1x1": places * 192 * 64,
        "3a_3x3": places * 9 * 192 * 128,
        "3a_5x5": places * 25 * 192 * 32,
    }
    reduced = {part["layer"]: part["macs"] for part in record["example"]["reduced"]}
    assert reduced == {
        "3a_1x1": places * 192 * 64,
        "3a_3x3_reduce": places * 192 * 96,
        "3a_3x3": places * 9 * 96 * 128,
        "3a_5x5_reduce": places * 192 * 16,
        "3a_5x5": places * 25 * 16 * 32,
        "3a_pool_proj": places * 192 * 32,
    }
    first = record["modules"][0]
    assert (first["naive"]["macs"], first["reduced"]["macs"]) == (303_464_448, 128_049_152)
    assert (first["naive"]["output_channels"], first["reduced"]["output_channels"]) == (416, 256)


def test_the_reduced_modules_are_googlenets(
    record: dict[str, Any], model_of: Callable[[str], keras.Model]
) -> None:
    network = {row.row: row for row in rows(model_of("googlenet"))}
    assert len(record["modules"]) == 9
    for found in record["modules"]:
        row, reduced = network[found["row"]], found["reduced"]
        assert (reduced["parameters"], reduced["macs"]) == (row.parameters, row.macs)
        assert reduced["output_channels"] == row.output_shape[-1]
        assert found["ratio"] == found["naive"]["macs"] / row.macs


def test_a_chain_of_naive_modules_gains_the_channels_of_its_poolings(
    record: dict[str, Any],
) -> None:
    channels = [link["output_channels"] for link in record["chain"]]
    assert channels == [416, 832, 1280, 1728, 2176, 2640, 3344, 4048, 4944]
    assert [link["input_shape"][-1] for link in record["chain"]] == [192, *channels[:-1]]


def test_claims_are_true_or_not_as_computed(record: dict[str, Any]) -> None:
    found = [(claim["holds"], round(claim["value"], 2)) for claim in record["claims"]]
    assert found == [
        (True, 2.37),  # 303.5M / 128.0M
        (False, 0.94),  # 120.4M / 128.0M
        (True, 9.68),  # 120.4M / (2.4M + 10.0M)
        (True, 2.37),
        (True, 4.83),  # 4944 / 1024
        (True, 10.95),
        (True, 3),
        (False, 2),
        (False, 8.71),  # 61.0M / 7.0M
        (True, 1.37),  # 15.5G / 11.3G
    ]


def test_the_revolution_is_the_zoos(record: dict[str, Any], folder: Path) -> None:
    expected = {w.network: (w.top5_error, w.depth) for w in REVOLUTION if w.network}
    assert expected == {
        name: (row.top5_error, row.depth) for name, row in ZOO.items() if row.top5_error is not None
    }
    by_name = {winner["name"]: winner for winner in record["revolution"]}
    assert by_name["VGG-19"]["parameters"] == 143_667_240
    assert by_name["ILSVRC'13"]["macs"] is None
    drawing = (folder / "depth.svg").read_text()
    assert all(winner.name in drawing for winner in REVOLUTION)


def test_a_module_is_built_by_itself() -> None:
    found = module("x", (7, 7, 10), Widths(1, 2, 3, 4, 5, 6), reduced=False)
    assert (found.output_channels, found.parameters) == (
        1 + 3 + 5 + 10,
        10 * 1 + 1 + 9 * 10 * 3 + 3 + 25 * 10 * 5 + 5,
    )


def test_the_command_prints_the_record(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from rich.console import Console

    outcome = STUDIES["depth"](out=tmp_path)()
    Console(width=160).print(outcome.text)
    out = capsys.readouterr().out
    assert "…" not in out
    assert "303,464,448" in out
    assert json.loads((tmp_path / "depth.json").read_text())["study"] == "depth"
