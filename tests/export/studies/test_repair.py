from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.training.config import Training
from export.benchmark.comparison.latency_ratio import Ratio
from export.studies.repair import RepairResult, claims, repair_study, scale_channel
from tests.fixtures.trained_network import Trained

REPAIRED = RepairResult(
    seed=0,
    top1_float=0.9,
    top1_sound=0.9,
    top1_ruined=0.3,
    top1_repaired=0.9,
    reasons=("loses 60.00 points of accuracy; static_wi8_ai8 may lose 0.5",),
    first="conv3_2_a_relu",
    lost=0.9,
    float_layers=["conv3_2_a_relu"],
    drop_points=0.0,
    accepted=True,
    files_tried=2,
    size_ratio=1.1,
    latency_ratio=Ratio(1.1, 1.0, 1.2),
)


def test_only_a_layer_whose_scaling_keeps_the_function_is_scaled(trained: Trained) -> None:
    for layer in ("pool", "conv3"):
        with pytest.raises(UsageError, match=f"'{layer}' is not a batch normalization"):
            scale_channel(trained.model, layer)
    with pytest.raises(UsageError, match="Unknown layer 'conv1_bm'"):
        scale_channel(trained.model, "conv1_bm")


def test_claims_need_each_network_refused_found_and_repaired() -> None:
    assert all(claim.holds for claim in claims([REPAIRED, REPAIRED], "conv3_2_a_bn"))
    for at, other in enumerate(
        (
            REPAIRED._replace(reasons=()),
            REPAIRED._replace(first="conv3_2_b_bn"),
            REPAIRED._replace(float_layers=["a", "b", "c"]),
            REPAIRED._replace(accepted=False),
        )
    ):
        held = [claim.holds for claim in claims([REPAIRED, other], "conv3_2_a_bn")]
        assert held == [index != at for index in range(4)]


@pytest.mark.slow
def test_a_scaled_residual_network_is_repaired(tmp_path: Path) -> None:
    given = {"epochs": 8, "batch_size": 32, "learning_rate": 0.05}
    training = Training.of("resnet20", "digits", recipe=given)
    record = repair_study(
        training, [0], Workspace(tmp_path, tmp_path), normalization="conv3_2_a_bn"
    )
    assert [row["claim"] for row in record["claims"] if not row["holds"]] == []
    [network] = record["networks"]
    assert network["top1_ruined"] < network["top1_sound"]
