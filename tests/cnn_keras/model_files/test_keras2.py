"""Files of Keras 2, written by tf_keras."""

from __future__ import annotations

import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import keras
import numpy as np
import pytest

from cnn_keras.errors import Error
from cnn_keras.model_files import keras2
from cnn_keras.model_files.keras_file import load_model
from cnn_keras.training.run_folder import Run
from cnn_keras.weights.model_import import import_model
from cnn_keras.weights.normalization import rescaled_range
from cnn_keras.weights.source_options import SourceOptions
from export import convert
from tests.fixtures.external_models import CUSTOM_LAYER, pixels

pytestmark = pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")

tf = pytest.importorskip("tensorflow")
tf_keras = pytest.importorskip("tf_keras")
kinds = tf_keras.layers

PHOTOGRAPHS = SourceOptions(data="photographs", pixel_range=(0, 1))
SHAPE = (8, 8, 3)
HALF = tf_keras.mixed_precision.Policy("mixed_float16")


def sequence(x: Any) -> Any:
    return kinds.Reshape((8, 24))(x)


def known_shape(x: Any) -> Any:
    return tf_keras.Sequential([kinds.Input(SHAPE), kinds.DepthwiseConv2D(3)])(x)


def shared(x: Any) -> Any:
    """Call a model that knows its shape twice, and one that does not know it."""
    twice = tf_keras.Sequential([kinds.Input(SHAPE), kinds.DepthwiseConv2D(3, padding="same")])
    return tf_keras.Sequential([kinds.DepthwiseConv2D(3)])(kinds.Add()([twice(twice(x)), x]))


RECONFIGURED: dict[str, Callable[[Any], Any]] = {
    "depthwise": lambda x: kinds.BatchNormalization()(kinds.DepthwiseConv2D(3)(x)),
    "separable": kinds.SeparableConv2D(4, 3),
    "transposed": kinds.Conv2DTranspose(4, 3),
    "LSTM": lambda x: kinds.LSTM(4)(sequence(x)),
    "augments": lambda x: kinds.Conv2D(4, 3)(kinds.RandomFlip()(x)),
    "slash": lambda x: kinds.Conv2D(4, 3, name="b")(kinds.DepthwiseConv2D(3, name="a/b")(x)),
    "dropout of maps": lambda x: kinds.SpatialDropout2D(0.1)(kinds.Conv2D(4, 3)(x)),
    "renamed argument": lambda x: kinds.LeakyReLU(0.1)(kinds.Conv2D(4, 3)(x)),
    "nested": known_shape,
    "shared": shared,
    "half": kinds.Conv2D(4, 3, dtype=HALF),
}
"""Layers that Keras 2 and Keras 3 configure differently."""

UNSUPPORTED: dict[str, Callable[[Any], Any]] = {
    "operators": lambda x: kinds.DepthwiseConv2D(3)(x * 2.0 + 1.0),
    "function": lambda x: tf.nn.relu6(kinds.Conv2D(4, 3)(x)),
    "slice": lambda x: kinds.Conv2D(4, 3)(x[:, 1:, :, ::-1]),
    "gone": lambda x: kinds.ThresholdedReLU(0.1)(kinds.Conv2D(4, 3)(x)),
    "changed": kinds.Conv2D(4, 3, activation="hard_sigmoid"),
    "half": lambda x: tf.nn.relu6(kinds.Conv2D(4, 3, dtype=HALF)(x)),
    "attention": lambda x: kinds.MultiHeadAttention(1, 4)(sequence(x), sequence(x)),
}
"""Layers that Keras 3 lacks, computes differently or does not read."""


def classifier(middle: Callable[[Any], Any]) -> Any:
    tf_keras.utils.set_random_seed(0)
    image = kinds.Input(SHAPE)
    scores = kinds.Dense(3, "softmax", dtype="float32")(kinds.Flatten()(middle(image)))
    return tf_keras.Model(image, scores)


def saved(model: Any, path: Path, *, ancient: bool = False) -> Path:
    """Save a model, optionally as TensorFlow 2.4 did, without the modules of its classes."""
    model.save(path)
    if ancient:
        with h5py.File(path, "r+") as file:
            config = json.loads(file.attrs["model_config"])
            file.attrs["model_config"] = json.dumps(_stripped(config)).encode()
            file.attrs["keras_version"] = b"2.4.0"
    return path


def _stripped(part: Any) -> Any:
    if isinstance(part, list):
        return [_stripped(each) for each in part]
    if not isinstance(part, dict):
        return part
    new = ("module", "registered_name", "build_config")
    return {key: _stripped(value) for key, value in part.items() if key not in new}


def replace_in(file: Path, old: bytes, new: bytes) -> None:
    """Replace text in the configuration of a `.keras` file."""
    with zipfile.ZipFile(file) as archive:
        parts = {part: archive.read(part) for part in archive.namelist()}
    assert old in parts["config.json"]
    parts["config.json"] = parts["config.json"].replace(old, new)
    with zipfile.ZipFile(file, "w") as archive:
        for part, content in parts.items():
            archive.writestr(part, content)


