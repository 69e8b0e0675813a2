from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.applications import imagenet_utils

import export
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.keras_file import load_model
from cnn_keras.training.run_folder import Run
from cnn_keras.weights.external_model import is_external
from cnn_keras.weights.model_import import import_model
from cnn_keras.weights.source_options import SourceOptions
from export.tflite.interpreter import Interpreter
from tests.fixtures.external_models import CUSTOM_LAYER, SIDE, pixels, rgb, saved
from tests.fixtures.published_weights import randomize

PHOTOGRAPHS = SourceOptions(data="photographs", pixel_range=(0, 1))


def softmax(logits: Any) -> Any:
    return np.asarray(ops.softmax(logits))


@pytest.mark.parametrize("writer", ["tf_keras", "tensorflow", "sigmoid"])
def test_a_saved_model_becomes_a_run(
    writer: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my model"
    images = pixels(SIDE, 1).astype(np.float32)
    if writer == "tf_keras":
        tf_keras = pytest.importorskip("tf_keras")
        kinds = tf_keras.layers
        model = tf_keras.Sequential(
            [kinds.Flatten(input_shape=(SIDE, SIDE, 1)), kinds.Dense(10, "softmax")]
        )
        model.save(folder, save_format="tf")
        expected = model.predict(images, verbose=0)
    else:
        import tensorflow as tf

        module = tf.Module()
        module.kernel = tf.Variable(np.random.default_rng(0).normal(size=(SIDE, 10)) / 100)
        kernel = tf.cast(module.kernel, tf.float32)
        spec = tf.TensorSpec((None, SIDE, SIDE, 1), tf.float32)

        @tf.function(input_signature=[spec])
        def classify(image: Any) -> Any:
            rows = tf.reduce_mean(image, axis=(1, 3))
            scores = rows @ tf.cast(module.kernel, tf.float32)
            return {"scores": tf.sigmoid(scores) if writer == "sigmoid" else scores, "rows": image}

        tf.saved_model.save(module, str(folder), signatures={"classify": classify})
        expected = images.mean(axis=(1, 3)) @ kernel.numpy()
        expected = 1 / (1 + np.exp(-expected)) if writer == "sigmoid" else softmax(expected)
    capfd.readouterr()
    assert is_external(folder)
    run, _ = import_model(
        folder, SourceOptions(data="digits", pixel_range=(0, 255)), tmp_path / "runs"
    )
    assert capfd.readouterr().out == ""
    assert run.path.name == "my_model"
    assert run.is_saved_model
    np.testing.assert_allclose(
        Run.open(run.path).predict(pixels(SIDE, 1)), expected, rtol=1e-4, atol=1e-6
    )
    import_model(folder, SourceOptions(data="digits", pixel_range=(0, 255)), tmp_path / "runs")


@pytest.mark.parametrize("kind", ["signature", "dtype", "batch", "broken", "random"])
def test_a_saved_model_that_is_no_classifier_is_refused(kind: str, tmp_path: Path) -> None:
    import tensorflow as tf

    keras.utils.set_random_seed(0)  # is saved with random operations, which restart from it
    folder = tmp_path / "saved"
    shape = (None if kind != "batch" else 1, 8, 8, 3)
    dtype = tf.float64 if kind == "dtype" else tf.float32

    @tf.function(input_signature=[tf.TensorSpec(shape, dtype, name="image")])
    def classify(image: Any) -> Any:
        maps = tf.cast(image, tf.float32)
        if kind == "random":
            maps += tf.random.normal((8, 8, 3))
        return maps if kind == "signature" else tf.reduce_mean(maps, axis=(1, 2))

    module = tf.Module()
    module.classify = classify
    tf.saved_model.save(module, str(folder), signatures=classify)
    if kind == "broken":
        file = folder / "saved_model.pb"
        file.write_bytes(file.read_bytes()[:1000])
    message = {
        "signature": r"it has serving_default: image \(None, 8, 8, 3\) float32 to output_0",
        "dtype": r"it has serving_default: image \(None, 8, 8, 3\) float64 to",
        "batch": r"it has serving_default: image \(1, 8, 8, 3\) float32 to",
        "broken": "as a SavedModel",
        "random": "gives different scores for the same images",
    }
    with pytest.raises(Error, match=message[kind]):
        import_model(folder, PHOTOGRAPHS, tmp_path / "runs")
    assert not (tmp_path / "runs" / "saved").exists()


@pytest.mark.parametrize("writer", ["keras", "tensorflow"])
@pytest.mark.parametrize("dtype", ["uint8", "int32"])
def test_a_model_of_integer_pixels_becomes_a_run(writer: str, dtype: str, tmp_path: Path) -> None:
    import tensorflow as tf

    image = layers.Input((8, 8, 3), dtype=dtype)
    (inner := rgb())(x := ops.cast(image, "float32") / 255)
    model = keras.Model(image, inner(x))
    source = tmp_path / "of_integers"
    if writer == "keras":
        source = saved(model, source.with_suffix(".keras"))
    else:
        spec = tf.TensorSpec((None, 8, 8, 3), dtype, name="image")
        serve = tf.function(lambda image: model(image, training=False), input_signature=[spec])
        tf.saved_model.save(model, str(source), signatures=serve.get_concrete_function())
    options = SourceOptions(data="photographs")
    with pytest.raises(UsageError, match=f"takes images of {dtype}: only --pixel-range 0 255"):
        import_model(source, replace(options, pixel_range=(0, 1)), tmp_path / "runs")
    if dtype == "int32":  # which does not tell the range
        with pytest.raises(UsageError, match=r"The pixel range that .* is unknown"):
            import_model(source, options, tmp_path / "runs")
        options = replace(options, pixel_range=(0, 255))
    run, _ = import_model(source, options, tmp_path / "runs")
    expected = inner(pixels().astype(np.float32) / 255)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)
    file = export.convert(run.model())
    np.testing.assert_allclose(Interpreter(file)(pixels().astype(np.float32)), expected, atol=1e-6)
    assert "CAST" not in export.audit(file).ops


