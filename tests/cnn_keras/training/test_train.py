from __future__ import annotations

import csv
import inspect
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from cnn_keras import zoo
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.layer_weights import read_weights
from cnn_keras.training.evaluate import scores
from cnn_keras.training.recipes import CIFAR_RESNET, RECIPES
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import (
    Training,
    compile_model,
    distort,
    fit_preprocessing,
    initial_model,
    seed_dropout,
    train,
    training_batches,
)
from tests.fixtures.image_folders import NAMES, write
from tests.fixtures.kills import copies_before_each_rename

SMALL = Training.of("lenet5", "digits", recipe={"epochs": 4}, train_images=320, seed=5)


def weights(run: Run) -> list[np.ndarray]:
    found: list[np.ndarray] = run.model().get_weights()
    return found


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a kill leaves of a training, by when it comes; the last state is that of the end."""
    out = tmp_path_factory.mktemp("train") / "undisturbed"
    with copies_before_each_rename(out, tmp_path_factory.mktemp("states")) as copies:
        train(SMALL, out)
    return [*copies, out]


@pytest.fixture(scope="module")
def undisturbed(states: list[Path]) -> Run:
    return Run(states[-1])


def start(out: Path) -> subprocess.Popen[str]:
    """Begin the training in another process, under a `keras.json` of an old tutorial."""
    home = out.parent / "keras_home"
    home.mkdir()
    (home / "keras.json").write_text(
        '{"floatx": "float16", "image_data_format": "channels_first", "backend": "tensorflow"}'
    )
    command = [sys.executable, "-m", "cnn_keras", "train", "lenet5", "--data", "digits"]
    command += ["--epochs", "4", "--train-images", "320", "--seed", "5", "--out", str(out)]
    return subprocess.Popen(
        command,
        env={**os.environ, "KERAS_HOME": str(home)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def interrupt(training: Training, out: Path, epoch: int) -> None:
    """Train until this epoch, counted from 0, is about to begin."""

    def stop(model: keras.Model, seed: int, number: int) -> None:
        if number == epoch:
            raise KeyboardInterrupt
        seed_dropout(model, seed, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cnn_keras.training.train.seed_dropout", stop)
        with pytest.raises(KeyboardInterrupt):
            train(training, out)


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


def test_the_seed_has_the_weights_that_a_run_began_with(tmp_path: Path) -> None:
    recipe = {"epochs": 1, "learning_rate": 1e-30}
    training = Training.of("lenet5", "digits", recipe=recipe, train_images=64, seed=3)
    run = train(training, tmp_path / "run")
    for before, after in zip(initial_model(run).get_weights(), weights(run), strict=True):
        np.testing.assert_allclose(before, after, rtol=0, atol=1e-28)


# Of a training's begin, of its first epoch, of a later one, and of its end.
@pytest.mark.parametrize("state", [1, 2, 5, 9, -2])
def test_killed_between_two_files_and_resumed_equals_undisturbed(
    state: int, states: list[Path], undisturbed: Run, tmp_path: Path
) -> None:
    out = shutil.copytree(states[state], tmp_path / "killed")
    assert not (out / "metrics.json").exists()
    resumed = train(SMALL, out)
    pairs = zip(weights(undisturbed), weights(resumed), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    columns = ("epoch", "loss", "val_loss", "val_accuracy")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]


def test_a_training_of_which_only_the_configuration_was_written_begins(
    states: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "old"  # as an earlier version was killed
    out.mkdir()
    shutil.copy(states[-1] / "config.json", out)
    interrupt(SMALL, out, epoch=0)
    for name in ("preprocessing.json", "labels.txt"):
        assert (out / name).read_bytes() == (states[-1] / name).read_bytes()


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])


@pytest.mark.parametrize(
    ("name", "share", "message"),
    [
        ("last.keras", 0, r"last\.keras .* Delete .*last\.keras, and the training begins anew"),
        ("last.keras", 0.5, r"last\.keras .* Delete .*last\.keras, and the training begins anew"),
        ("history.csv", 0, r"history\.csv has 0 rows, and .* is of epoch 4: .* begins anew"),
        ("history.csv", 0.5, r"history\.csv (has [1-3] rows, .*|is broken, .*) begins anew"),
        ("labels.txt", 0, r"labels\.txt has 0 lines, which are not the 10 classes of digits"),
        ("labels.txt", 0.5, r"labels\.txt has 5 lines, which are not the 10 classes of digits"),
    ],
)
def test_a_training_does_not_go_on_from_a_cut_file(
    name: str, share: float, message: str, states: list[Path], tmp_path: Path
) -> None:
    out = shutil.copytree(states[-2], tmp_path / "cut")
    cut(out / name, share)
    with pytest.raises(Error, match=message):
        train(SMALL, out)


def test_a_training_begins_anew_beside_a_broken_table(states: list[Path], tmp_path: Path) -> None:
    out = shutil.copytree(states[-2], tmp_path / "cut")
    (out / "history.csv").write_text("epoch,val_accuracy\n1")
    with pytest.raises(Error, match=r"history\.csv is broken, .* Delete .*last\.keras"):
        train(SMALL, out)
    (out / "last.keras").unlink()
    interrupt(SMALL, out, epoch=1)
    assert [row["epoch"] for row in Run(out).history] == [1]


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_training_that_goes_on_says_that_its_best_network_is_cut(
    share: float, states: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(states[-2], tmp_path / "cut")
    cut(out / "best.keras", share)
    train(SMALL, out)
    assert f"{out / 'best.keras'} is missing or cut off" in capsys.readouterr().err


@pytest.mark.parametrize("share", [0, 0.5])
def test_labels_that_are_not_as_many_as_outputs_are_said_to_be(
    share: float, undisturbed: Run, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(undisturbed.path, tmp_path / "cut"))
    cut(run.path / "labels.txt", share)
    message = rf"labels\.txt has {round(10 * share)} lines, and the network has 10 outputs"
    for use in (run.model, run.dataset, run.test):
        with pytest.raises(Error, match=message):
            use()


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


def test_a_run_from_before_these_options_resumes(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "old"
    interrupt(SMALL, out, epoch=2)
    config = Run(out).config
    del config["weights"], config["freeze_until"]
    Run(out).write_json("config.json", config)
    resumed = train(SMALL, out)
    pairs = zip(weights(undisturbed), weights(resumed), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


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
        ({"shift": -0.1}, "shift must be from 0 to below 1"),
        ({"rotation": 181.0}, "rotation must be from 0 to 180"),
        ({"weight_decay": -0.1}, "weight decay must not be below 0"),
        ({"warmup_steps": -1}, "Warm-up steps must not be below 0"),
        ({"warmup_steps": 5}, "warm-up rate must be above 0"),
        ({"batch_size": 1_000}, "less than one batch"),
    ],
)
def test_values_no_training_can_have(
    values: dict[str, float], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        train(Training.of("lenet5", "digits", recipe=values, train_images=320), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("values", [{"train_images": 0}, {"image_size": -1}, {"seed": -1}])
def test_sizes_no_training_can_have(values: dict[str, int]) -> None:
    with pytest.raises(UsageError, match=r"must (be above|not be below) 0"):
        Training.of("lenet5", "digits", recipe={}, **values)


# What `zoo.build` itself is given: its own keywords, and what stands before them.
BUILDS = [p for p in inspect.signature(zoo.build).parameters if p != "options"]


@pytest.mark.parametrize("key", BUILDS)
def test_a_keyword_of_build_is_no_option_of_a_family(key: str, tmp_path: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={}, options={key: "3"})
    with pytest.raises(UsageError, match=rf"^Unknown option of lenet5 '{key}'\. "):
        train(training, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("network", "spelled", "other"),
    [
        ("resnet18", {"preactivation": "True"}, {"preactivation": "false"}),
        ("resnet18", {"preactivation": "true"}, {}),
        ("vgg16", {"batch_normalization": "TRUE"}, {"batch_normalization": False}),
        ("resnet20", {"depth": "008"}, {"depth": "14"}),
        ("resnet50", {"depth": "101", "shortcut": "C"}, {"depth": "101"}),
        ("lenet5", {"form": "1998"}, {"form": "taught"}),
    ],
)
def test_a_run_resumes_however_its_options_are_spelled(
    network: str, spelled: dict[str, str], other: dict[str, object], tmp_path: Path
) -> None:
    training = Training.of(network, "digits", recipe={}, options=spelled)
    run = Run(tmp_path / "finished")  # by a version that kept them as they were written
    run.write_json("config.json", asdict(training))
    run.write_json("metrics.json", {})
    for options in (spelled, zoo.checked_options(network, spelled)):
        assert train(replace(training, options=options), run.path) == run
    with pytest.raises(UsageError, match="holds a training with options"):
        train(replace(training, options=other), run.path)


def test_rows_at_random_are_not_frozen() -> None:
    with pytest.raises(UsageError, match="name their --weights"):
        Training.of("lenet5", "digits", recipe={}, freeze_until="c3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("pictures") / "digits", count=60)


def from_folder(folder: Path, flip: bool = False, **others: object) -> Training:
    recipe = {"epochs": 4, "batch_size": 16, "learning_rate": 0.02, "flip": flip}
    return Training.of("lenet5", f"folder:{folder}", recipe=recipe, **others)


MIRRORED = "Pictures are mirrored at random; for letters, arrows and the like: --flip False.\n"


def test_a_folder_of_pictures_is_learned(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = from_folder(folder)
    run = train(training, tmp_path / "run")
    assert run.classes == NAMES
    assert run.preprocessing.channels == 1  # as the paper's input is
    assert run.preprocessing.height == 32
    assert MIRRORED not in capsys.readouterr().err  # LeNet-5's recipe does not
    assert run.metrics["num_train_images"] == 180 - 36 - 18
    assert run.metrics["test"]["accuracy"] > 0.9
    split = Run.open(run.path).dataset().test
    assert scores(run.predict(split.images), split.labels) == run.metrics["test"]
    interrupt(training, tmp_path / "interrupted", epoch=2)
    resumed = train(training, tmp_path / "interrupted")
    assert all(np.array_equal(a, b) for a, b in zip(weights(run), weights(resumed), strict=True))


def test_a_folder_that_changed_is_not_mixed_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "digits", count=20)
    training = from_folder(folder, flip=True)
    interrupt(training, tmp_path / "run", epoch=1)
    assert capsys.readouterr().err.count(MIRRORED) == 1
    kept = (folder / "one" / "000.png").rename(tmp_path / "000.png")
    with pytest.raises(Error, match=r"are not those .* \(59 pictures, .*; then 60 pictures"):
        train(training, tmp_path / "run")
    kept.rename(folder / "one" / "000.png")
    run = train(training, tmp_path / "run")
    (folder / "two" / "new.png").write_bytes((folder / "two" / "000.png").read_bytes())
    with pytest.raises(Error, match=r"\(61 pictures, .*; then 60 pictures"):
        run.dataset()


def test_weights_are_fine_tuned(lenet_run: Run, folder: Path, tmp_path: Path) -> None:
    training = from_folder(folder, weights=lenet_run.path, freeze_until="c5")
    run = train(training, tmp_path / "run")
    assert run.preprocessing == lenet_run.preprocessing
    assert run.config["weights"] == str(lenet_run.path)
    assert run.config["freeze_until"] == "c5"
    before, after = (read_weights(r.path / "model.keras") for r in (lenet_run, run))
    same = {layer for layer in after if np.array_equal(before[layer][-1], after[layer][-1])}
    assert same == {"c1", "c3", "c5"}
    assert after["logits"][0].shape == (84, 3)
    assert run.metrics["test"]["accuracy"] > 0.9
    interrupt(training, tmp_path / "interrupted", epoch=1)
    resumed = train(training, tmp_path / "interrupted")
    assert all(np.array_equal(a, b) for a, b in zip(weights(run), weights(resumed), strict=True))
    with pytest.raises(UsageError, match="freeze_until c5, not c3"):
        train(from_folder(folder, weights=lenet_run.path, freeze_until="c3"), run.path)
    with pytest.raises(UsageError, match=r"weights .* not None"):
        train(from_folder(folder), run.path)
    with pytest.raises(Error, match="not of its seed"):
        initial_model(run)


def test_the_classifier_of_the_same_classes_is_taken(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
    run = train(
        Training.of("lenet5", "digits", recipe=still, weights=lenet_run.path / "best.keras"),
        tmp_path / "run",
    )
    assert (
        "in all layers, the classifier's too; 61,706 of 61,706 weights" in capsys.readouterr().err
    )
    before, after = (read_weights(path / "best.keras") for path in (lenet_run.path, run.path))
    np.testing.assert_allclose(after["logits"][0], before["logits"][0], atol=1e-6)


def test_a_run_s_options_come_with_its_weights(tmp_path: Path) -> None:
    old = Training.of("lenet5", "digits", recipe={"epochs": 1}, options={"activation": "sigmoid"})
    path = train(replace(old, train_images=320), tmp_path / "old").path
    new = Training.of("lenet5", "digits", recipe={"epochs": 1}, weights=path)
    assert new.options == {"activation": "sigmoid"}
    with pytest.raises(UsageError, match="are of lenet5, not resnet20"):
        Training.of("resnet20", "digits", recipe={}, weights=path)


def test_weights_that_do_not_fit_leave_no_run(lenet_run: Run, tmp_path: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={}, weights=lenet_run.path, image_size=64)
    with pytest.raises(UsageError, match="their layer 'c5' is 400×120 with 120, its own 2704×120"):
        train(training, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_channel_may_be_empty() -> None:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    images[:2, ..., 0] = 200
    images[..., 1] = 77
    found = fit_preprocessing(images, (8, 8, 3))
    assert found.mean == (100.0, 77.0, 0.0)
    assert found.std == (100.0, 1.0, 1.0)


def test_statistics_are_of_the_channels_that_the_network_sees() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    found = fit_preprocessing(gray, (8, 8, 3))
    np.testing.assert_allclose(found.mean, np.full(3, gray.mean()), atol=1e-3)
    np.testing.assert_allclose(found.std, np.full(3, gray.std()), atol=1e-3)


def heads(
    image: keras.KerasTensor, num_classes: int, activation: str, *, auxiliary: bool = False
) -> list[keras.KerasTensor] | keras.KerasTensor:
    """Classify, when it is trained, also after the first two convolutions."""
    outputs, x = [], image
    for row in ("a", "b", ""):
        prefix = f"{row}_aux_" if row else ""
        if row:
            x = keras.layers.Conv2D(4, 3, 2, activation="relu", name=row)(x)
        y = keras.layers.Dropout(0.4, name=f"{prefix}dropout")(x)
        y = keras.layers.Flatten(name=f"{prefix}flatten")(y)
        y = keras.layers.Dense(num_classes, name=f"{prefix}logits")(y)
        outputs.append(keras.layers.Activation(activation, name=f"{prefix}probabilities")(y))
    return [outputs[-1], *outputs[:-1]] if auxiliary else outputs[-1]


@pytest.fixture
def headed(monkeypatch: pytest.MonkeyPatch) -> Training:
    """A network of three outputs when it is trained, small enough for a test, with dropout."""
    module = ModuleType("heads")
    module.heads = heads  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cnn_keras.models.heads", module)
    row = zoo.network("lenet5")._replace(
        builder="heads:heads", training={"auxiliary": True}, loss_weights=(1.0, 0.5, 0.25)
    )
    monkeypatch.setitem(zoo.ZOO, "heads", row)
    return Training.of("heads", "digits", recipe={"epochs": 3}, train_images=320)


def test_several_outputs_are_trained_and_the_main_one_is_kept(
    headed: Training, tmp_path: Path
) -> None:
    run = train(headed, tmp_path / "run")
    last = keras.saving.load_model(run.path / "last.keras")
    assert last.output_names == ["probabilities", "a_aux_probabilities", "b_aux_probabilities"]
    for name in ("model.keras", "best.keras"):
        assert set(read_weights(run.path / name)) == {"a", "b", "logits"}
    model = run.model()
    assert len(model.outputs) == 1
    assert model.name == "heads"
    split = run.dataset().test
    assert scores(run.predict(split.images), split.labels) == run.metrics["test"]
    np.testing.assert_array_equal(
        last.predict_on_batch(run.preprocessing(split.images[:9]))[0],
        model.predict_on_batch(run.preprocessing(split.images[:9])),
    )
    row = run.history[-1]
    metrics = ["accuracy", "loss", "val_accuracy", "val_loss", "total_loss"]
    assert list(row) == ["epoch", "seconds", "learning_rate", *metrics]
    assert row["val_loss"] == pytest.approx(run.metrics["validation"]["loss"], rel=1e-4)
    assert row["val_accuracy"] == pytest.approx(run.metrics["validation"]["accuracy"])
    # Every output learns: the sum is less than what guessing costs, the main loss being less too.
    assert row["loss"] < row["total_loss"] < (1 + 0.5 + 0.25) * math.log(10)


def test_losses_are_weighted(headed: Training) -> None:
    model = zoo.build("heads", auxiliary=True)
    compile_model(model, headed.recipe, 10, (1.0, 0.5, 0.25))
    images = np.random.default_rng(0).random((8, 32, 32, 1), np.float32)
    labels = dict.fromkeys(model.output_names, np.arange(8))
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    parts = [found[f"{name}_loss"] for name in model.output_names]
    assert found["loss"] == pytest.approx(parts[0] + 0.5 * parts[1] + 0.25 * parts[2], rel=1e-5)


def test_several_outputs_and_dropout_resume_to_the_bit(headed: Training, tmp_path: Path) -> None:
    spelled = [replace(headed, options={"auxiliary": text}) for text in ("true", "True")]
    undisturbed = train(headed, tmp_path / "undisturbed")
    interrupt(spelled[0], tmp_path / "interrupted", epoch=1)
    resumed = train(spelled[1], tmp_path / "interrupted")
    assert resumed.config["options"] == {"auxiliary": True}
    for name in ("model.keras", "best.keras", "last.keras"):
        found, expected = (read_weights(run.path / name) for run in (resumed, undisturbed))
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[key][0], expected[key][0]) for key in expected)
    columns = ("loss", "total_loss", "val_loss")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]


def test_what_an_epoch_drops_depends_on_seed_and_epoch() -> None:
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)]
    )

    def drawn(seed: int, epoch: int) -> np.ndarray:
        seed_dropout(model, seed, epoch)
        found: np.ndarray = model(np.ones((1, 64), np.float32), training=True).numpy()
        return found

    np.testing.assert_array_equal(drawn(3, 1), drawn(3, 1))
    assert not np.array_equal(drawn(3, 1), drawn(3, 2))
    assert not np.array_equal(drawn(3, 1), drawn(4, 1))
    assert (drawn(3, 1) != 0).mean() < 0.45  # the two layers do not drop the same places


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


@pytest.mark.parametrize(("steps", "rate", "said"), [(9, 0.01, False), (10, 0.1, True)])
@pytest.mark.parametrize("milestones", [(), (0.5,)])
def test_a_warm_up_is_over_when_the_rate_falls_or_left_out(
    milestones: tuple[float, ...],
    steps: int,
    rate: float,
    said: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    epochs = 1 if milestones == () else 2  # 10 steps at the first rate in either case
    warm = replace(
        CIFAR_RESNET, epochs=epochs, milestones=milestones, warmup_steps=steps, warmup_rate=0.01
    )
    compile_model(model, warm, steps_per_epoch=10)
    rates = []
    for step in (1, 9, 10):
        model.optimizer.iterations.assign(step)
        rates.append(round(float(model.optimizer.learning_rate), 6))
    assert rates == [rate, rate, 0.1]
    assert ("No warm-up" in capsys.readouterr().err) == said


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
        Split(images, labels),
        Preprocessing(8, 8, 1, (0.0,), (1.0,)),
        recipe,
        False,
        seed=1,
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


@pytest.mark.parametrize(("height", "width"), [(32, 16), (16, 32), (8, 64), (24, 24)])
def test_a_shift_is_a_part_of_the_side_along_it(height: int, width: int) -> None:
    import tensorflow as tf

    image = np.zeros((512, height, width, 1), np.float32)
    image[:, height // 2, width // 2] = 1
    recipe = replace(CIFAR_RESNET, shift=1 / 8)
    moved = distort(tf.constant(image), recipe, False, tf.constant([0, 0], tf.int64)).numpy()
    _, rows, columns, _ = np.nonzero(moved)
    for found, side in ((rows, height), (columns, width)):
        assert set(found) == set(range(side // 2 - side // 8, side // 2 + side // 8 + 1))


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
