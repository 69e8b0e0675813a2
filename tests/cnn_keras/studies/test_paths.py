from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.paths import PathGradients, claims, paths
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.fixtures.finished_runs import write_finished_run

TRAINING = Training.of(
    "resnet20",
    "digits",
    recipe={"epochs": 1, "batch_size": 8},
    options={"depth": 8},
    train_images=40,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("paths")
    for seed in (1, 2):
        write_finished_run(TRAINING, seed, folder / "runs", [0.5])
    paths(TRAINING, (1, 2), Workspace(folder / "runs", folder), images=20)
    return folder


def test_the_record_has_a_row_for_each_length(folder: Path) -> None:
    record = json.loads((folder / "paths_resnet20_digits.json").read_text())
    assert record["modules"] == 3
    assert record["budget"]["recipe"]["batch_size"] == 8
    assert [row["paths"] for row in record["lengths"]] == [1, 3, 3, 1]
    assert sum(row["gradient"] for row in record["lengths"]) == pytest.approx(1)
    assert np.array(record["norms"]).shape == (2, 4)
    products = np.array(record["norms"]) * [1, 3, 3, 1]
    shares = products / products.sum(axis=1, keepdims=True)
    assert [row["gradient"] for row in record["lengths"]] == pytest.approx(shares.mean(axis=0))
    assert record["mean_lengths"] == pytest.approx(shares @ np.arange(4))
    drawing = (folder / "paths_resnet20_digits.svg").read_text()
    assert "of the gradient" in drawing


def test_results_are_cached(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / "paths_resnet20_digits.json").read_text()
    capsys.readouterr()
    paths(TRAINING, (1, 2), Workspace(folder / "runs", folder), images=20)
    assert (folder / "paths_resnet20_digits.json").read_text() == before
    assert "paths\n" not in capsys.readouterr().err  # nothing was measured


def path_gradients(norms: Any) -> PathGradients:
    halves = np.stack([norms, norms], axis=1)
    return PathGradients("resnet56", halves)


def test_claims_hold_of_a_network_like_the_papers() -> None:
    lengths = np.arange(28)
    norms = np.stack([10 ** (-0.69 * lengths), 10 ** (-0.71 * lengths - 3)])
    rows = claims(path_gradients(norms))
    assert all(row.holds for row in rows)
    assert rows[1].value == pytest.approx(10**-0.7)
    assert rows[2].value == pytest.approx(1)
    # The lengths weighted by the gradient are binomial, too, with the factor as the odds.
    odds = 10 ** np.array([-0.69, -0.71])
    assert rows[3].value == pytest.approx((27 * odds / (1 + odds)).mean())
    assert rows[3].interval is not None


def test_claims_do_not_hold_where_the_gradient_does_not_fall() -> None:
    rows = claims(path_gradients(1 + np.random.default_rng(0).random((2, 28))))
    assert [row.holds for row in rows] == [True, False, False, False, False, False, True]


def test_a_control_is_trained_with_the_effective_paths(folder: Path) -> None:
    record = paths(
        TRAINING,
        (1,),
        Workspace(folder / "runs", folder / "control"),
        images=20,
        control=TRAINING,
    )
    found, row = record["control"], record["claims"][-1]
    assert found["branches"] == min(round(2 * found["mean_lengths"][0]), 3)
    run = Run(folder / "runs" / f"resnet20_branches{found['branches']}_digits_1")
    assert run.config["options"] == {"depth": 8, "branches": found["branches"]}
    assert found["errors"]["drawn"] == [1 - run.metrics["test"]["accuracy"]]
    assert found["errors"]["whole"] == pytest.approx([0.7])  # see `finish`: 0.5 - 0.2 are right
    assert row["value"] == pytest.approx(found["errors"]["drawn"][0] - 0.7)
    assert f"trained with {found['branches']} of its 3 modules" in row["claim"]


def test_a_network_without_gradient_is_refused(tmp_path: Path) -> None:
    run = write_finished_run(TRAINING, 1, tmp_path, [0.1])
    model = run.model()
    model.get_layer("logits").kernel.assign(np.zeros((64, 10)))
    model.save(run.path / "model.keras")
    with pytest.raises(Error, match="The gradient of resnet20 is zero"):
        paths(TRAINING, (1,), Workspace(tmp_path, tmp_path), images=4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "plain56"}, "plain56 does not suit this study: choose from resnet18, "),
        ({"network": "lenet5"}, "lenet5 does not suit this study"),
        ({"control": "resnet18"}, "resnet18 does not suit this study: choose from resnet20, "),
        ({"network": "resnet57"}, "Did you mean"),
        ({"images": 1}, "--images must be at least 2, not 1"),
        ({"seeds": ()}, "--seeds takes different numbers"),
    ],
)
def test_wrong_options_are_refused_before_any_training(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        STUDIES["paths"](**{"runs": tmp_path, "out": tmp_path, **options})()
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []
