"""Export of published weights, evaluated on photographs without labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import cnn_keras
import export
from cnn_keras.weights import published
from export.cli import main
from export.recipes import RECIPES
from export.tflite import metadata
from tests.fixtures.published_weights import (
    SIDE,
    images_of,
    logits,
    randomize,
    resnet18_as_torchvision,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ResNet-18 of five classes, whose logits are some units apart, as torchvision's file."""
    model = randomize(cnn_keras.build("resnet18", (SIDE, SIDE, 3), 5))
    kernel, bias = model.get_layer("logits").get_weights()
    scale = np.abs(logits(model, images_of("resnet18"))).max() / 4
    model.get_layer("logits").set_weights([kernel / scale, bias / scale])
    folder: Path = tmp_path_factory.mktemp("imported")
    save_file(resnet18_as_torchvision(model), folder / "mine.safetensors")
    published.import_weights(
        "resnet18", folder / "mine.safetensors", folder / "r18", image_size=SIDE
    )
    return folder / "r18"


def test_an_imported_run_is_exported_verified_and_measured(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("float32", "float16", "static_wi8_ai8")
    main(["export", str(run), "--out", str(tmp_path), "--recipes", *names])
    said = " ".join(capsys.readouterr().out.split())
    assert "100 validation images of photographs, without labels" in said
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


def test_without_labels_agreement_decides(trained) -> None:
    """Twelve of 100 predictions changed: without accuracy, agreement refuses the file."""
    recipe = RECIPES["static_wi8_ai8"]
    images = trained.images[:100]
    reference = trained.reference[:100].copy()
    sound = export.verify(trained.float32, reference, images, None, recipe)
    assert (sound.accepted, sound.top1_float, sound.drop_points) == (True, None, None)
    reference[:12] = np.roll(reference[:12], 1, axis=1)
    verdict = export.verify(trained.float32, reference, images, None, recipe)
    assert verdict.reasons == (
        "agrees with the Keras model on 88.00% of the images; static_wi8_ai8 has to on 95.0%",
    )