def test_an_image_size_is_chosen_for_a_model_that_takes_any(tmp_path: Path) -> None:
    file = saved(rgb(shape=(None, None, 3)), tmp_path / "a.keras")
    with pytest.raises(UsageError, match="choose one with --image-size"):
        import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    options = replace(PHOTOGRAPHS, image_size=16)
    run, _ = import_model(file, options, tmp_path / "runs")
    assert (run.preprocessing.height, run.predict(pixels(16)).shape) == (16, (5, 3))
    with pytest.raises(UsageError, match=r"takes images of 8×8: leave --image-size out"):
        import_model(saved(rgb(), tmp_path / "b.keras"), options, tmp_path / "runs")


def test_a_fixed_batch_size_is_removed(tmp_path: Path) -> None:
    file = saved(rgb(shape=(8, 8, 3), batch_size=2), tmp_path / "a.keras")
    run, _ = import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    assert run.predict(pixels()).shape == (5, 3)


@pytest.mark.parametrize(
    ("stem", "kind"),
    [
        ("_best", "any size"),
        ("größe", "any size"),
        ("模型", "caffe"),
        ("-1", "fixed batch"),
        ("größe", "SavedModel"),
        ("模型", "its own name"),
        ("größe", "its layers' names"),
    ],
)
def test_a_model_may_have_any_name(stem: str, kind: str, tmp_path: Path) -> None:
    shape = (None, None, 3) if kind == "any size" else (8, 8, 3)
    plain = model = rgb(shape=shape, batch_size=2 if kind == "fixed batch" else None)
    if kind == "its own name":
        model = keras.Sequential([layers.Input(shape), keras.Sequential(plain.layers, name=stem)])
    if kind == "its layers' names":
        model = keras.Sequential([layers.Input(shape)], name="a b")
        for layer, name in zip(plain.layers, (stem, "grüße", "gr__e"), strict=True):
            model.add(type(layer).from_config(layer.get_config() | {"name": name}))
        model.set_weights(plain.get_weights())
    options = replace(PHOTOGRAPHS, image_size=8)
    if kind == "caffe":
        options = SourceOptions(data="photographs", preprocessing="caffe")
    if kind == "SavedModel":
        model.export(source := tmp_path / stem, verbose=False)
    else:
        source = saved(model, tmp_path / f"{stem}.keras")
    run, _ = import_model(source, options, tmp_path / "runs")
    assert run.path.name == stem
    image = pixels().astype(np.float32)
    image = imagenet_utils.preprocess_input(image, mode="caffe") if kind == "caffe" else image / 255
    np.testing.assert_allclose(run.predict(pixels()), plain.predict(image, verbose=0), atol=1e-5)
    names = [run.model().name, *(layer.name for layer in run.model()._flatten_layers())]
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) for name in names)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (".h5", "old.h5"),
        (".h5", "old.hdf5"),
        (".h5", "Old.H5"),
        (".h5", "OLD.HDF5"),
        (".keras", "new.KERAS"),
        (".keras", "New.Keras"),
        # Keras goes by the name; TensorFlow up to 2.11 wrote HDF5 for both.
        (".h5", "old.keras"),
        (".keras", "new.h5"),
    ],
)
def test_the_content_of_a_file_decides_its_format(kind: str, name: str, tmp_path: Path) -> None:
    file = saved(model := rgb(), tmp_path / f"saved{kind}").rename(tmp_path / name)
    assert is_external(file)
    images = pixels().astype(np.float32)
    np.testing.assert_array_equal(load_model(file)(images), model(images))


