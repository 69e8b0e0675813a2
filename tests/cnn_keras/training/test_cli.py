from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from cnn_keras import cli
from cnn_keras.training.run_folder import Run
from tests.fixtures import FIXTURES
from tests.fixtures.command_line import run_main


def test_train_evaluate_predict(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out_folder = tmp_path / "run"
    arguments = ("train", "lenet5", "--data", "digits", "--out", out_folder, "--epochs", "2")
    code, out, err = run_main(capsys, *arguments, "--train-images", "640", "--json")
    assert code == 0
    assert json.loads(out)["num_train_images"] == 640
    assert "epoch 2/2" in err
    assert Run.open(out_folder).config["recipe"]["epochs"] == 2
    code, out, _ = run_main(capsys, "evaluate", out_folder, "--split", "validation", "--json")
    document = json.loads(out)
    assert document["accuracy"] == pytest.approx(Run(out_folder).metrics["validation"]["accuracy"])
    assert sum(map(sum, document["confusion_matrix"])) == document["num_images"] == 180
    matrix = document["confusion_matrix"]
    assert document["recall"] == [row[i] / sum(row) for i, row in enumerate(matrix)]
    assert document["balanced_accuracy"] == pytest.approx(np.mean(document["recall"]))
    code, out, _ = run_main(capsys, "evaluate", out_folder, "--split", "validation")
    row = ["balanced", "180", f"{document['balanced_accuracy']:.4f}"]
    assert row in [line.split() for line in out.splitlines()]


def test_checkpoints_are_some_steps_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    arguments = ("train", "lenet5", "--data", "digits", "--out", tmp_path / "run")
    code, _, err = run_main(capsys, *arguments, "--save-every", "0")
    assert (code, err) == (2, "cnn-keras: --save-every must be 1 or more, not 0.\n")
    assert not (tmp_path / "run").exists()


def test_evaluate_takes_crops(lenet_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "evaluate", lenet_run.path, "--crops", "1", "--json")
    document = json.loads(out)
    assert (code, document["crops"], document["num_images"]) == (0, 1, 360)
    # The border of the digits, which is cut off, is black.
    assert document["accuracy"] > 0.9
    assert document["loss"] != pytest.approx(lenet_run.metrics["test"]["loss"], rel=1e-3)
    code, out, err = run_main(capsys, "evaluate", lenet_run.path, "--crops", "10")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "mirrored, which changes classes of digits: use --crops 1" in err


def test_predict_names_the_digit(
    lenet_run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    split = lenet_run.dataset().test
    right = 0
    for digit in range(10):
        index = int(np.flatnonzero(split.labels == digit)[0])
        image = Image.fromarray(split.images[index, ..., 0]).resize((200, 200))
        image.convert("RGBA").save(tmp_path / f"{digit}.png")
    paths = [tmp_path / f"{digit}.png" for digit in range(10)]
    code, out, _ = run_main(capsys, "predict", lenet_run.path, *paths, "--json", "--top", "2")
    assert code == 0
    answers = json.loads(out)
    right = sum(answer["top"][0]["label"] == Path(answer["image"]).stem for answer in answers)
    assert right >= 9
    assert all(len(answer["top"]) == 2 for answer in answers)


def test_predict_warns_of_a_digit_on_paper(
    lenet_run: Run, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Image.open(FIXTURES / "images" / "digit_3.png") as image:
        ImageOps.invert(image.convert("L")).save(tmp_path / "paper.png")
    for options, label, warned in (((), None, True), (("--invert",), "3", False)):
        arguments = ("predict", lenet_run.path, tmp_path / "paper.png", *options, "--json")
        code, out, err = run_main(capsys, *arguments)
        (answer,) = json.loads(out)
        assert (code, answer["looks_inverted"], err.count("\n")) == (0, warned, int(warned))
        assert label in (None, answer["top"][0]["label"])
        assert not warned or "paper.png looks inverted" in err


def test_predict_of_this_package_takes_no_file(capsys: pytest.CaptureFixture[str]) -> None:
    image = FIXTURES / "images" / "digit_3.png"
    assert cli.main(argv=["predict", "lenet5.tflite", str(image)]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "lenet5.tflite is a TFLite file: use `cnn-keras predict`" in err


def test_train_logs_for_tensorboard(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    small = ("--epochs", "1", "--train-images", "320", "--tensorboard")
    assert run_main(capsys, "train", "lenet5", "--data", "digits", "--out", out, *small)[0] == 0
    assert list((out / "tensorboard").rglob("events.out.tfevents.*"))
