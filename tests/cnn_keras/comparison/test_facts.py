from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cnn_keras.comparison import facts
from cnn_keras.comparison.differences import Setting
from cnn_keras.comparison.entries import open_entries
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 3})


def summarize(*paths: Path) -> str:
    return " ".join(facts.summary(open_entries(paths))).replace("\N{NO-BREAK SPACE}", " ")


def test_a_run_has_a_dash_for_what_it_lacks(tmp_path: Path) -> None:
    finished = write_run(tmp_path / "finished", TRAINING, [0.5, 0.9, 0.8], 0.85)
    entries = open_entries([finished, write_run(tmp_path / "new", TRAINING)])
    complete, absent = (
        dict(zip(facts.RESULT_COLUMNS, facts.result_cells(entry), strict=True)) for entry in entries
    )
    assert complete == {
        "network": "lenet5",
        "status": "finished",
        "epochs": "3",
        "test accuracy, %": "85.00",
        "95 % interval": "76.72 – 90.69",
        "balanced accuracy, %": "84.00",
        "validation accuracy, %": "85.00",
        "best validation (epoch), %": "90.00 (2)",
        "training, s": "8",
        "images/s": "200",
        "parameters": "—",
    }
    assert [*absent.values()] == ["lenet5", "epoch 0 of 3", *"—" * 9]
    assert facts.title(entries) == "2 runs of lenet5 on digits"


def test_the_summary_names_the_best_run_and_the_differences(tmp_path: Path) -> None:
    best = write_run(tmp_path / "best", replace(TRAINING, seed=1), [0.9], 0.95)
    near = write_run(tmp_path / "near", TRAINING, [0.9], 0.92)
    far = write_run(tmp_path / "far", TRAINING, [0.6], 0.6)
    killed = write_run(tmp_path / "killed", replace(TRAINING, class_weights="balanced"), [0.6])
    text = "best has the highest test accuracy, 95.00 % of 100 images (95 % interval 88.82 to 97.85"
    assert summarize(far, best, killed).startswith(f"{text}), and no other interval overlaps it.")
    assert summarize(far, near, best, killed) == (
        f"{text}); the interval of near overlaps it. The runs differ in seed and class weights. "
        "killed is not finished: epoch 1 of 3."
    )
    assert summarize(near, far).endswith("The runs have the same configuration.")


def test_accuracies_on_different_data_are_not_compared(tmp_path: Path) -> None:
    other = Training.of("resnet20", "fashion_mnist", recipe={})
    paths = [
        write_run(tmp_path / "digits", TRAINING, [0.9], 0.95),
        write_run(tmp_path / "fashion", other, [0.8], 0.85),
    ]
    assert summarize(*paths).startswith("The runs are of different data sets, so that")
    assert facts.title(open_entries(paths)) == "Comparison of 2 runs"


def test_runs_of_several_seeds_have_a_mean_below_100_percent(tmp_path: Path) -> None:
    paths = [
        write_run(tmp_path / str(seed), replace(TRAINING, seed=seed), [0.9], 0.9 + seed / 20)
        for seed in range(2)
    ]
    assert summarize(*paths) == (
        "The runs differ only in the seed. The mean test accuracy over the seeds of 0 and 1 is "
        "92.50 % (95 % interval 60.73 to 100.00)."
    )


def test_equal_and_many_runs_are_named_together(tmp_path: Path) -> None:
    paths = [
        write_run(tmp_path / f"run_{index}", TRAINING, [0.9], 0.9 - 0.1 * (index == 5))
        for index in range(6)
    ]
    assert summarize(*paths) == (
        "run_0, run_1 and 3 others have the highest test accuracy, 90.00 % of 100 images (95 % "
        "interval 82.56 to 94.48); the interval of run_5 overlaps it. The runs have the same "
        "configuration."
    )


def test_settings_have_names_and_values_as_text() -> None:
    assert facts.setting_text([]) == "none"
    assert facts.setting_text({"name": "VGG16", "top": None}) == "name VGG16, top —"
    assert facts.setting_text(True) == "True"
    names = [("hardware", "memory_gib"), ("training", "class_weights"), ("images", "test")]
    assert [facts.setting_name(Setting(*name, [])) for name in names] == [
        "memory, GiB",
        "class weights",
        "images: test",
    ]