def test_custom_layers_are_imported_from_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_layers.py").write_text(CUSTOM_LAYER)
    own: dict[str, Any] = {}
    exec(CUSTOM_LAYER, own)
    end = [layers.Flatten(), layers.Dense(3, "softmax")]
    model = keras.Sequential([layers.Input((8, 8, 3)), own["Twice"](), *end])
    file = saved(model, tmp_path / "a.keras")
    with pytest.raises(Error, match=r"needs 'Twice', which .* with --modules\.$"):
        import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    with pytest.raises(Error, match="The module my_layer, which the model needs"):
        import_model(file, replace(PHOTOGRAPHS, modules=("my_layer",)), tmp_path / "runs")
    with patch.dict(keras.saving.get_custom_objects()):
        run, _ = import_model(file, replace(PHOTOGRAPHS, modules=("my_layers",)), tmp_path / "runs")
        keras.saving.get_custom_objects().clear()  # as in another process
        expected = model(pixels().astype(np.float32) / 255)
        np.testing.assert_allclose(Run.open(run.path).predict(pixels()), expected, atol=1e-6)


def test_a_custom_model_class_is_imported(tmp_path: Path) -> None:
    @keras.saving.register_keras_serializable("tests")
    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.flat, self.dense = layers.Flatten(), layers.Dense(3, "softmax")

        def call(self, x: Any) -> Any:
            return self.dense(self.flat(x))

    model = Own()
    model(np.zeros((1, 8, 8, 3), np.float32))
    file = saved(model, tmp_path / "own.keras")
    run, _ = import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    expected = model(pixels().astype(np.float32) / 255)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (6, 9), (64,)])
def test_gray_images_without_channels_are_refused_with_advice(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(3, "softmax")])
    with pytest.raises(UsageError, match="Save it as ") as caught:
        import_model(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")
    code = str(caught.value).partition("Save it as ")[2].rstrip(".")
    file = saved(eval(code, {"keras": keras, "model": model}), tmp_path / "b.keras")
    run, _ = import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    assert run.preprocessing.channels == 1
    assert run.preprocessing.height * run.preprocessing.width == np.prod(shape)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_model_that_is_not_built_is_refused_with_advice(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(UsageError, match=r"is not built, .* keras\.Input\(\(height, width, chan"):
        import_model(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")


@pytest.mark.slow  # the network is built seven times
def test_a_network_of_keras_applications_is_imported_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"'MobileNetV4'\. Did you mean 'MobileNetV2'"):
        import_model(Path("MobileNetV4"), SourceOptions(), tmp_path)
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=5)
    randomize(model)
    file = tmp_path / "Mine.Weights.H5"
    model.save_weights(tmp_path / "mine.weights.h5")
    (tmp_path / "mine.weights.h5").rename(file)
    name = Path("MobileNetV2")
    options = SourceOptions(weights=file, image_size=32)
    run, dataset = import_model(name, options, tmp_path / "a")
    assert (dataset.name, run.config["network"]) == ("photographs", "MobileNetV2")
    assert run.preprocessing.to_dict()["mean"] == (127.5, 127.5, 127.5)
    assert run.classes == tuple("01234")
    images = keras.applications.mobilenet_v2.preprocess_input(pixels(32).astype(np.float32))
    np.testing.assert_allclose(run.predict(pixels(32)), model(images), atol=1e-5)
    json.dumps(run.config)

    with pytest.raises(Error, match=r"Mine\.Weights\.H5 does not fit MobileNet: "):
        import_model(Path("MobileNet"), options, tmp_path / "a")
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a machine without a network
    with pytest.raises(Error, match=r"MobileNetV2 cannot be downloaded .* with --weights"):
        import_model(name, SourceOptions(), tmp_path / "b")
    assert capsys.readouterr().out == ""
    with pytest.raises(UsageError, match="MobileNetV2 cannot be built"):
        import_model(name, SourceOptions(image_size=31), tmp_path / "b")
