from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from cnn_keras.errors import Error, UsageError
from cnn_keras.weights.import_published import WEIGHTS, WeightFile, _normalization, build, find
from cnn_keras.weights.keras_applications import KERAS
from cnn_keras.weights.publisher import Publisher
from cnn_keras.weights.torchvision import TORCHVISION
from cnn_keras.zoo import checked_options
from tests.fixtures.published_weights import (
    SIDE,
    images_of,
    logits,
    randomize,
    torch_normalization,
    with_tensors,
)


def test_a_state_dict_becomes_its_network(resnet18: keras.Model, resnet18_file: Path) -> None:
    """Equality with torchvision itself is tested with torch: `test_backends.py`."""
    row = find("resnet18", resnet18_file)
    ours = build(WeightFile(resnet18_file, row), SIDE)
    assert ours.output_shape == (None, 3)
    images = images_of("resnet18")
    np.testing.assert_array_equal(logits(ours, images), logits(resnet18, images))


def test_bfloat16_is_read_exactly(
    resnet18: keras.Model, resnet18_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "DataParallel.SafeTensors"
    tensors = load_file(resnet18_file)
    save_file({f"module.{name}": tensors[name].astype("bfloat16") for name in tensors}, path)
    ours = build(WeightFile(path, find("resnet18", path)), SIDE)
    for layer in ours.layers:
        for found, exact in zip(
            layer.get_weights(), resnet18.get_layer(layer.name).get_weights(), strict=True
        ):
            np.testing.assert_array_equal(found, exact.astype("bfloat16").astype(np.float32))


def test_biases_and_epsilons_are_folded_in() -> None:
    """`vgg11_bn` has convolutions with a bias, `googlenet` another epsilon."""
    for name, epsilon in (("vgg11_bn", 1e-5), ("googlenet", 1e-3)):
        assert find(name, Path("x.pth")).epsilon == epsilon
    image = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(4, 3, name="conv1_1")(image)
    x = keras.layers.BatchNormalization(epsilon=1e-3, name="conv1_1_bn")(x)
    theirs = randomize(keras.Model(image, x))
    _, bias = theirs.layers[1].get_weights()
    row = find("vgg11_bn", Path("x.pth"))
    tensors = torch_normalization("features.1", theirs.layers[2].get_weights())
    tensors["features.0.bias"] = bias
    file = with_tensors(row._replace(epsilon=1e-3), tensors)
    ours = keras.layers.BatchNormalization(epsilon=1e-5, name="conv1_1_bn")
    convolved = keras.layers.Conv2D(4, 3, use_bias=False)
    model = keras.Model(image, ours(convolved(image)))
    convolved.set_weights(theirs.layers[1].get_weights()[:1])
    ours.set_weights(_normalization(file, ours))
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 2)).astype(np.float32)
    np.testing.assert_allclose(model(images), theirs(images), rtol=1e-5, atol=1e-6)


def test_every_name_of_a_publisher_is_unique() -> None:
    names = [(row.publisher.name, row.name) for row in WEIGHTS]
    assert len(set(names)) == len(names) == 20
    for row in WEIGHTS:
        assert checked_options(row.network, row.options) == dict(row.options)


def test_another_network_with_the_same_names_is_refused(resnet18_file: Path) -> None:
    file = with_tensors(find("resnet50", resnet18_file), load_file(resnet18_file))
    with pytest.raises(Error, match="that of torchvision's resnet50"):
        build(file, SIDE)


def test_a_name_is_spelled_as_the_publisher_does() -> None:
    with pytest.raises(UsageError, match="Did you mean 'vgg16_bn'"):
        find("vgg16-bn", Path("x.pth"))


@pytest.mark.parametrize(
    ("file", "publisher"),
    [
        ("r50.PTH", TORCHVISION),
        ("r50.Pt", TORCHVISION),
        ("r50.ckpt", TORCHVISION),
        ("model_best.pth.tar", TORCHVISION),
        ("r50.SafeTensors", TORCHVISION),
        ("R50.WEIGHTS.H5", KERAS),
        ("r50.hdf5", KERAS),
        ("r50.HDF5", KERAS),
        ("r50.Keras", KERAS),
    ],
)
def test_the_suffix_decides_the_publisher_in_any_case(file: str, publisher: Publisher) -> None:
    assert find("resnet50", Path(file)).publisher is publisher
