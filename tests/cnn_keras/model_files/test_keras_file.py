from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from cnn_keras.errors import Error
from cnn_keras.model_files.keras_file import import_custom_objects, load_model, save_model


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
def test_an_error_names_the_layer_and_the_cause(
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
def test_a_file_of_another_format_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"text{suffix}"
    path.write_bytes(b"hello")
    with pytest.raises(Error, match="it is neither a zip archive"):
        load_model(path)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("TrueDivide", lambda x: x / 2),
        ("Subtract", lambda x: x - 1),  # also a layer
        ("Relu6", keras.ops.relu6),
        ("GetItem", lambda x: x[..., ::-1]),
    ],
)
def test_operations_that_hdf5_does_not_restore_are_named(
    name: str, function: Callable[[Any], Any], tmp_path: Path
) -> None:
    path = tmp_path / "a.h5"
    image = layers.Input((4, 4, 3))
    inner = keras.Model(image, function(image))
    x = layers.Subtract()([image, inner(image)])
    keras.Model(image, layers.Dense(3)(layers.Flatten()(x))).save(path)
    with pytest.raises(Error, match=rf"has {name}, an operation .* save the model as \.keras\.$"):
        load_model(path)


def test_a_saved_model_is_complete_or_absent(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    save_model(model, tmp_path / "a.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["a.keras"]
    assert load_model(tmp_path / "a.keras").output_shape == (None, 1)
    with pytest.raises(OSError, match=r"missing/a\.keras"):
        save_model(model, tmp_path / "missing" / "a.keras")


def test_a_module_with_custom_objects_is_imported_from_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_layers.py").write_text("def own(x):\n    return x\n")
    with keras.saving.custom_object_scope({}):
        import_custom_objects("own_layers")
        assert keras.saving.get_registered_object("own", keras.saving.get_custom_objects())
    with pytest.raises(Error, match="The module missing_layers, which the model needs"):
        import_custom_objects("missing_layers")
