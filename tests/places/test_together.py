"""One command that measures here, on a board and in a browser."""

from __future__ import annotations

import io
import json
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from export.benchmark.places.row_schema import schema
from export.benchmark.results import table
from tests.places.emulated_board import emulated_board, write_python
from tests.places.sshd import Server, left_behind

pytestmark = pytest.mark.places

ASSETS = Path(__file__).parents[2] / "android_demo" / "app" / "src" / "main" / "assets" / "models"
FILE = ASSETS / "lenet5_mnist_static_wi8_ai8.tflite"


def test_one_command_measures_here_on_a_board_and_in_a_browser(
    ssh_server: Server, tmp_path: Path
) -> None:
    from tests.places.browser import chromium, web_command

    home = ssh_server.add_account("together")
    write_python(home / "bin" / "python3", emulated_board())
    out = tmp_path / "rows.jsonl"
    with chromium() as browser:
        page = browser.new_page()
        options = ("--local", "--ssh", "together", "--out", str(out))
        with web_command([FILE], *options) as running:
            page.goto(running.url)
            code, document, lines = running.finish(page)
    assert code == 0, lines
    assert left_behind(home) == []
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows == document["rows"]
    runtimes = {row["place"].partition(":")[0]: row["runtime"] for row in rows}
    assert runtimes == {"local": "LiteRT", "ssh": "LiteRT", "web": "LiteRT.js"}
    for row in rows:
        jsonschema.validate(row, schema())
        assert row["sha256"] == rows[0]["sha256"]
        assert row["digest"]["agreement"] == 1.0
        assert row["digest"]["max_difference"] < 1e-3  # quantization steps; the softmax is in float
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(table(rows))
    text = console.export_text()
    for row in rows:
        assert row["place"] in text
