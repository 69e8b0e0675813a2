from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.inspection.gradients import gradient
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.degradation import (
    NetworkResult,
    claims,
    degradation,
    gradient_norms,
)
from cnn_keras.training.config import Training
from cnn_keras.training.evaluate import scores
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import initial_model
from tests.fixtures.finished_runs import write_finished_run

RECIPE = {"epochs": 3, "batch_size": 8}
SIZES = {"20": 8, "32": 14}  # shallow networks under the names of deeper ones, to save time


def training(form: str, size: str) -> Training:
    return Training.of(
        f"{form}{size}",
        "digits",
        recipe=RECIPE,
        options={"depth": SIZES[size]},
        train_images=40,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("degradation")
    for form in ("plain", "resnet"):
        for size in SIZES:
            write_finished_run(training(form, size), 7, folder / "runs", [0.25, 0.5, 0.75])
    forms = ([training(form, size) for size in SIZES] for form in ("plain", "resnet"))
    degradation(*forms, [7], Workspace(folder / "runs", folder, remark="Few images."))
    return folder


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "degradation_resnet32_digits.json").read_text())


def test_errors_are_by_step_and_at_the_end(record: dict[str, Any], folder: Path) -> None:
    assert record["remark"] == "Few images."
    deep = record["residual"][-1]
    assert deep["network"] == "resnet32"
    assert deep["steps"] == [5, 10, 15]
    assert deep["curves"]["train"] == [[0.75, 0.5, 0.25]]
    np.testing.assert_allclose(deep["curves"]["validation"], [[0.85, 0.6, 0.35]])
    run = Run(folder / "runs" / "resnet32_digits_7")
    train = run.dataset().train
    assert len(train.labels) == 40
    right = scores(run.predict(train.images), train.labels)["accuracy"]
    assert deep["errors"] == {"train": [1 - right], "test": [pytest.approx(0.45)]}


def test_gradients_are_those_of_the_first_weights_and_the_last(
    record: dict[str, Any], folder: Path
) -> None:
    found = record["plain"][0]
    assert found["layers"] == ["conv1"] + [f"conv{s}_1_{c}" for s in (2, 3, 4) for c in "ab"]
    run = Run(folder / "runs" / "plain20_digits_7")
    train = run.dataset().train  # all of it, as there are fewer than a mini-batch
    for moment, model in (("start", initial_model(run)), ("end", run.model())):
        norms = gradient_norms(model, run.preprocessing(train.images), train.labels)
        np.testing.assert_allclose(found["gradients"][moment], [list(norms.values())], rtol=1e-4)
    assert not np.allclose(found["gradients"]["start"], found["gradients"]["end"], rtol=1e-2)


def test_results_are_cached_and_drawn(record: dict[str, Any], folder: Path) -> None:
    assert len(list((folder / "runs").glob("*/findings/degradation.json"))) == 4
    assert record["budget"]["train_images"] == 40
    assert [claim["interval"] for claim in record["claims"]] == [None] * 14
    drawing = (folder / "degradation_resnet32_digits.svg").read_text()
    assert all(f"{name}, end" in drawing for name in ("plain20", "plain32", "resnet20", "resnet32"))


def test_a_gradient_norm_is_that_of_its_kernel() -> None:
    image = keras.Input((4, 4, 1))
    x = keras.layers.Conv2D(2, 3, name="conv1")(image)
    x = keras.layers.Conv2D(3, 2, name="conv2", activation="softmax")(x)
    model = keras.Model(image, keras.layers.Flatten()(x))
    images = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)
    labels = np.array([0, 1, 2, 1, 0])
    norms = gradient_norms(model, images, labels)
    assert list(norms) == ["conv1", "conv2"]
    bias = model.get_layer("conv2").bias

    def loss(kernel: Any) -> Any:
        maps = keras.ops.conv(model.get_layer("conv1")(images), kernel) + bias
        chosen = keras.ops.log(keras.ops.softmax(maps)[:, 0, 0])
        return -keras.ops.mean(keras.ops.sum(chosen * np.eye(3, dtype=np.float32)[labels], axis=1))

    kernel = keras.ops.convert_to_numpy(model.get_layer("conv2").kernel)
    assert norms["conv2"] == pytest.approx(np.linalg.norm(gradient(loss, kernel)), rel=1e-4)


def network(name: str, train: list[float], test: list[float], norms: list[float]) -> NetworkResult:
    gradients = {moment: [norms] * len(train) for moment in ("start", "end")}
    errors = {"train": train, "test": test}
    images = {"train": 10_000, "test": 10_000}
    return NetworkResult(name, [1], {}, errors, images, ["conv1", "conv2"], gradients)


PLAIN = [
    network("plain20", [0.10, 0.12, 0.11], [0.15, 0.16, 0.15], [1.0, 1.0]),
    network("plain56", [0.20, 0.23, 0.22], [0.14, 0.18, 0.21], [1000.0, 1.0]),
]
RESIDUAL = [
    network("resnet20", [0.11, 0.10, 0.12], [0.14, 0.15, 0.16], [1.0, 1.0]),
    network("resnet56", [0.09, 0.08, 0.09], [0.13, 0.13, 0.15], [0.01, 1.0]),
]


def test_claims_hold_where_all_of_the_interval_does() -> None:
    found = claims(PLAIN, RESIDUAL)
    assert [claim.holds for claim in found] == [
        *(True, True, True),  # training error
        *(False, True, False),  # test error: an eighth and a quarter more are not sure
        *(True, False) * 2,  # plain56's gradient explodes
        *(False, True) * 2,  # resnet56's, here, vanishes
    ]
    assert found[0].value == pytest.approx((20 / 10 * 23 / 12 * 22 / 11) ** (1 / 3), rel=1e-3)
    assert found[6].value == pytest.approx(1000)
    more = (20 / 10 * 23 / 12 * 22 / 11) / (9 / 11 * 8 / 10 * 9 / 12)
    assert found[2].value == pytest.approx(more ** (1 / 3), rel=1e-3)
    assert "plain56 has a higher training error than plain20" in found[0].claim


def test_claims_fail_the_other_way_round() -> None:
    found = claims(RESIDUAL, PLAIN)
    assert [claim.holds for claim in found[:3]] == [False, False, False]
    assert found[2].value < 1


def test_errors_may_be_zero() -> None:
    perfect = network("resnet56", [0.0] * 3, [0.1] * 3, [1.0, 1.0])
    found = claims(PLAIN, [RESIDUAL[0], perfect])
    assert found[1].holds
    assert 0 < found[1].value < 0.01


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (20,)}, "two or more ascending numbers"),
        ({"depths": (56, 20)}, "ascending numbers, not 56 20"),
        ({"depths": (20, 21)}, "plain21"),
        ({"seeds": (1, 1)}, "different"),
        ({"seeds": ()}, "different"),
    ],
)
def test_wrong_options_are_refused_before_any_training(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        STUDIES["degradation"](runs=tmp_path / "runs", **options)()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_trains_and_then_skips(tmp_path: Path) -> None:
    command = STUDIES["degradation"](
        data="digits",
        depths=(20, 32),
        seeds=(0, 1),
        train_images=320,
        epochs=2,
        batch_size=32,
        runs=tmp_path / "runs",
        out=tmp_path,
    )
    first = command()
    assert first.document["plain"][1]["steps"] == [10, 20]
    assert first.document["claims"][0]["interval"] is not None
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/model.keras")}
    assert len(times) == 8
    again = command()
    assert again.document["claims"] == first.document["claims"]
    assert times == {path: path.stat().st_mtime_ns for path in times}
