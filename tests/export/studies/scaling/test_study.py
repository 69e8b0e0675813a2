from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from export.studies.scaling.accelerators import Accelerators
from export.studies.scaling.all_reduce import PROCESSES, AllReduce
from export.studies.scaling.study import claims, scaling


def test_trainings_are_simulated_and_recorded(tmp_path: Path) -> None:
    cores = os.sched_getaffinity(0)
    record = scaling(
        tmp_path, Accelerators(), counts=(1, 64), networks=("lenet5",), images=32, repetitions=1
    )
    assert os.sched_getaffinity(0) == cores
    assert record["measured"]["decoded_per_core_s"] > 1
    path = tmp_path / "scaling.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    keys = [(row["network"], row["precision"], row["accelerators"]) for row in record["rows"]]
    assert keys == [("lenet5", p, n) for p in ("float32", "bfloat16") for n in (1, 64)]
    assert record["measured"]["checkpoints"]["lenet5"]["num_bytes"] > 0
    assert record["measured"]["all_reduce"]["lenet5"]["parameters"] == 61_706
    published = [claim for claim in record["claims"] if "published" in claim["claim"]]
    assert len(published) == 5
    assert all(claim["holds"] for claim in published)
    # The simulation leaves out what makes accelerators slower than each other.
    assert min(claim["value"] for claim in published) > 1


@pytest.mark.parametrize(("sent", "holds"), [(1.0, True), (1.04, True), (1.2, False), (0.5, False)])
def test_a_claim_compares_the_bytes_that_were_sent(sent: float, holds: bool) -> None:
    expected = 2 * (PROCESSES - 1) / PROCESSES * 4 * 1000
    (claim,) = claims([], {"a": AllReduce(1000, 1.0, sent * expected)})
    assert claim.holds is holds
    assert claim.value == pytest.approx(sent)


def test_a_claim_compares_the_published_speed() -> None:
    row = {"accelerators": 8, "source": "S", "ratio": 1.25}
    (claim,) = claims([row], {})
    assert not claim.holds
