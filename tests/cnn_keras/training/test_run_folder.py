from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error
from cnn_keras.training.run_folder import Run, load_model, predict


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What the archive of a small `.keras` file holds, by name."""
    image = layers.Input((6, 6, 1))
    x = layers.Conv2D(2, 3, name="first")(image)
    inner = keras.Sequential([layers.Input((4, 4, 2)), layers.DepthwiseConv2D(3, name="deep")])
    model = keras.Model(image, layers.Dense(3, name="last")(layers.Flatten()(inner(x))))
    path = tmp_path_factory.mktemp("models") / "whole.keras"
    model.save(path)
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.filterwarnings("ignore:Skipping nested container:UserWarning")  # Keras, on its way
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('"filters": 2', '"filters": -2', "layer 'first' (Conv2D): Invalid value"),
        (
            '"filters": 2',
            '"filters": 2, "fitlers": 2',
            "layer 'first' (Conv2D): Unrecognized keyword",
        ),
        ('"filters": 2, ', "", "layer 'first' (Conv2D): Conv2D.__init__() missing 1 required"),
        ('"depth_multiplier": 1', '"depth_multiplier": 0', "layer 'deep' (DepthwiseConv2D): "),
        ('"activation": "linear"', '"activation": "swoosh"', "identifier: swoosh"),
        ('"units": 3', '"units": 4', "layer 'last' (Dense): "),
    ],
    ids=["value", "keyword", "missing", "nested", "activation", "weights"],
)
def test_what_keras_cannot_load_is_said_by_layer_and_cause(
    old: str, new: str, expected: str, parts: dict[str, bytes], tmp_path: Path
) -> None:
    config = parts["config.json"].decode()
    assert old in config
    path = tmp_path / "changed.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (parts | {"config.json": config.replace(old, new).encode()}).items():
            archive.writestr(name, content)
    with pytest.raises(Error) as caught:
        load_model(path)
    message, details = str(caught.value), caught.value.details
    assert expected in message
    assert "\n" not in message
    assert len(message) < 500 < len(details)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_is_no_model_file_at_all_is_said_so(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(b"hello")
    with pytest.raises(Error, match="it is neither a zip archive"):
        load_model(path)


def test_files_that_an_editor_has_marked_as_utf_8_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("größe\n模型\n", encoding="utf-8-sig")
    (tmp_path / "config.json").write_text('{"network": "größe"}', encoding="utf-8-sig")
    run = Run(tmp_path)
    assert run.classes == ("größe", "模型")
    assert run.config == {"network": "größe"}


def only_single_images(x: Any) -> Any:
    if x.shape[0] is not None and x.shape[0] > 1:
        raise ValueError("One image,\nplease.")
    return x


def never(x: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.assert_less(x, -1e9, "Too bright.")]):
        return tf.identity(x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (only_single_images, "Own: One image, please."),
        (never, "/own_1/assert_less/Assert/AssertGuard/Assert: assertion failed: [Too bright.]"),
    ],
    ids=["traced", "computed"],
)
def test_what_a_layer_raises_is_one_line(function: Callable[[Any], Any], expected: str) -> None:
    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            return function(x)

    own, last = Own(name="own"), layers.Dense(3)
    model = keras.Sequential([layers.Input((4, 4, 1)), own, layers.Flatten(), last], name="mine")
    pixels = np.zeros((2, 4, 4, 1), np.uint8)
    with pytest.raises(Error, match="Model 'mine' does not run on 2 images: ") as caught:
        predict(model, Preprocessing(4, 4, 1, (0.0,), (1.0,)), pixels)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Traceback" in caught.value.details


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("TrueDivide", lambda x: x / 2),
        ("Subtract", lambda x: x - 1),  # also a layer
        ("Relu6", keras.ops.relu6),
        ("GetItem", lambda x: x[..., ::-1]),
    ],
)
def test_operations_that_hdf5_does_not_bring_back_are_named(
    name: str, function: Callable[[Any], Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    image = layers.Input((4, 4, 3))
    inner = keras.Model(image, function(image))
    x = layers.Subtract()([image, inner(image)])
    keras.Model(image, layers.Dense(3)(layers.Flatten()(x))).save(path)
    with pytest.raises(Error, match=rf"has {name}, an operation .* save the model as \.keras\.$"):
        load_model(path)
