from __future__ import annotations

import json

import export
from export.verification.description import describe


def test_a_description_is_the_audit_with_what_is_written_in_the_file(labeled_file, tmp_path):
    path = tmp_path / "labeled.tflite"
    path.write_bytes(labeled_file)
    document = describe(path)
    audit = export.audit(labeled_file).to_dict()
    assert {key: document[key] for key in audit} == audit
    assert len(document["labels"]) == audit["num_labels"]
    assert (document["file"], document["reasons"]) == (str(path), [])
    assert json.loads(json.dumps(document))["preprocessing"] == document["preprocessing"]
