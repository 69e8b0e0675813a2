from __future__ import annotations

import inspect
import math
import platform
import re
import shutil
import signal
import sys
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from cnn_keras import zoo
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.layer_weights import read_weights
from cnn_keras.training.config import Training
from cnn_keras.training.evaluate import scores
from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.run_folder import DESCRIPTION, Run
from cnn_keras.training.train import initial_model, train
from tests.fixtures.command_line import run_main
from tests.fixtures.image_folders import NAMES, write
from tests.fixtures.interruptions import (
    assert_same_training,
    copies_before_each_rename,
    interrupt,
    interrupt_at_step,
    start_training,
    wait_for_epoch,
)

SMALL = Training.of("lenet5", "digits", recipe={"epochs": 4}, train_images=320, seed=5)


def weights(run: Run) -> list[np.ndarray]:
    found: list[np.ndarray] = run.model().get_weights()
    return found


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What a kill leaves of a training, for every moment; the last state is the finished run."""
    out = tmp_path_factory.mktemp("train") / "undisturbed"
    with copies_before_each_rename(out, tmp_path_factory.mktemp("states")) as copies:
        train(SMALL, out)
    return [*copies, out]


@pytest.fixture(scope="module")
def undisturbed(states: list[Path]) -> Run:
    return Run(states[-1])


def test_a_run_folder_is_complete(lenet_run: Run) -> None:
    names = {path.name for path in lenet_run.path.iterdir()}
    assert names == {
        "model.keras",
        "best.keras",
        "last.keras",
        "config.json",
        "recipe.toml",
        "history.csv",
        "metrics.json",
        "preprocessing.json",
        "labels.txt",
    }
    assert [row["epoch"] for row in lenet_run.history] == list(range(1, 7))
    assert lenet_run.config["network"] == "lenet5"
    assert lenet_run.classes == tuple("0123456789")


def test_the_network_learns(lenet_run: Run) -> None:
    assert lenet_run.metrics["test"]["accuracy"] > 0.95
    split = lenet_run.dataset().test
    assert scores(lenet_run.predict(split.images), split.labels) == lenet_run.metrics["test"]
    assert np.trace(np.array(lenet_run.metrics["confusion_matrix"])) == round(
        lenet_run.metrics["test"]["accuracy"] * 360
    )


def test_weights_depend_on_the_seed_only(undisturbed: Run, tmp_path: Path) -> None:
    again = train(SMALL, tmp_path / "again")
    other = train(replace(SMALL, seed=6), tmp_path / "other")
    pairs = zip(weights(undisturbed), weights(again), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert not np.array_equal(weights(undisturbed)[0], weights(other)[0])


def test_initial_weights_follow_from_the_seed(tmp_path: Path) -> None:
    recipe = {"epochs": 1, "learning_rate": 1e-30}
    training = Training.of("lenet5", "digits", recipe=recipe, train_images=64, seed=3)
    run = train(training, tmp_path / "run")
    for before, after in zip(initial_model(run).get_weights(), weights(run), strict=True):
        np.testing.assert_allclose(before, after, rtol=0, atol=1e-28)


# Before the first epoch, after it, after a later one, and at the end.
@pytest.mark.parametrize("state", [1, 2, 5, 9, -2])
def test_a_killed_and_resumed_training_equals_an_undisturbed_one(
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


def test_a_training_pauses_and_resumes_exactly(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "paused"
    for epoch in (1, 1):  # the second time it is paused already
        assert len(train(SMALL, out, until_epoch=epoch).history) == epoch
        assert not (out / "metrics.json").exists()
    assert_same_training(train(SMALL, out, until_epoch=9), undisturbed)
    assert len(train(SMALL, out, until_epoch=1).history) == SMALL.recipe.epochs


def test_a_run_with_only_a_configuration_starts(states: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "old"  # as left by an earlier version
    out.mkdir()
    shutil.copy(states[-1] / "config.json", out)
    interrupt(SMALL, out, epoch=0)
    for name in ("preprocessing.json", "labels.txt"):
        assert (out / name).read_bytes() == (states[-1] / name).read_bytes()


def truncate(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])


@pytest.mark.parametrize(
    ("name", "share", "message"),
    [
        ("last.keras", 0, r"last\.keras .* Or delete .*last\.keras to start the training again"),
        ("last.keras", 0.5, r"last\.keras .* Or delete .*last\.keras to start the training again"),
        (
            "history.csv",
            0,
            r"history\.csv has 0 rows, and .* is of epoch 4: .* to start the training again",
        ),
        (
            "history.csv",
            0.5,
            r"history\.csv (has [1-3] rows, .*|is broken, .*) .* to start the training again",
        ),
        ("labels.txt", 0, r"labels\.txt has 0 lines, which are not the 10 classes of digits"),
        ("labels.txt", 0.5, r"labels\.txt has 5 lines, which are not the 10 classes of digits"),
    ],
)
def test_a_training_does_not_resume_from_a_truncated_file(
    name: str, share: float, message: str, states: list[Path], tmp_path: Path
) -> None:
    out = shutil.copytree(states[-2], tmp_path / "truncated")
    truncate(out / name, share)
    with pytest.raises(Error, match=message):
        train(SMALL, out)


def test_a_training_starts_again_beside_a_broken_table(states: list[Path], tmp_path: Path) -> None:
    out = shutil.copytree(states[-2], tmp_path / "truncated")
    (out / "history.csv").write_text("epoch,val_accuracy\n1")
    with pytest.raises(Error, match=r"history\.csv is broken, .* Or delete .*last\.keras"):
        train(SMALL, out)
    (out / "last.keras").unlink()
    interrupt(SMALL, out, epoch=1)
    assert [row["epoch"] for row in Run(out).history] == [1]


@pytest.mark.parametrize("share", [0, 0.5])
def test_a_resumed_training_reports_a_truncated_best_network(
    share: float, states: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(states[-2], tmp_path / "truncated")
    truncate(out / "best.keras", share)
    train(SMALL, out)
    assert f"{out / 'best.keras'} is missing or truncated" in capsys.readouterr().err


@pytest.mark.parametrize("share", [0, 0.5])
def test_another_number_of_labels_than_outputs_is_reported(
    share: float, undisturbed: Run, tmp_path: Path
) -> None:
    run = Run(shutil.copytree(undisturbed.path, tmp_path / "truncated"))
    truncate(run.path / "labels.txt", share)
    message = rf"labels\.txt has {round(10 * share)} lines, and the network has 10 outputs"
    for use in (run.model, run.dataset, run.test_split):
        with pytest.raises(Error, match=message):
            use()


def test_an_interrupted_training_can_be_resumed(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "interrupted"
    process = start_training(out, epochs=4)
    wait_for_epoch(process, 1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert "the same command resumes" in err
    assert "Traceback" not in err
    resumed = train(SMALL, out)
    assert np.array_equal(weights(undisturbed)[0], weights(resumed)[0])


def test_a_terminated_training_holds_its_folder_until_it_ends(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "terminated"
    process = start_training(out, epochs=1000)
    wait_for_epoch(process, 1)
    arguments = ["train", "lenet5", "--data", "digits", "--epochs", "1000", "--seed", "5"]
    code, _, err = run_main(capsys, *arguments, "--train-images", "320", "--out", out)
    assert process.poll() is None
    assert code == 1
    assert err == (
        f"cnn-keras: Process {process.pid} on {platform.node()} is training in {out}: wait until "
        "it has ended, or choose another --out.\n"
    )
    process.terminate()
    _, err = process.communicate()
    assert process.returncode == 143
    *epochs, last_line = err.splitlines()
    where = last_line.removeprefix(f"Terminated; the same command resumes {out} after ")
    assert re.fullmatch(r"(step \d+ of )?epoch \d+\.", where)
    assert [line.split("/")[0] for line in epochs] == [f"epoch {i + 2}" for i in range(len(epochs))]
    names = {path.name for path in out.iterdir()}
    assert names == {"best.keras", "last.keras", "history.csv", "recipe.toml", *DESCRIPTION}
    saved = int(keras.saving.load_model(out / "last.keras").optimizer.iterations) // 10
    assert saved - len(epochs) in (
        1,
        2,
    )  # the line follows the file
    interrupt(replace(SMALL, recipe=replace(SMALL.recipe, epochs=1000)), out, epoch=saved + 1)
    assert [row["epoch"] for row in Run(out).history] == list(range(1, saved + 2))


def test_a_run_without_later_options_resumes(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "old"
    interrupt(SMALL, out, epoch=2)
    config = Run(out).config
    del config["weights"], config["freeze_until"]
    Run(out).write_json("config.json", config)
    resumed = train(SMALL, out)
    pairs = zip(weights(undisturbed), weights(resumed), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


def test_another_configuration_is_refused(undisturbed: Run) -> None:
    with pytest.raises(UsageError, match="epochs 4, not 5"):
        train(replace(SMALL, recipe=replace(SMALL.recipe, epochs=5)), undisturbed.path)
    before = undisturbed.path.stat().st_mtime_ns
    train(SMALL, undisturbed.path)  # finished: nothing to do
    assert undisturbed.path.stat().st_mtime_ns == before


def test_another_schedule_is_refused(undisturbed: Run, tmp_path: Path) -> None:
    cosine = replace(SMALL, recipe=replace(SMALL.recipe, schedule="cosine"))
    with pytest.raises(UsageError, match="schedule step, not cosine"):
        train(cosine, undisturbed.path)
    run = Run(tmp_path)
    run.write_json("config.json", cosine.to_dict())
    with pytest.raises(UsageError, match="schedule cosine, not step"):
        train(SMALL, run.path)


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not a run folder"):
        train(SMALL, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


# Parameters of `zoo.build` itself.
BUILD_PARAMETERS = [p for p in inspect.signature(zoo.build).parameters if p != "options"]


@pytest.mark.parametrize("key", BUILD_PARAMETERS)
def test_a_parameter_of_build_is_not_an_option_of_a_family(key: str, tmp_path: Path) -> None:
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
def test_a_run_resumes_with_options_in_any_spelling(
    network: str, spelled: dict[str, str], other: dict[str, object], tmp_path: Path
) -> None:
    training = Training.of(network, "digits", recipe={}, options=spelled)
    run = Run(tmp_path / "finished")  # by a version that stored options unparsed
    run.write_json("config.json", asdict(training))
    run.write_json("metrics.json", {})
    for options in (spelled, zoo.checked_options(network, spelled)):
        assert train(replace(training, options=options), run.path) == run
    with pytest.raises(UsageError, match="has a training with options"):
        train(replace(training, options=other), run.path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("images") / "digits", count=60)


def from_folder(folder: Path, flip: bool = False, **others: object) -> Training:
    recipe = {"epochs": 4, "batch_size": 16, "learning_rate": 0.02, "flip": flip}
    return Training.of("lenet5", f"folder:{folder}", recipe=recipe, **others)


MIRRORED = "Images are mirrored at random; if they show letters or arrows, use --flip False.\n"


def test_a_network_learns_a_folder_of_images(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = from_folder(folder)
    recipe = replace(training.recipe, crop="vgg_256", lighting=0.1)
    training = replace(training, recipe=recipe)
    run = train(training, tmp_path / "run")
    assert run.classes == NAMES
    assert (run.path / "lighting.json").is_file()
    assert run.preprocessing.channels == 1  # as in the paper
    assert run.preprocessing.height == 32
    assert MIRRORED not in capsys.readouterr().err  # LeNet-5's recipe does not mirror
    assert run.metrics["num_train_images"] == 180 - 36 - 18
    assert run.metrics["test"]["accuracy"] > 0.9
    split = Run.open(run.path).dataset().test
    assert scores(run.predict(split), split.labels) == run.metrics["test"]
    interrupt(training, tmp_path / "interrupted", epoch=2)
    resumed = train(training, tmp_path / "interrupted")
    assert all(np.array_equal(a, b) for a, b in zip(weights(run), weights(resumed), strict=True))


def test_a_folder_that_changed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "digits", count=20)
    training = from_folder(folder, flip=True)
    interrupt(training, tmp_path / "run", epoch=1)
    assert capsys.readouterr().err.count(MIRRORED) == 1
    moved = (folder / "one" / "000.png").rename(tmp_path / "000.png")
    with pytest.raises(Error, match=r"have changed .* \(59 pictures, .*; before: 60 pictures"):
        train(training, tmp_path / "run")
    moved.rename(folder / "one" / "000.png")
    run = train(training, tmp_path / "run")
    (folder / "two" / "new.png").write_bytes((folder / "two" / "000.png").read_bytes())
    with pytest.raises(Error, match=r"\(61 pictures, .*; before: 60 pictures"):
        run.dataset()


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


def test_all_outputs_are_trained_and_the_main_one_is_saved(
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
    metrics = ["accuracy", "loss", "val_accuracy", "val_loss", "images_per_second", "total_loss"]
    assert list(row) == ["epoch", "seconds", "learning_rate", *metrics]
    assert row["val_loss"] == pytest.approx(run.metrics["validation"]["loss"], rel=1e-4)
    assert row["val_accuracy"] == pytest.approx(run.metrics["validation"]["accuracy"])
    # Every output learns: the sum is below that of guessing, and so is the main loss.
    assert row["loss"] < row["total_loss"] < (1 + 0.5 + 0.25) * math.log(10)


def test_losses_are_weighted(headed: Training) -> None:
    model = zoo.build("heads", auxiliary=True)
    compile_model(model, headed.recipe, 10, (1.0, 0.5, 0.25))
    images = np.random.default_rng(0).random((8, 32, 32, 1), np.float32)
    labels = dict.fromkeys(model.output_names, np.arange(8))
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    parts = [found[f"{name}_loss"] for name in model.output_names]
    assert found["loss"] == pytest.approx(parts[0] + 0.5 * parts[1] + 0.25 * parts[2], rel=1e-5)


def test_a_training_with_auxiliary_outputs_and_dropout_resumes_exactly(
    headed: Training, tmp_path: Path
) -> None:
    spelled = [replace(headed, options={"auxiliary": text}) for text in ("true", "True")]
    undisturbed = train(headed, tmp_path / "undisturbed")
    interrupt_at_step(spelled[0], tmp_path / "interrupted", epoch=1, step=3)
    resumed = train(spelled[1], tmp_path / "interrupted")
    assert resumed.config["options"] == {"auxiliary": True}
    for name in ("model.keras", "best.keras", "last.keras"):
        found, expected = (read_weights(run.path / name) for run in (resumed, undisturbed))
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[key][0], expected[key][0]) for key in expected)
    columns = ("loss", "total_loss", "val_loss")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]
