from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_keras.data.splits import stratified_indices
from cnn_keras.errors import Error, UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.inspection.surgery import split_into_modules
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.lesion import Lesions, claims, lesion
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.fixtures.finished_runs import fit_classifier, write_finished_run

TRAININGS = [
    (Training.of(network, "digits", recipe={}, image_size=16, options={"depth": 8}), (0,))
    for network in ("resnet20", "plain20")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lesion")


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    for training, _ in TRAININGS:
        fit_classifier(write_finished_run(training, 0, folder / "runs", [0.5]))
    workspace = Workspace(folder / "runs", folder, remark="Few images.")
    lesion(TRAININGS, workspace, test_images=60, count=9, draws=2)
    return json.loads((folder / "lesion_resnet20_digits.json").read_text())


def error(folder: Path, network: str, *deleted: int) -> float:
    """The error on the same images, by calling the network's parts one by one."""
    run = Run.open(folder / "runs" / f"{network}_digits_0")
    test = run.dataset().test
    test = test.take(stratified_indices(test.labels, 60, 0))
    parts = split_into_modules(run.model())
    x = parts.stem(run.preprocessing(test.images))
    for index, module in enumerate(parts.modules):
        x = module.tail(module.shortcut(x)) if index in deleted else module(x)
    return (np.argmax(parts.head(x), axis=1) != test.labels).mean()


@pytest.mark.parametrize(("network", "modules"), [("resnet20", 3), ("plain20", 7)])
def test_errors_are_those_of_the_networks_without_the_modules(
    network: str, modules: int, record: dict[str, Any], folder: Path
) -> None:
    assert record["remark"] == "Few images."
    found = record["networks"][network]
    assert found["intact"] == [pytest.approx(error(folder, network))]
    for index in (0, modules - 1):
        assert found["single"][0][index] == pytest.approx(error(folder, network, index))
    assert len(found["single"][0]) == len(found["rows"]) == modules


def test_only_residual_modules_are_deleted_together(record: dict[str, Any], folder: Path) -> None:
    residual, plain = record["networks"].values()
    assert residual["changes_shape"] == [False, True, True]
    assert np.shape(residual["several"]) == (1, 3, 2)  # there are only three modules
    assert residual["several"][0][2] == [pytest.approx(error(folder, "resnet20", 0, 1, 2))] * 2
    assert set(residual["several"][0][0]) <= set(residual["single"][0])
    kept = folder / "runs" / "resnet20_digits_0" / "findings" / "lesion_several.json"
    for order in zip(*json.loads(kept.read_text())["found"]["deleted"], strict=True):
        assert [len(indices) for indices in order] == [1, 2, 3]
        assert set(order[0]) < set(order[1]) < set(order[2])
    assert plain["several"] == [[]]


def test_the_record_states_its_budget(record: dict[str, Any], folder: Path) -> None:
    assert record["seeds"] == [0]
    assert record["budget"]["test_images"] == 60
    assert record["budget"]["trainings"]["plain20"]["epochs"] == 164
    drawing = (folder / "lesion_resnet20_digits.svg").read_text()
    assert all(word in drawing for word in ("resnet20", "plain20", "modules deleted", "chance"))


def test_results_are_cached(record: dict[str, Any], folder: Path) -> None:
    path = folder / "runs" / "plain20_digits_0" / "findings" / "lesion_single.json"
    document = json.loads(path.read_text())
    document["found"]["errors"][0] = 0.125
    path.write_text(json.dumps(document))
    again = lesion(TRAININGS, Workspace(folder / "runs", folder), test_images=60, count=9, draws=2)
    assert again["networks"]["plain20"]["single"][0][0] == 0.125
    assert again["networks"]["resnet20"] == record["networks"]["resnet20"]
    other = lesion(
        TRAININGS[1:], Workspace(folder / "runs", folder), test_images=50, count=9, draws=2
    )
    assert other["networks"]["plain20"]["single"][0][0] != 0.125
    assert [claim["claim"][:12] for claim in other["claims"]] == ["deleting any"]


def test_a_network_that_has_learned_nothing_is_refused(
    record: dict[str, Any], folder: Path
) -> None:
    path = folder / "runs" / "resnet20_digits_0" / "findings" / "lesion_single.json"
    document = json.loads(path.read_text())
    document["found"]["intact"] = 0.9
    path.write_text(json.dumps(document))
    with pytest.raises(Error, match="resnet20 is no better than chance"):
        lesion(TRAININGS[:1], Workspace(folder / "runs", folder), test_images=60, count=9, draws=2)


def lesions(network: str, residual: bool, single: list[list[float]], **others: Any) -> Lesions:
    values = {
        "images": 100,
        "rows": ["conv2_1", "conv2_2", "conv3_1"],
        "changes_shape": np.array([False, False, True]),
        "chance": 0.9,
        "intact": np.full(len(single), 0.1),
        "several": np.zeros((len(single), 0, 0)),
        "seconds": [(10.0, 5.0), (12.0, 6.1), (9.0, 4.4)] if residual else [],
    }
    return Lesions(network=network, residual=residual, single=np.array(single), **(values | others))


def test_claims_are_true_or_not_as_computed() -> None:
    draws = np.array([[0.2, 0.2], [0.2, 0.4], [0.4, 0.4]])
    residual = lesions(
        "resnet20",
        True,
        [[0.12, 0.14, 0.2], [0.13, 0.14, 0.206]],
        several=np.array([draws, draws + 0.02]),
    )
    plain = lesions("plain20", False, [[0.9, 0.85, 0.9], [0.9, 0.87, 0.9]])
    vgg = lesions("vgg11", False, [[0.6, 0.9, 0.9]])
    found = [(claim.holds, round(claim.value, 3)) for claim in claims([residual, plain, vgg])]
    assert found == [
        (True, 0.9),  # (0.85 - 0.14) / 0.8 and (0.87 - 0.14) / 0.8
        (True, 0.9),  # the first module is not the costliest here
        (True, 0.041),  # 0.03 / 0.8 and 0.035 / 0.8
        (True, 0.07),  # 0.2 - 0.13 and 0.206 - 0.135
        (True, 0.816),  # 12 / sqrt(16 * 13.5), of 1 1 2 2 3 3 and 0.2 0.2 0.2 0.4 0.4 0.4
        (True, 0.1),  # 0.1 and 0.12 to 0.2 and 0.22, to 0.3 and 0.32, to 0.4 and 0.42
        (False, 0.354),  # 0.1 of 0.3, and 0.12 of 0.32
        (True, 0.499),
        (False, 0.95),  # 0.75 / 0.8 and 0.77 / 0.8, too few seeds to be sure of
        (False, 0.625),  # 0.5 / 0.8
    ]
    one = claims([vgg])[0].interval
    assert one is not None
    assert one[0] < 0.625 < one[1]


def test_a_costly_first_module_is_distinguished_from_later_ones() -> None:
    residual = lesions("resnet20", True, [[0.8, 0.3, 0.2], [0.8, 0.3, 0.2]])
    residual = replace(residual, several=np.array([[[0.2], [0.3]]] * 2))
    plain = lesions("plain20", False, [[0.9, 0.7, 0.9], [0.9, 0.7, 0.9]])
    every, later = claims([residual, plain])[:2]
    assert (every.holds, later.holds) == (False, True)
    assert every.value == pytest.approx((0.7 - 0.8) / 0.8)
    assert later.value == pytest.approx((0.7 - 0.3) / 0.8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": ("resnet57",)}, "Unknown network 'resnet57'"),
        ({"networks": ("lenet5",)}, "lenet5 has no modules: choose from"),
        ({"seeds": (1, 1)}, "--seeds takes different numbers"),
        ({"networks": ()}, "--networks takes one or more different values, not none"),
        (
            {"networks": ["vgg11"] * 2},
            "--networks takes one or more different values, not vgg11 vgg11",
        ),
        ({"count": 0}, "--count must be at least 1, not 0"),
        ({"draws": 0}, "--draws"),
        ({"test_images": -1}, "--test-images"),
    ],
)
def test_wrong_options_are_refused_before_any_training(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        STUDIES["lesion"](runs=tmp_path / "runs", out=tmp_path, **options)()
    assert not any(tmp_path.iterdir())


def test_a_vgg_has_its_own_training() -> None:
    study = STUDIES["lesion"](seeds=(3, 4), learning_rate=0.025, epochs=6, batch_size=32)
    trainings = {
        each.network: (each, seeds) for each, seeds in map(study.training_and_seeds, study.networks)
    }
    vgg, seeds = trainings["vgg11"]
    assert seeds == (3,)
    assert vgg.options == {"batch_normalization": True}
    assert (vgg.recipe.epochs, vgg.recipe.learning_rate, vgg.recipe.batch_size) == (4, 0.015, 64)
    resnet, seeds = trainings["resnet56"]
    assert seeds == (3, 4)
    assert (resnet.recipe.epochs, resnet.recipe.learning_rate) == (6, 0.025)
