from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

import cnn_keras
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.weights.import_published import WeightFile, build, find
from cnn_keras.weights.torchvision import TORCHVISION
from tests.fixtures.published_weights import SIDE, logits, pixels, randomize, torch_kernel

# As they begin and end in torchvision's files of two families.
NAMES = ("conv1.weight", "layer1.0.bn1.running_mean", "fc.bias")


VGG_NAMES = ("features.0.weight", "features.1.running_var", "classifier.6.bias")


@pytest.mark.parametrize("names", [NAMES, VGG_NAMES])
@pytest.mark.parametrize(
    "wrapped",
    [
        "{}",
        "module.{}",
        "_orig_mod.{}",
        "module._orig_mod.{}",
        "_orig_mod.module.{}",
        "module.module.{}",
        "model.{}",
        "model.net.module._orig_mod.{}",
    ],
)
def test_prefixes_of_wrappers_are_removed(
    wrapped: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "wrapped.safetensors"
    save_file({wrapped.format(name): np.zeros(1, np.float32) for name in names}, path)
    assert set(TORCHVISION.read(path)) == set(names)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # Only a part was compiled; torch's AveragedModel counts what it averaged.
        (("fc.bias", "layer1._orig_mod.0.bn1.bias"), {"fc.bias", "layer1.0.bn1.bias"}),
        (("n_averaged", *(f"module.{name}" for name in NAMES)), set(NAMES)),
        # Two networks, or one network with a part of that name.
        (("module.conv1.weight", "teacher.conv1.weight"), None),
        (("module.conv1.weight", "fc.bias"), None),
        (("weight", "bias"), None),
    ],
)
def test_other_prefixes_are_kept(
    names: tuple[str, ...], expected: set[str] | None, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.safetensors"
    save_file({name: np.zeros(1, np.float32) for name in names}, path)
    assert set(TORCHVISION.read(path)) == (expected or set(names))


def test_torch_flattens_channel_by_channel(tmp_path: Path) -> None:
    """AlexNet on 99×99 flattens maps of 2×2, so that the order of its sums tells."""
    side = 99
    model = randomize(cnn_keras.build("alexnet", (side, side, 3), 2, form="2014"))
    places = {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10}
    names = {layer: f"features.{place}" for layer, place in places.items()}
    names |= {"fc6": "classifier.1", "fc7": "classifier.4", "logits": "classifier.6"}
    tensors = {}
    for ours, theirs in names.items():
        kernel, bias = model.get_layer(ours).get_weights()
        if ours == "fc6":
            kernel = kernel.reshape(2, 2, 256, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        tensors |= {f"{theirs}.weight": torch_kernel(kernel), f"{theirs}.bias": bias}
    path = tmp_path / "alexnet.safetensors"
    save_file(tensors, path)
    ours = build(WeightFile(path, find("alexnet", path)), side)
    images = pixels(side).astype(np.float32) / 255
    np.testing.assert_array_equal(logits(ours, images), logits(model, images))


def test_the_published_googlenet_takes_pixels_from_minus_one_to_one() -> None:
    """As `transform_input` of torchvision makes them of what its transforms normalized."""
    row = find("googlenet", Path("googlenet-1378be20.pth"))
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    normalized = (pixels() / 255 - mean) / std
    transformed = normalized * (std / 0.5) + (mean - 0.5) / 0.5
    ours = Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())
    np.testing.assert_allclose(ours, transformed, atol=1e-6)


def test_the_other_networks_take_what_torchvisions_transforms_give() -> None:
    row = find("resnet18", Path("resnet18-f37072fd.pth"))
    normalized = (pixels() / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    ours = Preprocessing(SIDE, SIDE, 3, row.mean, row.std)(pixels())
    np.testing.assert_allclose(ours, normalized, atol=1e-6)