def answers(model: Any) -> Any:
    return model(pixels().astype(np.float32) / 255, training=False)


@pytest.mark.parametrize("name", ["a.h5", "a.keras", "tf2.4.h5"])
@pytest.mark.parametrize("kind", RECONFIGURED)
def test_layers_that_keras_3_knows_are_loaded(kind: str, name: str, tmp_path: Path) -> None:
    model = classifier(RECONFIGURED[kind])
    file = saved(model, tmp_path / name, ancient="2.4" in name)
    assert keras2.keras2_version(file) == ("2.4.0" if "2.4" in name else tf_keras.__version__)
    found = answers(load_model(file))
    np.testing.assert_allclose(found, answers(model), atol=2e-3 if kind == "half" else 1e-6)


def test_the_oldest_files_are_read(tmp_path: Path) -> None:
    file = saved(model := classifier(RECONFIGURED["nested"]), tmp_path / "a.h5", ancient=True)
    with h5py.File(file, "r+") as opened:
        config = json.loads(opened.attrs["model_config"])
        config["class_name"] = "Model"
        (inner,) = (x for x in config["config"]["layers"] if x["class_name"] == "Sequential")
        inner["config"] = [x for x in inner["config"]["layers"] if x["class_name"] != "InputLayer"]
        inner["config"][0]["config"]["batch_input_shape"] = [None, *SHAPE]
        opened.attrs["model_config"] = json.dumps(config)
        del opened.attrs["keras_version"]
    np.testing.assert_allclose(answers(load_model(file)), answers(model), atol=1e-6)


def test_modules_of_tensorflow_2_13_are_known(tmp_path: Path) -> None:
    file = saved(model := classifier(RECONFIGURED["depthwise"]), tmp_path / "a.keras")
    replace_in(file, b"tf_keras.src.", b"keras.src.")
    np.testing.assert_allclose(answers(load_model(file)), answers(model), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "name"), [*zip(UNSUPPORTED, ["a.h5", "a.keras"] * len(UNSUPPORTED), strict=False)]
)
def test_layers_that_keras_3_lacks_become_a_saved_model(
    kind: str, name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = classifier(UNSUPPORTED[kind])
    file = saved(model, tmp_path / name)
    capfd.readouterr()
    run, _ = import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    out, err = capfd.readouterr()
    assert (out, err.count("loaded by tf_keras as a SavedModel")) == ("", 1)
    found = Run.open(run.path)
    tolerance = 2e-3 if kind == "half" else 1e-6
    np.testing.assert_allclose(found.predict(pixels()), answers(model), atol=tolerance)
    if kind == "half":
        convert(found.model())


def flipped(x: Any) -> Any:
    return tf_keras.Sequential([kinds.RandomFlip(), kinds.Normalization(mean=127, variance=64**2)])(
        x
    )


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        (kinds.Rescaling(1 / 127.5, -1), (-1, 1)),
        (lambda x: kinds.Rescaling(1 / 255)(kinds.Resizing(8, 8)(x)), (0, 1)),
        (flipped, (-127 / 64, 2)),
        (lambda x: kinds.Rescaling(1 / 255)(x / 2), None),
        (lambda x: kinds.Rescaling(1 / 255)(x[..., ::-1]), None),
        (lambda x: kinds.Rescaling(1 / 255)(kinds.Conv2D(3, 1)(x)), None),
    ],
    ids=["rescaling", "resized", "nested", "operator", "slice", "learns"],
)
def test_a_model_of_keras_2_may_rescale_pixels_by_itself(
    first: Callable[[Any], Any], ends: tuple[float, float] | None
) -> None:
    found = rescaled_range(classifier(first))
    assert (found is None) == (ends is None)
    if found is not None:
        assert (found.min(), found.max()) == pytest.approx(ends)


def test_a_model_that_rescales_first_needs_no_range_through_tf_keras(tmp_path: Path) -> None:
    model = classifier(lambda x: UNSUPPORTED["changed"](kinds.Rescaling(1 / 255)(x)))
    file = saved(model, tmp_path / "a.h5")
    run, _ = import_model(file, SourceOptions(data="photographs"), tmp_path / "runs")
    assert run.is_saved_model
    np.testing.assert_allclose(run.predict(pixels()), model(pixels().astype(np.float32)), atol=1e-6)


def test_without_tf_keras_one_line_names_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapped = classifier(lambda x: kinds.Bidirectional(kinds.GRU(4))(sequence(x)))
    for model, said in (
        (classifier(UNSUPPORTED["operators"]), "it has no TFOpLambda"),
        (classifier(UNSUPPORTED["changed"]), "its hard_sigmoid is another"),
        (wrapped, "it does not find GRU"),
    ):
        file = saved(model, tmp_path / "a.h5", ancient=True)
        with monkeypatch.context() as without:
            without.setitem(sys.modules, "tf_keras", None)
            with pytest.raises(
                Error, match=rf"by Keras 2[^\n]*{said}[^\n]*\[aware\][^\n]*$"
            ) as found:
                import_model(file, PHOTOGRAPHS, tmp_path / "runs")
        assert len(str(found.value)) < 400
        assert "--modules" not in str(found.value)


