from __future__ import annotations

import csv
import math
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from cnn_keras import data
from cnn_keras.errors import Error, UsageError
from cnn_keras.evaluate import scores
from cnn_keras.preprocessing import Preprocessing
from cnn_keras.recipes import CIFAR_RESNET, RECIPES
from cnn_keras.runs import Run
from cnn_keras.train import Training, compile_model, distort, train, training_batches

SMALL = Training.of("lenet5", "digits", recipe={"epochs": 4}, train_images=320, seed=5)


def weights(run: Run) -> list[np.ndarray]:
    found: list[np.ndarray] = run.model().get_weights()
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("train") / "undisturbed")


def start(out: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "cnn_keras", "train", "lenet5", "--data", "digits"]
    command += ["--epochs", "4", "--train-images", "320", "--seed", "5", "--out", str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for_epoch(process: subprocess.Popen[str], epoch: int) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(f"epoch {epoch}/"):
            return
    raise AssertionError("the training ended before it could be disturbed")


def test_a_run_holds_everything(lenet_run: Run) -> None:
    names = {path.name for path in lenet_run.path.iterdir()}
    assert names == {
        "model.keras",
        "best.keras",
        "last.keras",
        "config.json",
        "history.csv",
        "metrics.json",
        "preprocessing.json",
        "labels.txt",
    }
    assert [row["epoch"] for row in lenet_run.history] == list(range(1, 7))
    assert lenet_run.config["network"] == "lenet5"
    assert lenet_run.classes == tuple("0123456789")


def test_it_learned(lenet_run: Run) -> None:
    assert lenet_run.metrics["test"]["accuracy"] > 0.95
    split = lenet_run.dataset().test
    assert scores(lenet_run.predict(split.images), split.labels) == lenet_run.metrics["test"]
    assert np.trace(np.array(lenet_run.metrics["confusion_matrix"])) == round(
        lenet_run.metrics["test"]["accuracy"] * 360
    )


def test_same_seed_same_weights_other_seed_others(undisturbed: Run, tmp_path: Path) -> None:
    again = train(SMALL, tmp_path / "again")
    other = train(replace(SMALL, seed=6), tmp_path / "other")
    pairs = zip(weights(undisturbed), weights(again), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not np.array_equal(weights(undisturbed)[0], weights(other)[0])


def test_killed_and_resumed_equals_undisturbed(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    process = start(out)
    wait_for_epoch(process, 2)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert not (out / "metrics.json").exists()
    resumed = train(SMALL, out)
    pairs = zip(weights(undisturbed), weights(resumed), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    columns = ("epoch", "loss", "val_loss", "val_accuracy")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]


def test_interrupted_run_is_resumable(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "interrupted"
    process = start(out)
    wait_for_epoch(process, 1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "the same command resumes" in said
    assert "Traceback" not in said
    resumed = train(SMALL, out)
    assert np.array_equal(weights(undisturbed)[0], weights(resumed)[0])


def test_another_configuration_is_not_mixed_in(undisturbed: Run) -> None:
    with pytest.raises(UsageError, match="epochs 4, not 5"):
        train(replace(SMALL, recipe=replace(SMALL.recipe, epochs=5)), undisturbed.path)
    before = undisturbed.path.stat().st_mtime_ns
    train(SMALL, undisturbed.path)  # finished: nothing to do
    assert undisturbed.path.stat().st_mtime_ns == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not a run folder"):
        train(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_loss_that_explodes_stops_the_training(tmp_path: Path) -> None:
    wild = replace(SMALL, recipe=replace(SMALL.recipe, learning_rate=1e30))
    with pytest.raises(Error, match="lower --learning-rate"):
        train(wild, tmp_path / "wild")
    assert not (tmp_path / "wild" / "model.keras").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs must be above 0"),
        ({"learning_rate": -1.0}, "learning rate must be above 0"),
        ({"momentum": 1.0}, "momentum must be from 0 to below 1"),
        ({"weight_decay": -0.1}, "weight decay must not be below 0"),
        ({"batch_size": 1_000}, "less than one batch"),
    ],
)
def test_values_no_training_can_have(
    values: dict[str, float], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(Training.of("lenet5", "digits", recipe=values, train_images=320), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("values", [{"train_images": 0}, {"image_size": -1}])
def test_sizes_no_training_can_have(values: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="must be above 0"):
        Training.of("lenet5", "digits", recipe={}, **values)


def test_schedule_falls_at_the_milestones() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    compile_model(model, replace(CIFAR_RESNET, epochs=8), steps_per_epoch=10)
    schedule = model.optimizer._learning_rate
    assert [round(float(schedule(step)), 6) for step in (1, 40, 41, 60, 61, 80)] == [
        0.1,
        0.1,
        0.01,
        0.01,
        0.001,
        0.001,
    ]
    compile_model(model, RECIPES["cifar_resnet110"], steps_per_epoch=391)
    warm = model.optimizer._learning_rate
    assert [round(float(warm(step)), 6) for step in (1, 400, 401)] == [0.01, 0.01, 0.1]


def test_weight_decay_has_the_strength_of_an_l2_penalty() -> None:
    """After many steps without a data gradient, both shrink a weight by the same factor."""
    decay, momentum, rate, steps = 1e-3, 0.9, 0.1, 1_000
    weight, velocity = 1.0, 0.0
    for _ in range(steps):  # Caffe: v = m v - lr (g + decay w); w += v
        velocity = momentum * velocity - rate * decay * weight
        weight += velocity
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    compile_model(
        model,
        replace(CIFAR_RESNET, weight_decay=decay, momentum=momentum, learning_rate=rate, epochs=9),
        steps_per_epoch=steps,
    )
    model.set_weights([np.ones((1, 1))])
    variable = model.trainable_variables[0]
    for _ in range(steps):
        model.optimizer.apply([np.zeros((1, 1), "float32")], [variable])
    shrunk = math.log(float(variable.numpy()[0, 0]))
    assert shrunk == pytest.approx(math.log(weight), rel=0.02)


def test_every_epoch_shows_every_image_in_another_order() -> None:
    labels = np.arange(64, dtype=np.int64)
    images = np.zeros((64, 8, 8, 1), np.uint8)
    recipe = replace(RECIPES["lenet5"], epochs=3, batch_size=16, shift=0.0, rotation=0.0)
    stream = training_batches(
        data.Split(images, labels), Preprocessing(8, 8, 1, (0.0,), (1.0,)), recipe, False, seed=1
    )
    order = np.concatenate([y.numpy() for _, y in stream]).reshape(3, 64)
    assert all(sorted(epoch) == list(range(64)) for epoch in order)
    assert not np.array_equal(order[0], order[1])


def test_distortion_shifts_and_mirrors_and_stays_in_reach() -> None:
    import tensorflow as tf

    image = np.zeros((256, 32, 32, 1), np.float32)
    image[:, 16, 10] = 1
    moved = distort(tf.constant(image), CIFAR_RESNET, True, tf.constant([0, 0], tf.int64)).numpy()
    _, rows, columns, _ = np.nonzero(moved)
    assert len(rows) == 256  # a shift by whole pixels keeps the point
    assert set(rows) == set(range(12, 21))
    mirrored = columns > 16
    assert 96 < mirrored.sum() < 160
    assert set(columns[~mirrored]) == set(range(6, 15))
    assert set(columns[mirrored]) == {31 - c for c in range(6, 15)}


def test_rotation_turns_about_the_center() -> None:
    import tensorflow as tf

    image = np.zeros((64, 33, 33, 1), np.float32)
    image[:, 16, 16] = 255
    image[:, 16, 30] = 255
    recipe = replace(RECIPES["lenet5"], shift=0.0, rotation=10.0)
    moved = distort(tf.constant(image), recipe, False, tf.constant([0, 0], tf.int64)).numpy()
    assert (moved[:, 16, 16, 0] > 250).all()
    heights = moved[:, :, 24:, 0].sum(axis=2).argmax(axis=1)
    assert heights.min() < 16 < heights.max()
    assert abs(heights - 16).max() <= 3  # 14 pixels out, 10 degrees: 2.4 pixels


def test_finished_weights_do_not_depend_on_where_it_ran(undisturbed: Run) -> None:
    with (undisturbed.path / "history.csv").open() as file:
        header = next(csv.reader(file))
    assert header[:3] == ["epoch", "seconds", "learning_rate"]
    assert not [path for path in undisturbed.path.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("options", [{"form": "1998"}, {"activation": "sigmoid"}])
def test_every_form_of_lenet_learns_by_its_recipe(options: dict[str, str], tmp_path: Path) -> None:
    run = train(Training.of("lenet5", "digits", recipe={}, options=options), tmp_path / "run")
    assert run.metrics["test"]["accuracy"] > 0.93


@pytest.mark.slow
def test_lenet_reads_99_percent_of_the_digits(tmp_path: Path) -> None:
    accuracies = []
    for seed in range(5):
        began = time.perf_counter()
        run = train(Training.of("lenet5", "digits", recipe={}, seed=seed), tmp_path / str(seed))
        assert time.perf_counter() - began < 40
        accuracies.append(run.metrics["test"]["accuracy"])
    assert np.mean(accuracies) >= 0.99
