from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from cnn_keras.errors import Error
from cnn_keras.experiments.comparison import draw_pairs, scores, train_variants
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import make_interrupted, write_finished_run


def variants(seeds: tuple[int, ...]) -> dict[str, list[Training]]:
    return {
        name: [
            Training.of("lenet5", "digits", recipe=recipe, train_images=320, seed=seed)
            for seed in seeds
        ]
        for name, recipe in (("fast", {"learning_rate": 0.1}), ("slow", {"learning_rate": 0.01}))
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of two variants with three seeds, of which one is damaged."""
    folder = tmp_path_factory.mktemp("runs")
    for name, trainings in variants((4, 5, 6)).items():
        for training in trainings:
            seed = training.seed
            accuracy = seed / 10 + (0.05 if name == "fast" else 0)
            path = f"lenet5_{name}_digits_{seed}"
            run = write_finished_run(training, seed, folder, [accuracy], path)
            if (name, seed) == ("slow", 5):
                make_interrupted(run)
    return folder


def test_a_seed_counts_only_if_all_variants_are_trained(runs: Path) -> None:
    finished, failed = train_variants(variants((4, 5, 6)), "digits", Workspace(runs, runs))
    assert {name: [run.config["seed"] for run in made] for name, made in finished.items()} == {
        "fast": [4, 6],
        "slow": [4, 6],
    }
    assert [row["run"] for row in failed] == ["lenet5_slow_digits_5"]
    assert scores(finished["fast"], "accuracy") == pytest.approx([0.25, 0.45])
    assert scores(finished["slow"], "accuracy") == pytest.approx([0.2, 0.4])


def test_nothing_is_compared_without_a_complete_seed(runs: Path) -> None:
    with pytest.raises(Error, match="No run of the study is complete: lenet5_slow_digits_5"):
        train_variants(variants((5,)), "digits", Workspace(runs, runs))


def test_each_seed_is_a_line() -> None:
    axes = Figure().subplots()
    draw_pairs(axes, {"fast": [0.25, 0.5], "slow": [0.2, 0.4]}, [4, 6])
    assert [line.get_ydata().tolist() for line in axes.get_lines()] == [[25, 20], [50, 40]]
    assert [line.get_label() for line in axes.get_lines()] == ["seed 4", "seed 6"]
