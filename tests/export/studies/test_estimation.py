from __future__ import annotations

import json
from pathlib import Path

from export.studies.estimation import claims, estimation


def test_every_network_is_estimated_from_the_others(tmp_path: Path) -> None:
    networks = ("resnet20", "plain20", "lenet5")
    record = estimation(tmp_path, networks=networks, image_size=32, secs=0.1)
    path = tmp_path / "estimation.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    for recipe in ("float32", "static_wi8_ai8"):
        assert sorted(record["measured_over_estimated"][recipe]) == sorted(networks)
        assert min(record["measured_over_estimated"][recipe].values()) > 0
    assert len(record["claims"]) == 4


def test_claims_are_about_the_median_and_the_largest_error() -> None:
    found = claims({"float32": {"a": 1 / 1.05, "b": 1 / 0.92, "c": 1 / 1.3}})
    assert [round(claim.value, 3) for claim in found] == [0.08, 0.3]
    assert [claim.holds for claim in found] == [True, False]
