from __future__ import annotations

import json
import re
import shutil
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.applications import imagenet_utils

import export
from cnn_keras.data import datasets
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error, UsageError
from cnn_keras.training.evaluate import scores
from cnn_keras.training.run_folder import Run, load_model
from cnn_keras.weights.external import (
    _class_names,
    adopt,
    are_usual,
    front,
    is_foreign,
    probed,
)
from cnn_keras.weights.source_options import Told
from export.tflite.interpreter import Interpreter
from tests.cnn_keras.weights.test_published import randomize
from tests.fixtures import image_folders
from tests.fixtures.strangers import CODE, SIDE, digits, pixels, rgb, saved

PHOTOGRAPHS = Told(data="photographs", pixel_range=(0, 1))


def softmax(logits: Any) -> Any:
    return np.asarray(ops.softmax(logits))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(digits(), tmp_path_factory.mktemp("elsewhere") / "mine.keras")


def test_a_file_becomes_a_run(mine: Path, tmp_path: Path) -> None:
    assert is_foreign(mine)
    run, dataset = adopt(mine, Told(data="digits"), tmp_path)
    assert run == Run.open(tmp_path / "mine")
    assert not is_foreign(run.path / "model.keras")
    assert not is_foreign(run.path)
    assert (run.config["network"], run.config["data"]) == ("mine", "digits")
    assert run.preprocessing.to_dict() == {
        "height": SIDE,
        "width": SIDE,
        "channels": 1,
        "mean": (0.0,),
        "std": (1.0,),
    }
    assert run.classes == dataset.classes == tuple("0123456789")
    test = run.prepare(dataset).test
    answers = run.predict(test.images)
    np.testing.assert_allclose(
        answers, softmax(digits().predict(test.images.astype(np.float32), verbose=0)), atol=1e-6
    )
    assert scores(answers, test.labels)["accuracy"] > 0.9


def test_the_same_is_reused_and_nothing_else_overwritten(mine: Path, tmp_path: Path) -> None:
    run, _ = adopt(mine, Told(data="digits"), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    again, _ = adopt(mine, Told(data="digits"), tmp_path)
    assert again == run
    assert before == {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    with pytest.raises(UsageError, match="made with another pixel range, data: delete it"):
        adopt(mine, Told(data="photographs", pixel_range=(0, 1)), tmp_path)
    other = saved(rgb(), tmp_path / "other" / "mine.keras")
    with pytest.raises(UsageError, match="made with another model"):
        adopt(other, Told(data="digits"), tmp_path)
    shutil.copy(mine, tmp_path / "mine.h5")
    with pytest.raises(UsageError, match="made with another model: delete"):
        adopt(tmp_path / "mine.h5", Told(data="digits"), tmp_path)
    (tmp_path / "b" / "mine").mkdir(parents=True)
    (tmp_path / "b" / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="is something else"):
        adopt(mine, Told(data="digits"), tmp_path / "b")
    assert [path.name for path in (tmp_path / "b" / "mine").iterdir()] == ["letter.txt"]


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
    assert is_foreign(folder)
    run, _ = adopt(folder, Told(data="digits", pixel_range=(0, 255)), tmp_path / "runs")
    assert capfd.readouterr().out == ""
    assert run.path.name == "my_model"
    assert run.is_saved_model
    np.testing.assert_allclose(
        Run.open(run.path).predict(pixels(SIDE, 1)), expected, rtol=1e-4, atol=1e-6
    )
    adopt(folder, Told(data="digits", pixel_range=(0, 255)), tmp_path / "runs")


@pytest.mark.parametrize("kind", ["signature", "dtype", "batch", "broken", "random"])
def test_a_saved_model_that_is_no_classifier_is_refused(kind: str, tmp_path: Path) -> None:
    import tensorflow as tf

    keras.utils.set_random_seed(0)  # is saved with random operations, which begin anew by it
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
        "random": "gives other scores each time it is asked",
    }
    with pytest.raises(Error, match=message[kind]):
        adopt(folder, PHOTOGRAPHS, tmp_path / "runs")
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
    told = Told(data="photographs")
    with pytest.raises(UsageError, match=f"takes images of {dtype}: leave --pixel-range 0 255"):
        adopt(source, replace(told, pixel_range=(0, 1)), tmp_path / "runs")
    if dtype == "int32":  # of which nobody knows where they begin
        with pytest.raises(UsageError, match="take pixels as"):
            adopt(source, told, tmp_path / "runs")
        told = replace(told, pixel_range=(0, 255))
    run, _ = adopt(source, told, tmp_path / "runs")
    expected = inner(pixels().astype(np.float32) / 255)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)
    file = export.convert(run.model())
    np.testing.assert_allclose(Interpreter(file)(pixels().astype(np.float32)), expected, atol=1e-6)
    assert "CAST" not in export.audit(file).ops


