from __future__ import annotations

import json
from pathlib import Path

from cnn_keras.training.run_folder import Run
from export.choice.choose import CHOICE_JSON, FIGURE
from export.verification.exported_file import find_provenance


def test_the_best_file_is_written_like_an_exported_one(chosen: Path, lenet_run: Run) -> None:
    found = json.loads((chosen / CHOICE_JSON).read_text())
    file = Path(found["file"])
    assert file.stat().st_size == 1000 * found["chosen"]["kb"] <= 60_000
    assert found["chosen"]["types"]["c5"] == "int4"
    assert found["tried"][0] == found["chosen"]
    (row,) = json.loads((chosen / "export.json").read_text())["files"]
    assert row["sha256"] == found["chosen"]["sha256"]
    provenance = find_provenance(file)
    assert provenance.recipe.int4_layers == row["int4_layers"]
    assert provenance.run.path.resolve() == lenet_run.path.resolve()


def test_the_costs_of_the_layers_are_in_the_document(chosen: Path) -> None:
    layers = json.loads((chosen / CHOICE_JSON).read_text())["layers"]
    assert [each["name"] for each in layers] == ["c1", "c3", "c5", "f6", "logits"]
    assert layers[2]["types"]["int4"]["kb"] == 400 * 120 / 2 / 1000
    assert all(layers[2]["types"][of]["ms"] > 0 for of in ("float32", "int8", "int4"))
    assert "<svg" in (chosen / FIGURE).read_text()
