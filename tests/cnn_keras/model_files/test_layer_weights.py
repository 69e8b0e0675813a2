from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from safetensors.numpy import save_file

import cnn_keras
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.layer_weights import (
    count_parameters,
    load_by_name,
    main_network,
    read_weights,
)
from cnn_keras.training.fine_tuning import Pretrained
from tests.fixtures import FIXTURES
from tests.fixtures.small_networks import equal, small, three_heads, weights_of


@pytest.mark.parametrize("name", ["network.keras", "network.weights.h5"])
def test_weights_are_read_by_layer(name: str, tmp_path: Path) -> None:
    model = small(shortcut="B")
    if name.endswith(".keras"):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.save(tmp_path / name)
    else:
        model.save_weights(tmp_path / name)
    found, expected = read_weights(tmp_path / name), weights_of(model)
    assert found.keys() == expected.keys()
    assert all(equal(found[layer], expected[layer]) for layer in expected)


def test_a_network_loads_the_weights_of_another() -> None:
    old, new = small(10), small(3)
    before = weights_of(new)
    assert load_by_name(new, weights_of(old)) == ["logits"]
    for name, found in weights_of(new).items():
        assert equal(found, before[name] if name == "logits" else weights_of(old)[name])


def test_weights_of_a_fully_convolutional_network_fit_other_image_sizes() -> None:
    old, new = small(side=16), small(side=24)
    assert load_by_name(new, weights_of(old)) == []
    image = np.random.default_rng(0).random((1, 24, 24, 3), np.float32)
    assert np.ptp(new(image)) > 0


def test_a_classifier_of_the_same_shape_is_optional() -> None:
    old, kept, taken = small(), small(), small()
    assert load_by_name(kept, weights_of(old), classifier=False) == ["logits"]
    assert load_by_name(taken, weights_of(old)) == []
    assert not equal(weights_of(kept)["logits"], weights_of(old)["logits"])
    assert equal(weights_of(taken)["logits"], weights_of(old)["logits"])


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (lambda: cnn_keras.build("lenet5"), "they have no layer 'conv1'"),
        (lambda: cnn_keras.build("resnet32", (16, 16, 3)), "they have a layer 'conv2_4_a"),
        (
            lambda: cnn_keras.build("resnet20", (16, 16, 1)),
            r"their layer 'conv1' is 3×3×1×16, its own 3×3×3×16\..*this input is 16×16×3",
        ),
    ],
)
def test_weights_that_do_not_fit_change_nothing(old: object, message: str) -> None:
    model = small()
    before = weights_of(model)
    with pytest.raises(UsageError, match=f"do not fit resnet20: {message}"):
        load_by_name(model, weights_of(old()))  # type: ignore[operator]
    assert all(equal(found, before[name]) for name, found in weights_of(model).items())


def test_auxiliary_classifiers_may_be_missing() -> None:
    trained, again = three_heads(), three_heads()
    main = main_network(trained)
    assert set(weights_of(main)) == {"a", "b", "logits"}
    assert main.name == "heads"
    image = np.random.default_rng(0).random((2, 8, 8, 1), np.float32)
    np.testing.assert_array_equal(main(image), trained(image)[0])
    heads = ["a_aux_fc", "a_aux_logits", "b_aux_fc", "b_aux_logits"]
    assert sorted(load_by_name(again, weights_of(main))) == heads
    assert load_by_name(again, weights_of(trained)) == []
    assert main_network(main) is main


@pytest.mark.parametrize("name", ["pre_logits", "prelogits"])
def test_a_layer_before_the_classifier_is_not_taken_for_it(name: str) -> None:
    def network(units: int) -> keras.Model:
        image = keras.Input((4, 4, 1))
        x = layers.Dense(units, name=name)(layers.Flatten()(image))
        return keras.Model(image, layers.Dense(3, name="logits")(x), name="net")

    old, new = network(5), network(5)
    assert load_by_name(new, weights_of(old), classifier=False) == ["logits"]
    assert equal(weights_of(new)[name], weights_of(old)[name])
    with pytest.raises(UsageError, match=rf"their layer '{name}' is 16×6 with 6, its own 16×5"):
        load_by_name(new, weights_of(network(6)))


@pytest.mark.parametrize(
    "name",
    ["zip.pth", "stream.PT", "a.ckpt", "b.pth.tar", "c.safetensors", "keras2.h5", "keras2.HDF5"],
)
def test_published_weights_must_be_imported_first(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if "keras2" in name:
        small().save(tmp_path / "saved.h5")
        (tmp_path / "saved.h5").rename(path)
    elif name == "c.safetensors":
        save_file({"fc.bias": np.zeros(3)}, path)
    else:
        written = "formats_stream.pth" if "stream" in name else "formats.pth"
        path.write_bytes((FIXTURES / written).read_bytes())
    said = f"cnn-keras import-weights NAME {path} --out RUN"
    with pytest.raises(Error, match=said):
        Pretrained.open(path)  # as `train --weights` does
    with pytest.raises(Error, match=said):
        cnn_keras.build("lenet5", weights=path)


def test_files_without_weights_are_reported(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"No such weights: .*nowhere"):
        read_weights(tmp_path / "nowhere.keras")
    with pytest.raises(Error, match=r"No such weights: .*model\.keras"):
        Pretrained.open(tmp_path)
    (tmp_path / "text.keras").write_text("not a network")
    with pytest.raises(Error, match="cannot be read as a"):
        read_weights(tmp_path / "text.keras")
    small().save(tmp_path / "cut.keras")
    content = (tmp_path / "cut.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(Error, match="cannot be read as a"):
        read_weights(tmp_path / "cut.keras")


def test_parameters_are_counted_without_optimizer_and_dropout(tmp_path: Path) -> None:
    layers = [keras.layers.Dense(3), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "model.keras")
    assert count_parameters(tmp_path / "model.keras") == model.count_params() == 15 + 12
    (tmp_path / "model.keras").write_text("not a network")
    with pytest.raises(Error, match=r"model\.keras cannot be read as a \.keras file"):
        count_parameters(tmp_path / "model.keras")