def test_hdf5_is_read_under_any_name(tmp_path: Path) -> None:
    model = classifier(RECONFIGURED["depthwise"])
    old = shutil.copy(saved(model, tmp_path / "a.h5"), tmp_path / "of TensorFlow 2.11.keras")
    np.testing.assert_allclose(answers(load_model(old)), answers(model), atol=1e-6)


@pytest.mark.parametrize("name", ["a.h5", "a.keras"])
def test_code_in_a_file_is_not_run(name: str, tmp_path: Path) -> None:
    file = saved(classifier(kinds.Lambda(lambda x: x / 2)), tmp_path / name)
    with pytest.raises(Error, match="has a Lambda layer, which is code"):
        import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    file = saved(classifier(UNSUPPORTED["function"]), tmp_path / name)
    if name == "a.h5":
        with h5py.File(file, "r+") as opened:
            config = opened.attrs["model_config"]
            opened.attrs["model_config"] = config.replace("nn.relu6", "io.read_file")
    else:
        replace_in(file, b"nn.relu6", b"io.read_file")
    with pytest.raises(Error, match=r"TFOpLambda of tf\.io\.read_file, which may be any code"):
        import_model(file, PHOTOGRAPHS, tmp_path / "runs")


@pytest.mark.parametrize("name", ["a.h5", "a.keras"])
def test_custom_layers_are_imported_from_a_module(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own: dict[str, Any] = {}
    exec(CUSTOM_LAYER.replace("keras", "tf_keras"), own)
    model = classifier(lambda x: kinds.DepthwiseConv2D(3)(own["Twice"]()(x)))
    file = saved(model, tmp_path / name)
    with pytest.raises(Error, match=r"needs 'Twice', which .* with --modules\.$"):
        import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    module = f"layers_of_{name.replace('.', '_')}"
    (tmp_path / f"{module}.py").write_text(CUSTOM_LAYER)
    with patch.dict(keras.saving.get_custom_objects()):
        run, _ = import_model(file, replace(PHOTOGRAPHS, modules=(module,)), tmp_path / "runs")
        np.testing.assert_allclose(run.predict(pixels()), answers(model), atol=1e-6)


class Wrapper(kinds.Wrapper):  # type: ignore[misc]
    """As those of tensorflow_model_optimization, which takes seconds to import."""

    def call(self, x: Any) -> Any:
        return self.layer(x)


@pytest.mark.parametrize(
    ("wrapper", "advice"),
    [
        ("QuantizeWrapperV2", r"give the float model from before it .*aware_wi8_ai8"),
        ("QuantizeLayer", r"give the float model from before it .*aware_wi8_ai8"),
        ("PruneLowMagnitude", r"strip_pruning\(model\) returns"),
        ("ClusterWeights", r"strip_clustering\(model\) returns"),
    ],
)
@pytest.mark.parametrize("name", ["a.h5", "a.keras"])
def test_wrappers_of_tensorflows_toolkit_are_refused_with_advice(
    name: str, wrapper: str, advice: str, tmp_path: Path
) -> None:
    kind = type(wrapper, (Wrapper,), {})
    file = saved(classifier(kind(kinds.Conv2D(4, 3))), tmp_path / name)
    with pytest.raises(Error, match=f"has {wrapper}, with which .*{advice}") as caught:
        load_model(file)
    assert "--modules" not in str(caught.value)


def test_files_of_weights_alone_are_reported(tmp_path: Path) -> None:
    model = classifier(kinds.Conv2D(4, 3))
    model.save_weights(tmp_path / "old.h5")
    model.save_weights(tmp_path / "new.weights.h5")
    keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)]).save_weights(
        tmp_path / "3.weights.h5"
    )
    for name in ("old.h5", "new.weights.h5", "3.weights.h5"):
        with pytest.raises(Error, match=f"/{name} has weights only, and no network: load"):
            load_model(tmp_path / name)


def test_files_of_keras_3_and_broken_ones_have_no_keras_2_version(tmp_path: Path) -> None:
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    for name in ("a.keras", "a.h5"):
        model.save(tmp_path / name)
        assert keras2.keras2_version(tmp_path / name) is None
        assert load_model(tmp_path / name).output_shape == (None, 2)
    (tmp_path / "b.keras").write_bytes((tmp_path / "a.keras").read_bytes()[:500])
    assert keras2.keras2_version(tmp_path / "b.keras") is None
    for size, said in ((50, "signature|truncated"), (3000, "truncated")):
        (tmp_path / "b.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:size])
        with pytest.raises(Error, match=f"cannot be loaded as a Keras model: .*({said})"):
            load_model(tmp_path / "b.h5")
    model.save_weights(tmp_path / "a.weights.h5")
    assert keras2.keras2_version(tmp_path / "a.weights.h5") is None