@pytest.mark.parametrize("mode", ["caffe", "torch", "tf"])
def test_a_normalization_is_read_from_what_it_does(mode: str) -> None:
    found = probed(preprocess := partial(imagenet_utils.preprocess_input, mode=mode))
    ours = Preprocessing(8, 8, 3, found.mean, found.std)(pixels())
    ours = ours[..., ::-1] if found.reverses else ours
    np.testing.assert_allclose(ours, preprocess(pixels().astype(np.float32)), atol=1e-4)
    assert found.reverses == (mode == "caffe")


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x]])
def test_red_and_blue_change_places_as_in_caffe(wrap: Any, tmp_path: Path) -> None:
    model = rgb()
    wrapped = keras.Model(wrap(model.inputs[0]), wrap(model.outputs[0]))
    told = Told(data="photographs", preprocessing="caffe")
    run, _ = adopt(saved(wrapped, tmp_path / "a.keras"), told, tmp_path / "runs")
    expected = model(imagenet_utils.preprocess_input(pixels().astype(np.float32), mode="caffe"))
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-5)


def test_pixels_are_brought_into_a_range(tmp_path: Path) -> None:
    file = saved(model := rgb(), tmp_path / "a.keras")
    run, _ = adopt(file, Told(data="photographs", pixel_range=(-1, 3)), tmp_path / "runs")
    expected = model(pixels().astype(np.float32) / 255 * 4 - 1)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)


FLIPS = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])


def adapted(scale: float, shift: float = 0) -> layers.Normalization:
    """Normalization by the statistics of pixels that were scaled before."""
    layer = layers.Normalization()
    layer.adapt(pixels().astype(np.float32) * scale + shift)
    return layer


IMAGENET = {"mean": [123.7, 116.3, 103.5], "variance": [58.4**2, 57.1**2, 57.4**2]}


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        ([layers.Rescaling(1 / 255)], (0, 1)),
        ([layers.Rescaling(1 / 127.5, -1)], (-1, 1)),
        ([layers.Rescaling(-1 / 255, 1)], (0, 1)),
        ([layers.Rescaling(1, -128)], (-128, 127)),
        ([layers.Rescaling(1.0, [-123.68, -116.78, -103.94])], (-123.68, 151.06)),
        ([layers.RandomFlip(), layers.Normalization(**IMAGENET)], (-2.118, 2.640)),
        ([layers.Normalization(mean=33, variance=79**2)], (-0.418, 2.810)),
        ([adapted(1)], None),
        ([FLIPS, layers.Resizing(8, 8), layers.Rescaling(1 / 255)], (0, 1)),
        ([keras.Sequential([FLIPS, layers.Rescaling(1 / 255), layers.Conv2D(3, 1)])], (0, 1)),
        ([layers.Rescaling(1 / 255), layers.Normalization(mean=0.5, variance=0.04)], (-2.5, 2.5)),
        (
            [layers.CenterCrop(6, 6), layers.Rescaling(1 / 128, -1), layers.BatchNormalization()],
            None,
        ),
    ],
)
def test_a_model_may_rescale_pixels_by_itself(
    first: list[keras.Layer], ends: tuple[float, float] | None
) -> None:
    found = front(in_front(first))
    assert found is not None
    assert are_usual(found)
    if ends:
        assert (found.min(), found.max()) == pytest.approx(ends, abs=2e-3)


