from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.errors import Error
from export.studies.speed.loader import CONTESTANTS, OURS, PipelineProcess, claims, loader, rows
from export.studies.speed.passes import BATCH

ROOT = Path(__file__).parents[4]


def test_rows_compare_with_the_loader() -> None:
    rates = {OURS: [100.0, 200.0], "torch": [50.0, 100.0], "tf_data_unfiltered": [400.0, 800.0]}
    pixels = {name: np.full((1, 2, 2, 3), value) for value, name in enumerate(rates)}
    found = rows(rates, pixels)
    assert [row.ratio for row in found] == pytest.approx([1, 2, 0.25])
    assert [row.pixel_difference for row in found] == [0, 1, 2]
    assert found[1].interval == pytest.approx((2, 2))
    torch, unfiltered = claims(found)
    assert torch.holds
    assert torch.claim.startswith("The loader is at least as fast as torch")
    assert unfiltered.holds
    assert "is faster than the loader" in unfiltered.claim


def test_a_claim_needs_the_whole_interval() -> None:
    rates = {OURS: [100.0, 100.0, 100.0], "torch": [80.0, 120.0, 95.0]}
    pixels = dict.fromkeys(rates, np.zeros((1, 2, 2, 3)))
    (claim,) = claims(rows(rates, pixels))
    assert not claim.holds


def test_every_peer_has_a_filter_or_none() -> None:
    filtered = {name for name, each in CONTESTANTS.items() if each.filters}
    assert {"torch", "tf_data", "keras"} <= filtered
    assert set(CONTESTANTS) - filtered == {"tf_data_unfiltered", "keras_unfiltered"}


def test_a_failure_is_the_message_of_the_process(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"^A pipeline failed: .*none"):
        PipelineProcess("keras", tmp_path / "none", tmp_path / "first.npy", None)


def test_a_missing_torch_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"has no torch: name a Python .* --torch-python"):
        loader(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_all_pipelines_are_timed_and_recorded(tmp_path: Path) -> None:
    python = ROOT / ".venv-torch" / "bin" / "python"  # made by `make test-slow`
    cores = os.sched_getaffinity(0)
    record = loader(tmp_path, images=12 * BATCH, rounds=2, torch_python=python)
    assert os.sched_getaffinity(0) == cores
    assert [row["name"] for row in record["rows"]] == list(CONTESTANTS)
    for row in record["rows"]:
        assert len(row["rounds_images_per_s"]) == 2
        assert min(row["rounds_images_per_s"]) > 0
    by_name = {row["name"]: row["pixel_difference"] for row in record["rows"]}
    assert by_name["workers"] == by_name["training"] == by_name["torch"] == 0
    assert {"torch", "tensorflow", "grain"} <= record["versions"].keys()
    assert "<svg" in (tmp_path / "loader.svg").read_text("utf-8")
