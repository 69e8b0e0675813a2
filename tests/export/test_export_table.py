from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

from rich.console import Console

from export.export_table import export_table


def test_the_table_has_the_remarks(exported: Path) -> None:
    document = json.loads((exported / "export.json").read_text())
    assert {row["too_few_images"] for row in document["files"]} == {False}
    document["files"][-1]["remarks"] = ["too few images for a reliable verdict: 9, fewer than 66"]
    console = Console(width=200, record=True, file=StringIO())
    console.print(export_table(document, exported))
    *_, others, last = (line for line in console.export_text().splitlines() if "accepted" in line)
    assert "accepted; too few images for a reliable verdict: 9, fewer than 66" in last
    assert "accepted;" not in others