@pytest.mark.parametrize(
    "first",
    [
        [layers.Rescaling(2, -1)],  # for pixels from 0 to 1
        [adapted(1 / 255)],
        [adapted(1 / 127.5, -1)],
        [layers.Normalization(mean=[0.4, 0.4, 0.4], variance=[0.25, 0.25, 0.25])],
        [layers.Normalization(mean=0.0, variance=1.0)],  # for -1 to 1
        [layers.Normalization(mean=-0.1, variance=0.4)],
        [layers.Rescaling(1 / 16)],  # for scikit-learn's digits
        [layers.Normalization(mean=4.9, variance=36)],
        [layers.Rescaling(1 / 65535)],  # for 16 bits
        [layers.Rescaling(1.0)],  # says nothing
        [keras.Sequential([FLIPS, layers.Rescaling(2, -1)])],
        [layers.Rescaling(1 / 255), layers.Rescaling(255)],
    ],
)
def test_what_rescales_other_pixels_is_asked_for_their_range(
    first: list[keras.Layer], tmp_path: Path
) -> None:
    file = saved(in_front(first), tmp_path / "a.keras")
    told = Told(data="photographs")
    with pytest.raises(UsageError, match=r"It rescales by itself, but makes .* of 0 to 255: give"):
        adopt(file, told, tmp_path / "runs")
    if len(first) > 1:
        run, _ = adopt(file, replace(told, pixel_range=(0, 255)), tmp_path / "runs")
        assert run.preprocessing.range == (0, 255)


@pytest.mark.parametrize(
    ("told", "twice"),
    [
        ({"pixel_range": (0, 1)}, True),
        ({"pixel_range": (-1, 1)}, True),
        ({"preprocessing": "tf"}, True),
        ({"preprocessing": "caffe"}, True),
        ({"pixel_range": (0, 255)}, False),
        ({}, False),
    ],
)
def test_pixels_that_are_scaled_twice_are_said(
    told: dict[str, Any], twice: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(in_front([layers.Rescaling(1 / 255)]), tmp_path / "a.keras")
    run, _ = adopt(file, Told(data="photographs", **told), tmp_path / "runs")
    said = "rescales pixels of 0 to 255 by itself"
    assert [said in remark for remark in run.config["remarks"]] == [True] * twice
    assert (said in capsys.readouterr().err) == twice


@pytest.mark.parametrize(
    "first",
    [[layers.Conv2D(3, 1), layers.Rescaling(1 / 255)], [layers.BatchNormalization()], []],
)
def test_a_model_that_does_not_rescale_first_says_nothing(first: list[keras.Layer]) -> None:
    assert front(in_front(first)) is None


@pytest.mark.parametrize("cast", [True, False])
def test_nobody_sees_into_functions(cast: bool) -> None:
    image = layers.Input((8, 8, 3))
    x = ops.cast(image, "float32") if cast else image / 255 - 0.5
    x = layers.Flatten()(layers.Rescaling(1 / 255)(x))
    found = front(keras.Model(image, layers.Dense(3, "softmax")(x)))
    assert (found is not None) == cast


def in_front(first: list[keras.Layer]) -> keras.Sequential:
    rest = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3, "softmax")]
    return keras.Sequential([layers.Input((8, 8, 3)), *first, *rest])


