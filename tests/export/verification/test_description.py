from __future__ import annotations

import json
from pathlib import Path

import export
from export.recipes import recipe
from export.verification.description import describe
from tests.fixtures.trained_network import Trained


def test_a_description_is_the_audit_with_what_is_written_in_the_file(labeled_file, tmp_path):
    path = tmp_path / "labeled.tflite"
    path.write_bytes(labeled_file)
    document = describe(path)
    audit = export.audit(labeled_file).to_dict()
    assert {key: document[key] for key in audit} == audit
    assert len(document["labels"]) == audit["num_labels"]
    assert (document["file"], document["reasons"]) == (str(path), [])
    assert json.loads(json.dumps(document))["preprocessing"] == document["preprocessing"]


def test_layers_that_export_json_states_are_no_problem(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "mixed.tflite"
    mixed = recipe("static_wi8_ai8").with_float_layers("/conv2_")
    path.write_bytes(export.quantize(trained.float32, mixed, trained.calibration))
    (reason,) = describe(path)["reasons"]
    assert "floating point inside an integer file" in reason
    row = {"file": path.name, "recipe": mixed.name, "float_layers": mixed.float_layers}
    for sha256, reasons in ((describe(path)["sha256"], []), ("another", [reason])):
        document = {"run": "run", "files": [{**row, "sha256": sha256}]}
        (tmp_path / "export.json").write_text(json.dumps(document))
        assert describe(path)["reasons"] == reasons
