from __future__ import annotations

import json
from pathlib import Path

from export.benchmark.profile.operators import operators
from export.studies.profile import WIDENED, profile, widened_file
from export.tflite.flatbuffer import parse


def test_every_file_and_its_rows_are_recorded(tmp_path: Path) -> None:
    record = profile(tmp_path, networks=["resnet20"], image_size=16, secs=0.2)
    path = tmp_path / "profile.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    assert [file["recipe"] for file in record["files"]] == ["float32", "static_wi8_ai8"]
    for file in record["files"]:
        assert {row["name"] for row in file["rows"]} >= {"conv1", "conv2_1", "logits"}
        assert file["whole_ms"] > 0 < file["sum_ms"]
    held = {claim["claim"]: claim["holds"] for claim in record["claims"]}
    assert len(held) == 4
    (macs,) = (claim for claim in held if "multiply-adds" in claim)
    assert held[macs]


def test_the_widened_convolution_has_four_times_the_work_of_the_others() -> None:
    macs = {each.row: each.macs for each in operators(parse(widened_file())) if each.macs}
    assert macs[WIDENED] == 4 * macs["conv2"] == 4 * macs["conv4"]
    assert max(macs, key=macs.__getitem__) == WIDENED