@pytest.mark.parametrize(
    ("units", "activation"), [(3, None), (3, "sigmoid"), (1, None), (1, "sigmoid")]
)
def test_every_end_gives_probabilities(units: int, activation: str | None, tmp_path: Path) -> None:
    model = rgb(units, activation)
    if activation is None:  # as a trained network's
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([20 * kernel, bias])
    run, _ = adopt(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")
    found = run.predict(pixels())
    given = np.asarray(model(pixels().astype(np.float32) / 255))
    if units == 1:
        second = given if activation else 1 / (1 + np.exp(-given))
        given = np.concatenate([1 - second, second], axis=1)
    elif activation is None:
        given = softmax(given)
    np.testing.assert_allclose(found, given, atol=1e-6)
    assert np.allclose(found.sum(axis=1), 1) == (activation != "sigmoid" or units == 1)
    assert run.classes == tuple(map(str, range(max(2, units))))


def test_an_image_size_is_chosen_for_a_model_that_takes_any(tmp_path: Path) -> None:
    file = saved(rgb(shape=(None, None, 3)), tmp_path / "a.keras")
    with pytest.raises(UsageError, match="choose one with --image-size"):
        adopt(file, PHOTOGRAPHS, tmp_path / "runs")
    told = replace(PHOTOGRAPHS, image_size=16)
    run, _ = adopt(file, told, tmp_path / "runs")
    assert (run.preprocessing.height, run.predict(pixels(16)).shape) == (16, (5, 3))
    with pytest.raises(UsageError, match=r"takes images of 8×8, and no other --image-size"):
        adopt(saved(rgb(), tmp_path / "b.keras"), told, tmp_path / "runs")


def test_a_fixed_batch_is_freed(tmp_path: Path) -> None:
    file = saved(rgb(shape=(8, 8, 3), batch_size=2), tmp_path / "a.keras")
    run, _ = adopt(file, PHOTOGRAPHS, tmp_path / "runs")
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
def test_a_model_is_taken_whatever_its_name(stem: str, kind: str, tmp_path: Path) -> None:
    shape = (None, None, 3) if kind == "any size" else (8, 8, 3)
    plain = model = rgb(shape=shape, batch_size=2 if kind == "fixed batch" else None)
    if kind == "its own name":
        model = keras.Sequential([layers.Input(shape), keras.Sequential(plain.layers, name=stem)])
    if kind == "its layers' names":
        model = keras.Sequential([layers.Input(shape)], name="a b")
        for layer, name in zip(plain.layers, (stem, "grüße", "gr__e"), strict=True):
            model.add(type(layer).from_config(layer.get_config() | {"name": name}))
        model.set_weights(plain.get_weights())
    told = replace(PHOTOGRAPHS, image_size=8)
    if kind == "caffe":
        told = Told(data="photographs", preprocessing="caffe")
    if kind == "SavedModel":
        model.export(source := tmp_path / stem, verbose=False)
    else:
        source = saved(model, tmp_path / f"{stem}.keras")
    run, _ = adopt(source, told, tmp_path / "runs")
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
def test_a_file_is_read_by_what_is_in_it(kind: str, name: str, tmp_path: Path) -> None:
    file = saved(model := rgb(), tmp_path / f"saved{kind}").rename(tmp_path / name)
    assert is_foreign(file)
    images = pixels().astype(np.float32)
    np.testing.assert_array_equal(load_model(file)(images), model(images))


def test_older_files_become_a_run(tmp_path: Path) -> None:
    file = saved(model := rgb(), tmp_path / "old.h5").rename(tmp_path / "old.HDF5")
    run, _ = adopt(file, PHOTOGRAPHS, tmp_path / "runs")
    assert run.path.name == "old"
    expected = model(pixels().astype(np.float32) / 255)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)


