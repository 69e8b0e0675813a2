from __future__ import annotations

import json
from pathlib import Path

from export.studies.lrn import CROPS, LIMITS, Cost, File, claims, crops, lrn


def test_every_cost_is_recorded_and_every_file_is_one_partition(tmp_path: Path) -> None:
    record = lrn(tmp_path, networks=["googlenet"], image_size=32, secs=0.01, rounds=1)
    path = tmp_path / "lrn.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    assert [(cost["recipe"], cost["threads"]) for cost in record["costs"]] == list(LIMITS)
    for cost in record["costs"]:
        assert cost["rounds"] == [cost["ratio"]]
        assert cost["with_p50_ms"] > 0 < cost["without_p50_ms"]
    nodes = {(file["recipe"], file["lrn"]): file["nodes"] for file in record["files"]}
    for recipe in ("float32", "static_wi8_ai8"):  # two layers of squares, sums, roots, products
        assert nodes[recipe, True] >= nodes[recipe, False] + 10
    held = {row["claim"]: row["holds"] for row in record["claims"]}
    assert held["every file, with LRN and without, is one XNNPACK partition (largest number)"]
    assert held["every node of every file is delegated (most nodes that are not)"]
    assert len(held) == len(LIMITS) + 2


def test_a_cost_above_its_limit_or_a_split_file_fails_its_claim() -> None:
    expensive = Cost("alexnet", "float32", 1, 1.07, 1.0, 1.07, (1.0, 1.1), [1.07])
    cheap = Cost("alexnet", "float32", 2, 1.07, 1.0, 1.07, (1.0, 1.1), [1.07])
    split = File("alexnet", "float32", True, nodes=47, delegated_nodes=45, partitions=3)
    whole = split._replace(delegated_nodes=47, partitions=1)
    assert [claim.holds for claim in claims([expensive, cheap], [whole])] == [
        False,
        True,
        True,
        True,
    ]
    assert [claim.value for claim in claims([cheap], [whole, split])] == [1.07, 3, 2]
    assert [claim.holds for claim in claims([cheap], [whole, split])] == [True, False, False]


def test_calibration_images_are_crops_of_photographs() -> None:
    pieces = crops((67, 50))
    assert pieces.shape == (2 * CROPS, 67, 50, 3)
    assert -1 <= pieces.min() < -0.8 < 0.8 < pieces.max() <= 1
    assert len({piece.tobytes() for piece in pieces}) == 2 * CROPS
