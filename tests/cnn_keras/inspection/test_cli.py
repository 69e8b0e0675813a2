from __future__ import annotations

import json

import pytest

from cnn_keras.cli import main
from cnn_keras.zoo import ZOO
from tests.fixtures.command_line import run_main


def test_list_names_every_network(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "list", "--json")
    assert code == 0
    assert [row["name"] for row in json.loads(out)] == list(ZOO)
    assert "resnet110" in run_main(capsys, "list")[1]


def test_list_prints_the_figures_of_the_zoo(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv=["list", "--json"]) == 0
    rows = {row.pop("name"): row for row in json.loads(capsys.readouterr().out)}
    assert rows["googlenet"] == {
        "depth": 22,
        "parameters": 6_998_552,
        "macs": 1_582_671_872,
        "input_shape": [224, 224, 3],
        "num_classes": 1000,
        "top5_error": 6.7,
        "paper": "Szegedy et al. arXiv:1409.4842, table 1",
    }
    assert rows["resnet50"]["top5_error"] is None


def test_summary_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run_main(capsys, "summary", "lenet5", "--options", "form=1998", "--json")
    document = json.loads(out)
    assert document["parameters"] == sum(row["parameters"] for row in document["rows"]) == 60_000
    assert "60,000" in run_main(capsys, "summary", "lenet5", "--options", "form=1998")[1]


def test_json_of_a_summary_has_exact_and_printed_figures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(argv=["summary", "alexnet", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["neurons"], document["macs"]) == (659_272, 724_406_816)
    assert document["depth"] == 8
    assert document["printed"] == {"parameters": 60e6, "neurons": 650_000}
    conv1 = document["rows"][0]
    assert conv1["neurons"] == 290_400
    assert conv1["printed"] == {"output_shape": [55, 55, 96], "neurons": 253_440}
    assert conv1["differs"] == ["neurons"]
    assert "55×48×96" in conv1["contradiction"]
    assert conv1["receptive_field"] == [11, 11]
    for field in ("parameters", "macs", "neurons", "activation_bytes"):
        assert document[field] == sum(row[field] for row in document["rows"])


def test_a_table_in_a_pipe_is_not_shortened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv=["summary", "lenet5", "--options", "form=1998"]) == 0
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 160
    assert "340,908" in out
    assert main(argv=["summary", "lenet5", "--markdown"]) == 0
    assert "| c3 | Conv2D Activation | 10×10×16 | 14 | 2,416 |" in capsys.readouterr().out