def test_labels_are_told_or_the_data_sets(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join("9876543210"))
    run, _ = adopt(mine, Told(data="digits", labels=labels), tmp_path / "a")
    assert run.classes == tuple("9876543210")
    assert "of 100 pictures right, no more than by chance" in capsys.readouterr().err
    labels.write_text("cat\ndog\n")
    with pytest.raises(UsageError, match="has 2 labels, and the network has 10 classes"):
        adopt(mine, Told(data="digits", labels=labels), tmp_path / "b")
    file = saved(rgb(), tmp_path / "a.keras")
    pictures = image_folders.write(tmp_path / "pictures")
    told = Told(data=f"folder:{pictures}", pixel_range=(0, 1))
    run, dataset = adopt(file, told, tmp_path / "a")
    assert run.classes == dataset.classes == image_folders.NAMES
    assert run.config["contents"] == dataset.fingerprint
    with pytest.raises(Error, match="The class 'Zero' of pictures is not one of the network's 4"):
        adopt(saved(rgb(4), tmp_path / "b.keras"), told, tmp_path / "a")


def test_layers_of_the_users_own_come_from_a_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "my_layers.py").write_text(CODE)
    own: dict[str, Any] = {}
    exec(CODE, own)
    end = [layers.Flatten(), layers.Dense(3, "softmax")]
    model = keras.Sequential([layers.Input((8, 8, 3)), own["Twice"](), *end])
    file = saved(model, tmp_path / "a.keras")
    with pytest.raises(Error, match=r"needs 'Twice', which .* with --modules\.$"):
        adopt(file, PHOTOGRAPHS, tmp_path / "runs")
    with pytest.raises(Error, match="The module my_layer, which the model needs"):
        adopt(file, replace(PHOTOGRAPHS, modules=("my_layer",)), tmp_path / "runs")
    with patch.dict(keras.saving.get_custom_objects()):
        run, _ = adopt(file, replace(PHOTOGRAPHS, modules=("my_layers",)), tmp_path / "runs")
        keras.saving.get_custom_objects().clear()  # as in another process
        expected = model(pixels().astype(np.float32) / 255)
        np.testing.assert_allclose(Run.open(run.path).predict(pixels()), expected, atol=1e-6)


def test_a_class_of_its_own_is_taken_whole(tmp_path: Path) -> None:
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
    run, _ = adopt(file, PHOTOGRAPHS, tmp_path / "runs")
    expected = model(pixels().astype(np.float32) / 255)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(8, 8), (6, 9), (64,)])
def test_gray_images_without_channels_are_refused_with_the_way_out(
    shape: tuple[int, ...], tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([layers.Input(shape), layers.Flatten(), layers.Dense(3, "softmax")])
    with pytest.raises(UsageError, match="Save it as ") as caught:
        adopt(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")
    code = str(caught.value).partition("Save it as ")[2].rstrip(".")
    file = saved(eval(code, {"keras": keras, "model": model}), tmp_path / "b.keras")
    run, _ = adopt(file, PHOTOGRAPHS, tmp_path / "runs")
    assert run.preprocessing.channels == 1
    assert run.preprocessing.height * run.preprocessing.width == np.prod(shape)


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_a_model_that_is_not_built_is_refused_with_the_way_out(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(3)])
    with pytest.raises(UsageError, match=r"is not built, .* keras\.Input\(\(height, width, chan"):
        adopt(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("0 Zero, 1 one, 2 two", ("Zero", "one", "two")),  # as Teachable Machine writes them
        ("0 two, 1 Zero, 2 one", ("two", "Zero", "one")),
        ("two, one, Zero", ("two", "one", "Zero")),
    ],
)
def test_numbers_before_labels_are_left_out_where_the_data_have_none(
    names: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text(names.replace(", ", "\n"))
    split = Split(pixels(), np.zeros(0, np.int64))
    dataset = datasets.Dataset("pictures", split, split, split, image_folders.NAMES, False)
    assert _class_names(3, labels, dataset) == expected
    own = dataset._replace(classes=("0 Zero", "1 one", "2 two"))
    assert _class_names(3, labels, own) == tuple(names.split(", "))
    assert _class_names(3, labels, dataset._replace(classes=())) == tuple(names.split(", "))


def test_what_is_no_classifier_is_refused(tmp_path: Path) -> None:
    def refuse(model: keras.Model, message: str) -> None:
        with pytest.raises(Error, match=message):
            adopt(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")
        assert not (tmp_path / "runs").exists()

    image = layers.Input((8, 8, 3))
    flat = layers.Flatten()(image)
    two = keras.Model(image, [layers.Dense(3)(flat), layers.Dense(2)(flat)])
    refuse(two, r"gives \(None, 3\), \(None, 2\); expected one row")
    refuse(keras.Model(image, layers.Conv2D(3, 3)(image)), "expected one row")
    refuse(rgb(shape=(8, 8, 4)), r"takes \(None, 8, 8, 4\); expected one image")
    refuse(keras.Sequential([layers.Input((5,)), layers.Dense(3)]), "expected one image")
    dead = rgb()
    dead.set_weights([np.zeros_like(weight) for weight in dead.get_weights()])
    refuse(dead, "gives the same scores for 100 pictures")
    dead.set_weights([np.full_like(weight, np.nan) for weight in dead.get_weights()])
    refuse(dead, "gives NaN")
    age = rgb(1, None)
    kernel, _ = age.layers[-1].get_weights()
    age.layers[-1].set_weights([kernel, np.float32([46.5])])
    refuse(age, "for 100 pictures, which looks like regression")
    function = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Lambda(lambda x: x / 255), *rgb().layers]
    )
    refuse(function, "has a Lambda layer, which is code")


