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
    freeze_until,
    load_by_name,
    main_network,
    read_weights,
)
from cnn_keras.training.pretrained import Pretrained, options_of
from cnn_keras.training.run_folder import Run
from tests.fixtures import FIXTURES


def weights_of(model: keras.Model) -> dict[str, list[np.ndarray]]:
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


def equal(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def small(num_classes: int = 3, side: int = 16, **options: object) -> keras.Model:
    return cnn_keras.build("resnet20", (side, side, 3), num_classes, **options)


def three_heads(num_classes: int = 3) -> keras.Model:
    """A network whose rows `a` and `b` each also have a classifier of their own."""
    image = x = keras.Input((8, 8, 1), name="image")
    heads = []
    for row in ("a", "b"):
        x = layers.Conv2D(4, 3, activation="relu", name=row)(x)
        head = layers.Flatten(name=f"{row}_aux_flatten")(x)
        head = layers.Dense(4, name=f"{row}_aux_fc")(head)
        heads.append(layers.Dense(num_classes, name=f"{row}_aux_logits")(head))
    x = layers.Flatten(name="flatten")(x)
    return keras.Model(image, [layers.Dense(num_classes, name="logits")(x), *heads], name="heads")


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


def test_a_network_starts_from_another_one_s_weights() -> None:
    old, new = small(10), small(3)
    before = weights_of(new)
    assert load_by_name(new, weights_of(old)) == ["logits"]
    for name, found in weights_of(new).items():
        assert equal(found, before[name] if name == "logits" else weights_of(old)[name])


def test_other_sizes_take_the_weights_of_a_fully_convolutional_network() -> None:
    old, new = small(side=16), small(side=24)
    assert load_by_name(new, weights_of(old)) == []
    image = np.random.default_rng(0).random((1, 24, 24, 3), np.float32)
    assert np.ptp(new(image)) > 0


def test_a_classifier_of_the_same_shape_is_taken_unless_it_is_not_wanted() -> None:
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


def test_auxiliary_heads_may_be_missing_and_are_left_out() -> None:
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
def test_a_layer_before_the_classifier_is_none_whatever_it_is_called(name: str) -> None:
    def network(units: int) -> keras.Model:
        image = keras.Input((4, 4, 1))
        x = layers.Dense(units, name=name)(layers.Flatten()(image))
        return keras.Model(image, layers.Dense(3, name="logits")(x), name="net")

    old, new = network(5), network(5)
    assert load_by_name(new, weights_of(old), classifier=False) == ["logits"]
    assert equal(weights_of(new)[name], weights_of(old)[name])
    with pytest.raises(UsageError, match=rf"their layer '{name}' is 16×6 with 6, its own 16×5"):
        load_by_name(new, weights_of(network(6)))


def test_frozen_rows_stay_as_they_are_with_their_moments() -> None:
    model = small()
    freeze_until(model, "conv3_1")
    trained = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert "conv3_1_b_bn" not in trained
    assert "conv3_2_a" in trained
    before = weights_of(model)
    model.compile("sgd", "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).random((8, 16, 16, 3), np.float32)
    model.fit(images, np.arange(8) % 3, verbose=0)
    moved = {name for name, found in weights_of(model).items() if not equal(found, before[name])}
    assert moved == {name for name in before if name >= "conv3_2" and "shortcut" not in name}


def test_heads_are_trained_though_their_row_is_frozen() -> None:
    model = three_heads()
    freeze_until(model, "b")
    trained = {variable.path.split("/")[0] for variable in model.trainable_variables}
    assert trained == {"a_aux_fc", "a_aux_logits", "b_aux_fc", "b_aux_logits", "logits"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("conv5_1", "Unknown row of resnet20 'conv5_1'. Did you mean 'conv"),
        ("image", "Unknown row of resnet20 'image'. Choose from: conv1, conv2_1"),
        ("logits", "Nothing is left to train after row 'logits'"),
    ],
)
def test_rows_that_cannot_be_frozen(row: str, message: str) -> None:
    model = small()
    with pytest.raises(UsageError, match=message):
        freeze_until(model, row)
    assert len(model.trainable_variables) == len(small().trainable_variables)


def test_a_run_says_how_its_weights_were_made(lenet_run: Run, tmp_path: Path) -> None:
    for path in (lenet_run.path, lenet_run.path / "best.keras"):
        found = Pretrained.open(path)
        assert found.preprocessing == lenet_run.preprocessing
        assert found.classes == tuple("0123456789")
        assert found.shape == (32, 32, 1)
        assert options_of(path, "lenet5") == {}
    assert Pretrained.open(lenet_run.path).path == lenet_run.path / "model.keras"
    with pytest.raises(UsageError, match="are of lenet5, not resnet20"):
        options_of(lenet_run.path, "resnet20")
    small(side=20).save(tmp_path / "model.keras")
    (tmp_path / "config.json").write_text('{"of": "another program"}')
    bare = Pretrained.open(tmp_path / "model.keras")
    assert bare[2:] == ((20, 20, 3), None, None)
    assert options_of(tmp_path / "model.keras", "resnet20") == {}


@pytest.mark.parametrize(
    "name",
    ["zip.pth", "stream.PT", "a.ckpt", "b.pth.tar", "c.safetensors", "keras2.h5", "keras2.HDF5"],
)
def test_published_weights_are_to_be_imported_first(name: str, tmp_path: Path) -> None:
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


def test_files_without_weights_are_said(tmp_path: Path) -> None:
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
