from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from cnn_keras.comparison.differences import compare_settings, differ_only_in_seed, seed_groups
from cnn_keras.comparison.entries import Entry, open_entries
from cnn_keras.experiments.estimates import mean
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 3})
MODERN = Training.of("lenet5", "digits", recipe={"epochs": 3, "schedule": "cosine"})


def entries_of(tmp_path: Path, *trainings: Training) -> list[Entry]:
    """Return finished runs whose test accuracies are 0.9, 0.8, 0.7, ..."""
    return open_entries(
        [
            write_run(tmp_path / f"run_{index}", training, [0.8], 0.9 - index / 10)
            for index, training in enumerate(trainings)
        ]
    )


def test_a_default_that_the_file_omits_differs_from_another_value(tmp_path: Path) -> None:
    different, same = compare_settings(entries_of(tmp_path, TRAINING, MODERN))
    assert different == [("recipe", "schedule", ["step", "cosine"])]
    assert ("recipe", "epochs", [3, 3]) in same
    assert ("versions", "keras", ["3.15.1", "3.15.1"]) in same
    assert not [setting for setting in same if None in setting.values]


def test_a_group_that_a_run_lacks_is_not_compared(tmp_path: Path) -> None:
    finished = write_run(tmp_path / "finished", TRAINING, [0.8], 0.9)
    killed = write_run(tmp_path / "killed", replace(TRAINING, train_images=50), [0.8])
    different, same = compare_settings(open_entries([finished, killed]))
    assert different == [("training", "train_images", [None, 50])]
    assert ("hardware", "cores", [2, None]) in same


def test_options_and_new_keys_are_compared(tmp_path: Path) -> None:
    options = [{"depth": 14}, {"depth": 20}]
    trainings = [Training.of("resnet20", "digits", recipe={}, options=each) for each in options]
    runs = [
        write_run(tmp_path / str(index), training, workers=index)
        for index, training in enumerate(trainings)
    ]
    assert compare_settings(open_entries(runs))[0] == [
        ("training", "workers", [0, 1]),
        ("training", "option depth", [14, 20]),
    ]


def test_runs_of_several_seeds_are_a_group(tmp_path: Path) -> None:
    seeds = [replace(TRAINING, seed=seed) for seed in range(3)]
    entries = entries_of(tmp_path, *seeds)
    assert differ_only_in_seed(entries)
    (group,) = seed_groups(entries)
    assert [entry.name for entry in group.entries] == ["run_0", "run_1", "run_2"]
    assert group.accuracy == mean([0.9, 0.8, 0.7])


@pytest.mark.parametrize(
    ("trainings", "sizes"),
    [
        ([TRAINING, TRAINING], []),  # the same seed twice
        ([TRAINING, MODERN], []),
        ([TRAINING, replace(MODERN, seed=1), replace(TRAINING, seed=1), MODERN], [2, 2]),
    ],
)
def test_other_runs_do_not_differ_only_in_the_seed(
    trainings: list[Training], sizes: list[int], tmp_path: Path
) -> None:
    entries = entries_of(tmp_path, *trainings)
    assert not differ_only_in_seed(entries)
    assert [len(group.entries) for group in seed_groups(entries)] == sizes
