from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.inspection.surgery import split_into_modules
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.shuffle import Shuffles, claims, orders, shuffle, tau
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.fixtures.finished_runs import fit_classifier, write_finished_run

TRAINING = Training.of("resnet20", "digits", recipe={}, image_size=16, options={"depth": 14})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shuffle")


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    fit_classifier(write_finished_run(TRAINING, 0, folder / "runs", [0.5]))
    shuffle(TRAINING, (0,), Workspace(folder / "runs", folder), test_images=50, count=2, draws=2)
    return json.loads((folder / "shuffle_resnet20_digits.json").read_text())


def test_errors_are_those_of_the_networks_in_these_orders(
    record: dict[str, Any], folder: Path
) -> None:
    run = Run.open(folder / "runs" / "resnet20_digits_0")
    test = run.test_split(50)
    network = split_into_modules(run.model())

    def error(order: list[int]) -> float:
        x = network.stem(run.preprocessing(test.images))
        for index in order:
            x = network.modules[index](x)
        return (np.argmax(network.head(x), axis=1) != test.labels).mean()

    # Only the two modules of the first stage have the same shape: two swaps undo each other.
    own, other = [0, 1, 2, 3, 4, 5], [1, 0, 2, 3, 4, 5]
    assert record["orders"] == [other, own, other, own]
    assert record["taus"] == pytest.approx([1 - 2 / 15, 1, 1 - 2 / 15, 1])
    assert record["errors"] == [[pytest.approx(error(order)) for order in record["orders"]]]
    assert record["intact"] == record["errors"][0][1:2]


def test_the_record_states_its_budget(record: dict[str, Any], folder: Path) -> None:
    assert (record["seeds"], record["network"], record["chance"]) == ([0], "resnet20", 0.9)
    assert (record["budget"]["test_images"], record["budget"]["epochs"]) == (50, 164)
    assert len(record["claims"]) == 3
    drawing = (folder / "shuffle_resnet20_digits.svg").read_text()
    assert all(word in drawing for word in ("seed 0", "order of the modules", "chance"))


def test_results_are_cached(record: dict[str, Any], folder: Path) -> None:
    path = folder / "runs" / "resnet20_digits_0" / "findings" / "shuffle.json"
    document = json.loads(path.read_text())
    document["found"]["intact"] = 0.125
    path.write_text(json.dumps(document))
    again = shuffle(
        TRAINING, (0,), Workspace(folder / "runs", folder), test_images=50, count=2, draws=2
    )
    assert again["intact"] == [0.125]
    assert again["errors"] == record["errors"]


@pytest.mark.parametrize("swap", [(0, 1), (1, 4), (0, 5)])
def test_tau_falls_with_each_pair_in_reverse_order(swap: tuple[int, int]) -> None:
    a, b = swap
    order = list(range(6))
    order[a], order[b] = order[b], order[a]
    reverse = sum(first > second for first, second in combinations(order, 2))
    assert tau(order) == pytest.approx(1 - 2 * reverse / 15)


def test_orders_swap_modules_only_within_groups() -> None:
    groups = [[0, 1, 2], [4, 5, 6, 7]]
    drawn = orders(9, groups, 6, 10)
    assert drawn == orders(9, groups, 6, 10)
    assert len(drawn) == 60
    for step, order in enumerate(drawn):
        assert all(sorted(order[index] for index in group) == group for group in groups)
        assert (order[3], order[8]) == (3, 8)
        before = drawn[step - 1] if step % 6 else range(9)
        assert sum(np.not_equal(order, before)) == 2
    assert len({tuple(order) for order in drawn}) > 30
    disorder = [1 - tau(order) for order in drawn]
    assert np.mean(disorder[::6]) < np.mean(disorder[5::6])


def test_claims_are_true_or_not_as_computed() -> None:
    taus = np.array([0.8, 0.6, 0.9, 0.5, 0.7])
    rising = 0.2 + (1 - taus) / 2
    shuffles = Shuffles(taus, np.array([0.2, 0.21]), np.stack([rising, rising + 0.01]))
    np.testing.assert_allclose(shuffles.curves[0], [0.2, 0.25, 0.3, 0.35, 0.4, 0.45])
    correlation, smallest, largest = claims("resnet20", shuffles)
    assert (correlation.holds, correlation.value) == (True, pytest.approx(1))
    assert (smallest.holds, smallest.value) == (True, pytest.approx(0.05))
    assert (largest.holds, largest.value) == (True, pytest.approx(0.2))
    jump = Shuffles(taus, np.array([0.2]), np.array([[0.2, 0.8, 0.2, 0.8, 0.2]]))
    assert [claim.holds for claim in claims("resnet20", jump)] == [True, False, False]
    flat = Shuffles(taus, np.array([0.2]), np.full((1, 5), 0.2))
    assert [(claim.holds, claim.value) for claim in claims("resnet20", flat)] == [
        (False, 0),
        (False, 0),
        (False, 1),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "resnet57"}, "Unknown network 'resnet57'"),
        ({"network": "vgg11"}, "vgg11 has no modules"),
        ({"seeds": ()}, "--seeds takes different numbers"),
        ({"count": 0}, "--count must be at least 1, not 0"),
        ({"draws": 0}, "--draws"),
        ({"test_images": -1}, "--test-images"),
    ],
)
def test_wrong_options_are_refused_before_any_training(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        STUDIES["shuffle"](runs=tmp_path / "runs", out=tmp_path, **options)()
    assert not any(tmp_path.iterdir())
