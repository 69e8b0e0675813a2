from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from safetensors.numpy import load_file, save_file

from cnn_keras.data import photographs
from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main
from tests.fixtures.published_weights import SIDE, logits


def write_images(folder: Path, names: tuple[str, ...]) -> Path:
    """Write five images for each class."""
    for seed, name in enumerate(names):
        (folder / name).mkdir(parents=True)
        for index, crop in enumerate(photographs.crops((80, 80, 3), 5, 0, seed)):
            Image.fromarray(crop).save(folder / name / f"{index}.png")
    return folder


def test_the_run_folder_is_like_a_trained_one(
    resnet18: keras.Model,
    resnet18_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("palace\nflower\nboat\n")
    folder = write_images(
        tmp_path / "pictures", ("flower", "palace")
    )  # in another order, and one is missing
    out = tmp_path / "runs" / "mine"
    command = ("import-weights", "resnet18", resnet18_file, "--out", out, "--image-size", SIDE)
    given = ("--labels", labels, "--data", f"folder:{folder}")
    code, stdout, _ = run_main(capsys, *command, *given, "--json")
    assert code == 0
    document = json.loads(stdout)
    assert document["imported"]["publisher"] == "torchvision"
    assert set(document["guesses"]) == {"china.jpg", "flower.jpg"}
    names = {path.name for path in out.iterdir()}
    assert names == {"model.keras", "config.json", "preprocessing.json", "labels.txt"}
    assert [path.name for path in out.parent.iterdir()] == ["mine"]

    run = Run.open(out)
    assert run.classes == ("palace", "flower", "boat")
    assert len(run.config["imported"]["sha256"]) == 64
    dataset = run.dataset()
    assert dataset.labeled
    assert set(dataset.train.labels) == {0, 1}
    expected = np.exp(logits(resnet18, run.preprocessing(dataset.test.read())))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(run.predict(dataset.test.read()), expected, atol=1e-5)

    code, stdout, _ = run_main(capsys, "evaluate", out)
    assert code == 0
    assert "palace" in stdout
    assert "boat" not in stdout  # no image is of this class
    image = next(folder.rglob("*.png"))
    code, stdout, _ = run_main(capsys, "predict", out, image, "--top", "3", "--json")
    guessed = [guess["label"] for guess in json.loads(stdout)[0]["top"]]
    assert (code, set(guessed)) == (0, set(run.classes))
    assert run_main(capsys, *command)[0] == 2  # the folder is not empty


def test_without_labels_nothing_is_evaluated(
    resnet18_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    command = ("import-weights", "resnet18", resnet18_file, "--out", out, "--image-size", SIDE)
    code, stdout, _ = run_main(capsys, *command)
    assert code == 0
    assert "resnet18 and the weights of torchvision, 3 classes" in stdout
    run = Run.open(out)
    assert run.classes == ("0", "1", "2")
    dataset = run.dataset()
    assert (dataset.labeled, dataset.classes) == (False, ())
    sizes = [len(split.images) for split in (dataset.train, dataset.validation, dataset.test)]
    assert sizes == [200, 100, 100]
    code, stdout, err = run_main(capsys, "evaluate", out)
    assert (code, stdout, err.count("\n")) == (2, "", 1)
    assert "have no labels" in err
    training = ("train", "resnet18", "--data", "photographs", "--out", tmp_path / "trained")
    assert run_main(capsys, *training)[0] == 2


@pytest.fixture(scope="module")
def folder(resnet18_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bad files, beside a good one."""
    folder: Path = tmp_path_factory.mktemp("bad")
    key = "layer2.0.conv1.weight"
    tensors = load_file(resnet18_file)
    whole = tensors[key]
    nan = whole.copy()
    nan[3, 1, 2, 0] = np.nan

    def write(name: str, **changes: NDArray[Any]) -> None:
        save_file(tensors | changes, folder / f"{name}.safetensors")

    write("good")
    write("nan", **{key: nan})
    write("shape", **{key: whole[:, :, :2]})
    write("more", **{"layer5.0.conv1.weight": whole})
    write("constant", **{"fc.weight": np.zeros((3, 512), np.float32)})
    save_file({k: v for k, v in tensors.items() if k != key}, folder / "missing.safetensors")
    content = resnet18_file.read_bytes()
    (folder / "cut.safetensors").write_bytes(content[: len(content) // 2])
    for suffix in ("safetensors", "pth", "h5", "keras", "txt"):
        (folder / f"text.{suffix}").write_text("no weights at all")
    with h5py.File(folder / "cut.h5", "w") as file:
        file["x"] = np.zeros(10_000)
    (folder / "cut.h5").write_bytes((folder / "cut.h5").read_bytes()[:5000])
    (folder / "labels.txt").write_text("a\nb\n")
    (folder / "full").mkdir()
    (folder / "full" / "x").touch()
    write_images(folder / "pictures", ("1", "cat"))
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            "resnet51 {}/good.safetensors",
            2,
            "Unknown network of torchvision 'resnet51'. Did you mean 'resnet50'",
        ),
        ("alexnet {}/text.h5", 2, "Unknown network of keras.applications 'alexnet'"),
        (
            "resnet18 {}/text.txt",
            2,
            "ends with none of .h5, .hdf5, .keras (keras.app",
        ),
        ("resnet18 {}/none.pth", 1, "No such weights: {}/none.pth"),
        ("resnet18 {}/text.safetensors", 1, "text.safetensors cannot be read as safetensors"),
        ("resnet18 {}/cut.safetensors", 1, "cut.safetensors cannot be read as safetensors"),
        ("resnet18 {}/text.pth", 1, "text.pth cannot be read as a state dict of torch"),
        ("resnet50 {}/text.h5", 1, "text.h5 cannot be read as a file of Keras"),
        ("resnet50 {}/text.keras", 1, "text.keras cannot be read as a file of Keras"),
        ("resnet50 {}/cut.h5", 1, "cut.h5 cannot be read as a file of Keras"),
        (
            "resnet34 {}/good.safetensors",
            1,
            "has no tensor 'layer1.2.conv1.weight', which torchvision's",
        ),
        (
            "vgg16 {}/good.safetensors",
            1,
            "has no tensor 'classifier.6.bias', which torchvision's vgg16 has",
        ),
        ("resnet18 {}/missing.safetensors", 1, "has no tensor 'layer2.0.conv1.weight'"),
        ("resnet18 {}/more.safetensors", 1, "has a tensor 'layer5.0.conv1.weight', which"),
        (
            "resnet18 {}/shape.safetensors",
            1,
            "'layer2.0.conv1.weight' of {}/shape.safetensors is 128×64×2×3, that of torchvision's "
            "resnet18 128×64×3×3.",
        ),
        ("resnet18 {}/nan.safetensors", 1, "'layer2.0.conv1.weight' of {}/nan.safetensors has NaN"),
        ("resnet18 {}/constant.safetensors", 1, "gives the same scores for china.jpg and flower"),
        (
            "resnet18 {}/good.safetensors --labels {}/labels.txt",
            2,
            "has 2 labels, and the network has 3",
        ),
        (
            "resnet18 {}/good.safetensors --labels {}/none.txt",
            1,
            "none.txt cannot be read as labels",
        ),
        (
            "resnet18 {}/good.safetensors --data folder:{}/pictures",
            1,
            "The class 'cat' of pictures is not one of",
        ),
        ("resnet18 {}/good.safetensors --data nothing", 2, "Unknown data set 'nothing'"),
        ("resnet18 {}/good.safetensors --out {}/full", 2, "full exists and is not empty"),
        ("resnet18 {}/good.safetensors --image-size 0", 2, "An input shape is"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    arguments: str, code: int, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    if "--out" not in arguments:
        arguments += " --out {}/new/run"
    if "--image-size" not in arguments:
        arguments += f" --image-size {SIDE}"
    command = arguments.replace("{}", str(folder)).split()
    found, out, err = run_main(capsys, "import-weights", *command)
    assert (found, out) == (code, "")
    *progress, last = err.splitlines()
    assert message.replace("{}", str(folder)) in last
    assert all("pictures" in line for line in progress)
    assert sorted(folder.rglob("*")) == before
