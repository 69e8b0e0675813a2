"""Commands on external models and on runs with published weights."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import cnn_keras
from cnn_keras.training.run_folder import Run
from cnn_keras.weights import import_published
from export.cli import main
from export.tflite import metadata
from tests.fixtures.command_line import run_main
from tests.fixtures.external_models import digits, rgb, saved
from tests.fixtures.published_weights import (
    images_of,
    logits,
    randomize,
    resnet18_as_torchvision,
)

OPTIONS = ("--data", "digits", "--json")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds a `.keras` file and a SavedModel of one network."""
    folder: Path = tmp_path_factory.mktemp("elsewhere")
    saved(digits(), folder / "mine.keras")
    digits().export(folder / "saved", verbose=False)
    digits().save_weights(folder / "mine.weights.h5")
    for name in ("r18.pth", "best.PTH.TAR", "r18.safetensors", "file.tflite", "File.TFLite"):
        (folder / name).touch()
    for name in ("network.onnx", "model.json"):
        (folder / name).touch()
    return folder


def test_a_file_is_exported_and_every_command_takes_it(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipes = ("--recipes", "float32", "static_wi8_ai8")
    command = ("export", folder / "mine.keras", "--out", tmp_path, *OPTIONS, *recipes)
    code, out, _ = run_main(capsys, *command)
    document = json.loads(out)
    assert code == 0
    assert (document["run"], document["network"], document["data"]) == ("mine", "mine", "digits")
    for row in document["files"]:
        assert row["audit"]["partitions"] == 1
        assert row["top1_file"] > 0.9
    exact, integer = (tmp_path / row["file"] for row in document["files"])
    about = metadata.read(exact.read_bytes())
    assert about is not None
    assert about.description == "mine from mine.keras"
    assert about.labels == tuple("0123456789")

    # A folder of the run's name is where the command is given; the file's own is meant.
    monkeypatch.chdir(tmp_path)
    shutil.copytree(folder / "saved", tmp_path / "elsewhere" / "mine")
    monkeypatch.chdir(tmp_path / "elsewhere")
    code, out, _ = run_main(capsys, "verify", integer, "--layers", "--json")
    assert code == 0
    assert "scores" in {layer["layer"] for layer in json.loads(out)["layers"]}
    quick = ("--num-runs", "3", "--min-secs", "0", "--warmup-secs", "0", "--json")
    code, _, err = run_main(capsys, "benchmark", exact, *quick)
    assert (code, "noise" in err) == (0, False)
    run = tmp_path / "mine"
    code, out, _ = run_main(capsys, "evaluate", run, "--json")
    assert (code, json.loads(out)["accuracy"] > 0.9) == (0, True)
    code, out, _ = run_main(capsys, "export", run, "--out", tmp_path / "b", *recipes, "--json")
    hashes = [[row["sha256"] for row in d["files"]] for d in (document, json.loads(out))]
    assert hashes[0] == hashes[1]


def test_a_saved_model_is_exported(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("export", folder / "saved", "--out", tmp_path, *OPTIONS)
    options = ("--pixel-range", "0", "255", "--recipes")
    code, out, _ = run_main(capsys, *command, *options, "float32", "static_wi8_ai8")
    document = json.loads(out)
    assert code == 0, document
    for row in document["files"]:
        assert row["audit"]["partitions"] == 1
        assert row["audit"]["ops"]["SOFTMAX"] == 1
        assert row["top1_file"] > 0.9
    code, _, _ = run_main(capsys, "verify", tmp_path / document["files"][1]["file"], "--layers")
    assert code == 0
    code, _, err = run_main(capsys, *command, *options, "aware_wi8_ai8")
    assert (code, err.count("\n")) == (2, 1)
    assert "the layers of a SavedModel are unknown" in err


def test_the_files_keep_the_models_name(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = Path(shutil.copytree(folder / "saved", tmp_path / "größe"))
    options = ("--pixel-range", "0", "255", "--recipes", "float32")
    command = ("export", source, "--out", tmp_path / "files", *OPTIONS, *options)
    code, out, _ = run_main(capsys, *command)
    (row,) = json.loads(out)["files"]
    assert (code, row["file"], json.loads(out)["run"]) == (0, "größe_float32.tflite", "größe")


def test_remarks_on_a_model_are_stored_beside_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tags = saved(rgb(3, "sigmoid"), tmp_path / "tags.keras")
    options = ("--data", "photographs", "--pixel-range", "0", "1", "--recipes", "float32")
    for source in (tags, tmp_path / "out" / "tags"):  # the run folder keeps it
        given = options if source == tags else options[-2:]
        code, out, _ = run_main(capsys, "export", source, "--out", tmp_path / "out", *given)
        remarks = json.loads((tmp_path / "out" / "export.json").read_text())["remarks"]
        assert code == 0
        assert any("independent of each other" in remark for remark in remarks)
        assert "independent of each other" in " ".join(out.split())


@pytest.mark.slow  # half a minute: TensorFlow's toolkit wraps every layer
def test_an_external_network_is_trained_further(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tuned = ("--recipes", "aware_wi8_ai8", "--tuning-epochs", "1")
    code, out, _ = run_main(
        capsys, "export", folder / "mine.keras", "--out", tmp_path, *OPTIONS, *tuned
    )
    (row,) = json.loads(out)["files"]
    assert code == 0, row["reasons"]
    assert row["audit"]["recipe"] == "static_wi8_ai8"
    assert (tmp_path / "mine/tuned/aware.keras").is_file()
    asked = json.loads((tmp_path / "mine/tuned/aware.json").read_text())["asked"]
    assert (asked["flip"], asked["recipe"]["flip"]) == (False, False)
    file = saved(rgb(), tmp_path / "rgb.keras")
    options = ("--data", "photographs", "--pixel-range", "0", "1")
    code, _, err = run_main(capsys, "export", file, "--out", tmp_path, *options, *tuned)
    assert (code, err.splitlines()[-1].count("photographs have no labels")) == (2, 1)


@pytest.fixture(scope="module")
def imported_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18 of five classes, whose logits are some units apart, as torchvision's file."""
    model = randomize(cnn_keras.build("resnet18", (32, 32, 3), 5))
    kernel, bias = model.get_layer("logits").get_weights()
    scale = np.abs(logits(model, images_of("resnet18", 32))).max() / 4
    model.get_layer("logits").set_weights([kernel / scale, bias / scale])
    folder: Path = tmp_path_factory.mktemp("imported")
    save_file(resnet18_as_torchvision(model), folder / "mine.safetensors")
    import_published.import_weights(
        "resnet18", folder / "mine.safetensors", folder / "r18", image_size=32
    )
    return folder / "r18"


def test_an_imported_run_is_exported_verified_and_measured(
    imported_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("float32", "float16", "static_wi8_ai8")
    main(["export", str(imported_run), "--out", str(tmp_path), "--recipes", *names])
    output = " ".join(capsys.readouterr().out.split())
    assert "100 validation images of photographs, without labels" in output
    document = json.loads((tmp_path / "export.json").read_text())
    assert (document["data"], document["labeled"], document["num_images"]) == (
        "photographs",
        False,
        100,
    )
    assert document["calibration"]["num_images"] == 200
    assert [row["recipe"] for row in document["files"]] == list(names)
    for row in document["files"]:
        assert (row["top1_float"], row["top1_file"], row["drop_points"]) == (None, None, None)
        assert row["audit"]["partitions"] == 1
    for row in document["files"][:2]:  # the integer file of an untrained network is no measure
        assert row["accepted"], row["reasons"]

    path = tmp_path / "r18_float16.tflite"
    about = metadata.read(path.read_bytes())
    assert about is not None
    assert about.labels == ("0", "1", "2", "3", "4")
    assert about.description == "resnet18 with the weights mine.safetensors of torchvision"
    assert about.preprocessing is not None
    assert about.preprocessing["mean"] == [123.675, 116.28, 103.53]

    assert main(["verify", str(path), "--split", "test", "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)
    assert (verdict["labeled"], verdict["top1_file"], verdict["num_images"]) == (False, None, 100)
    quick = ("--num-runs", "3", "--min-secs", "0", "--warmup-secs", "0", "--json")
    assert main(["benchmark", str(path), *quick]) == 0
    assert "noise" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("{}/mine.keras --out {out}", 2, "is evaluated on with --data: digits, fashion_mnist"),
        ("{}/mine.keras --data digit --out {out}", 2, "Did you mean 'digits'?"),
        ("{}/mine.keras --data digits", 2, "Name a folder for the files with --out"),
        ("{}/none.keras --data digits --out {out}", 1, "No such model"),
        ("{}/mine.keras --data digits --labels none.txt --out {out}", 1, "No such file: none.txt"),
        ("{}/mine.keras --data digits --weights {}/mine.keras --out {out}", 2, "has weights"),
        ("{}/mine.keras --data digits --pixel-range 1 0 --out {out}", 2, "the value of black"),
        ("{}/mine.keras --data digits --image-size 0 --out {out}", 2, "must be above 0"),
        (
            "{}/mine.keras --data digits --pixel-range 0 1 --preprocessing tf --out {out}",
            2,
            "not both",
        ),
        ("{}/mine.keras --data digits --preprocessing tf --out {out}", 2, "takes gray images"),
        ("{}/saved --data digits --out {out}", 2, "The pixel range that"),
        ("{}/saved --run {run} --out {out}", 2, "--run is for a .keras file"),
        ("{run} --data digits --out {out}", 2, "--data is for an external model"),
        ("lenet --out {out}", 2, "Unknown run folder, model or network of keras.applications"),
        ("ResNet51 --out {out}", 2, "Did you mean 'ResNet50'?"),
        ("{}/r18.pth --out {out}", 2, "import-weights makes a run folder of torchvision's"),
        ("{}/best.PTH.TAR --out {out}", 2, "import-weights makes a run folder of torchvision's"),
        ("{}/r18.safetensors --out {out}", 2, "import-weights makes a run folder"),
        ("{}/file.tflite --out {out}", 2, "verify, audit and benchmark take .tflite files."),
        ("{}/File.TFLite --run {run} --out {out}", 2, "benchmark take .tflite files."),
        ("{}/network.onnx --out {out}", 2, "does not take {}/network.onnx, but a run folder, a "),
        ("{}/model.json --out {out}", 2, "or a name of keras.applications."),
        ("{}/saved/saved_model.pb --out {out}", 2, "of a SavedModel, give the folder."),
        ("{}/mine.weights.h5 --data digits --out {out}", 2, "save that as .keras."),
        ("none/r18.pth --out {out}", 2, "import-weights makes a run folder of torchvision's"),
        ("none/run --out {out}", 1, "No such run folder: none/run."),
    ],
)
def test_missing_options_are_reported_in_one_line(
    arguments: str,
    code: int,
    message: str,
    folder: Path,
    tmp_path: Path,
    lenet_run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled = arguments.replace("{run}", str(lenet_run.path)).replace("{out}", str(tmp_path / "out"))
    found, out, err = run_main(capsys, "export", *filled.replace("{}", str(folder)).split())
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message.replace("{}", str(folder)) in err
    assert list(tmp_path.iterdir()) == []