def test_a_score_that_decides_no_class_is_doubted(tmp_path: Path) -> None:
    def remarks(scale: float, bias: float) -> list[str]:
        model = rgb(1, None)
        kernel, _ = model.layers[-1].get_weights()
        values = model(pixels().astype(np.float32) / 255)
        bias -= scale * float(np.median(values))
        model.layers[-1].set_weights([scale * kernel, np.float32([bias])])
        out = tmp_path / f"{scale}"
        run, _ = adopt(saved(model, out / "a.keras"), PHOTOGRAPHS, out)
        return list(run.config["remarks"])

    assert remarks(20, 0) == []
    (remark,) = remarks(1, 5)  # all of them above 0
    assert "is taken as the logit of '1'" in remark


@pytest.mark.slow  # the network is built seven times
def test_a_network_of_keras_is_taken_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"'MobileNetV4'\. Did you mean 'MobileNetV2'"):
        adopt(Path("MobileNetV4"), Told(), tmp_path)
    keras.utils.set_random_seed(0)
    model = keras.applications.MobileNetV2((32, 32, 3), weights=None, classes=5)
    randomize(model)
    file = tmp_path / "Mine.Weights.H5"
    model.save_weights(tmp_path / "mine.weights.h5")
    (tmp_path / "mine.weights.h5").rename(file)
    name = Path("MobileNetV2")
    told = Told(weights=file, image_size=32)
    run, dataset = adopt(name, told, tmp_path / "a")
    assert (dataset.name, run.config["network"]) == ("photographs", "MobileNetV2")
    assert run.preprocessing.to_dict()["mean"] == (127.5, 127.5, 127.5)
    assert run.classes == tuple("01234")
    images = keras.applications.mobilenet_v2.preprocess_input(pixels(32).astype(np.float32))
    np.testing.assert_allclose(run.predict(pixels(32)), model(images), atol=1e-5)
    json.dumps(run.config)

    with pytest.raises(Error, match=r"Mine\.Weights\.H5 does not fit MobileNet: "):
        adopt(Path("MobileNet"), told, tmp_path / "a")
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # a machine without a network
    with pytest.raises(Error, match=r"MobileNetV2 cannot be downloaded .* with --weights"):
        adopt(name, Told(), tmp_path / "b")
    assert capsys.readouterr().out == ""
    with pytest.raises(UsageError, match="MobileNetV2 cannot be built"):
        adopt(name, Told(image_size=31), tmp_path / "b")
