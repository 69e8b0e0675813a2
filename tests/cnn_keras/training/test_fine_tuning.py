from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.layer_weights import load_by_name, read_weights
from cnn_keras.training.config import Training
from cnn_keras.training.fine_tuning import (
    Pretrained,
    freeze_until,
    identity_modules,
    pretrained_options,
)
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import initial_model, train
from tests.fixtures.image_folders import write
from tests.fixtures.interruptions import interrupt
from tests.fixtures.small_networks import (
    equal,
    small,
    three_heads,
    weights_of,
    with_random_normalization,
)


def test_frozen_rows_and_their_moving_statistics_do_not_change() -> None:
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


def test_auxiliary_classifiers_of_frozen_rows_are_trained() -> None:
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
def test_rows_that_cannot_be_frozen_are_refused(row: str, message: str) -> None:
    model = small()
    with pytest.raises(UsageError, match=message):
        freeze_until(model, row)
    assert len(model.trainable_variables) == len(small().trainable_variables)


def test_pretrained_weights_have_the_input_and_classes_of_their_run(
    lenet_run: Run, tmp_path: Path
) -> None:
    for path in (lenet_run.path, lenet_run.path / "best.keras"):
        found = Pretrained.open(path)
        assert found.preprocessing == lenet_run.preprocessing
        assert found.classes == tuple("0123456789")
        assert found.shape == (32, 32, 1)
        assert pretrained_options(path, "lenet5") == {}
    assert Pretrained.open(lenet_run.path).path == lenet_run.path / "model.keras"
    with pytest.raises(UsageError, match="are of lenet5, not resnet20"):
        pretrained_options(lenet_run.path, "resnet20")
    small(side=20).save(tmp_path / "model.keras")
    (tmp_path / "config.json").write_text('{"of": "another program"}')
    bare = Pretrained.open(tmp_path / "model.keras")
    assert bare[2:] == ((20, 20, 3), None, None)
    assert pretrained_options(tmp_path / "model.keras", "resnet20") == {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("images") / "digits", count=60)


def from_folder(folder: Path, **others: object) -> Training:
    recipe = {"epochs": 4, "batch_size": 16, "learning_rate": 0.02, "flip": False}
    return Training.of("lenet5", f"folder:{folder}", recipe=recipe, **others)


def weights(run: Run) -> list[np.ndarray]:
    found: list[np.ndarray] = run.model().get_weights()
    return found


def test_weights_are_fine_tuned(lenet_run: Run, folder: Path, tmp_path: Path) -> None:
    training = from_folder(folder, weights=lenet_run.path, freeze_until="c5")
    run = train(training, tmp_path / "run")
    assert run.preprocessing == lenet_run.preprocessing
    assert run.config["weights"] == str(lenet_run.path)
    assert run.config["freeze_until"] == "c5"
    before, after = (read_weights(r.path / "model.keras") for r in (lenet_run, run))
    same = {layer for layer in after if np.array_equal(before[layer][-1], after[layer][-1])}
    assert same == {"c1", "c3", "c5"}
    assert after["logits"][0].shape == (84, 3)
    assert run.metrics["test"]["accuracy"] > 0.9
    interrupt(training, tmp_path / "interrupted", epoch=1)
    resumed = train(training, tmp_path / "interrupted")
    assert all(np.array_equal(a, b) for a, b in zip(weights(run), weights(resumed), strict=True))
    with pytest.raises(UsageError, match="freeze_until c5, not c3"):
        train(from_folder(folder, weights=lenet_run.path, freeze_until="c3"), run.path)
    with pytest.raises(UsageError, match=r"weights .* not None"):
        train(from_folder(folder), run.path)
    with pytest.raises(Error, match="do not follow from its seed"):
        initial_model(run)


def test_the_classifier_of_the_same_classes_is_loaded(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
    run = train(
        Training.of("lenet5", "digits", recipe=still, weights=lenet_run.path / "best.keras"),
        tmp_path / "run",
    )
    assert "into all layers; 61,706 of 61,706 weights" in capsys.readouterr().err
    before, after = (read_weights(path / "best.keras") for path in (lenet_run.path, run.path))
    np.testing.assert_allclose(after["logits"][0], before["logits"][0], atol=1e-6)


def test_the_options_of_a_run_are_taken_over(tmp_path: Path) -> None:
    old = Training.of("lenet5", "digits", recipe={"epochs": 1}, options={"activation": "sigmoid"})
    path = train(replace(old, train_images=320), tmp_path / "old").path
    new = Training.of("lenet5", "digits", recipe={"epochs": 1}, weights=path)
    assert new.options == {"activation": "sigmoid"}
    with pytest.raises(UsageError, match="are of lenet5, not resnet20"):
        Training.of("resnet20", "digits", recipe={}, weights=path)


def test_weights_that_do_not_fit_write_no_run(lenet_run: Run, tmp_path: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={}, weights=lenet_run.path, image_size=64)
    with pytest.raises(UsageError, match="their layer 'c5' is 400×120 with 120, its own 2704×120"):
        train(training, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("shallow", "deep", "options"),
    [
        ("resnet20", "resnet32", {}),
        ("resnet20", "resnet32", {"shortcut": "B"}),
        ("resnet18", "resnet34", {"stem": "small"}),
        ("resnet18", "resnet34", {"stem": "small", "preactivation": True}),
        ("resnet50", "resnet101", {"stem": "small", "stride_on": "3x3"}),
    ],
)
def test_modules_that_a_shallower_network_lacks_are_identities(
    shallow: str, deep: str, options: dict[str, object]
) -> None:
    shape = (12, 12, 3)
    old, model = (
        cnn_keras.build(name, shape, 3, classifier_activation=None, **options)
        for name in (shallow, deep)
    )
    with_random_normalization(old)
    weights = weights_of(old)
    added = identity_modules(model, weights)
    assert set(added) == set(weights_of(model)) - set(weights)
    assert load_by_name(model, {**weights, **added}) == []
    images = np.random.default_rng(0).random((4, *shape), np.float32)
    expected = keras.ops.convert_to_numpy(old(images))
    assert np.ptp(expected[:, 0]) > 1e-3
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(model(images)), expected)


def test_identity_modules_learn() -> None:
    shallow, model = (small(depth=depth) for depth in (8, 14))
    added = identity_modules(model, weights_of(shallow))
    load_by_name(model, {**weights_of(shallow), **added})
    model.compile(keras.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
    images = np.random.default_rng(0).random((8, 16, 16, 3), np.float32)
    model.fit(images, np.arange(8) % 3, epochs=2, verbose=0)  # the scales, then all
    after = weights_of(model)
    assert [name for name in added if np.array_equal(after[name][0], added[name][0])] == []


def test_only_whole_residual_modules_are_added() -> None:
    assert identity_modules(small(), weights_of(small())) == {}
    plain = {depth: small(depth=depth, shortcut="none") for depth in (8, 14)}
    assert identity_modules(plain[14], weights_of(plain[8])) == {}
    weights = weights_of(small())
    del weights["conv2_2_a"], weights["conv3_1_a"]
    assert identity_modules(small(), weights) == {}
    # The first module of a stage changes the shape.
    lacking = {name: found for name, found in weights.items() if not name.startswith("conv3_1")}
    assert identity_modules(small(), lacking) == {}


@pytest.mark.parametrize(
    ("network", "weights"),
    [
        ("resnet20", "resnet32"),  # deeper
        ("plain32", "resnet20"),
        ("resnet34", "resnet20"),
        ("vgg16", "vgg11"),
    ],
)
def test_weights_of_other_networks_are_refused(network: str, weights: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"network": weights, "options": {}}))
    (tmp_path / "labels.txt").write_text("a\nb\n")
    (tmp_path / "preprocessing.json").write_text("{}")
    with pytest.raises(UsageError, match=f"are of {weights}, not {network}"):
        pretrained_options(tmp_path, network)


def test_a_network_is_trained_from_a_shallower_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    still = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0}
    options = {"depth": 8, "shortcut": "B"}
    first = Training.of("resnet20", "digits", recipe=still, options=options, train_images=320)
    shallow = train(first, tmp_path / "shallow")
    second = Training.of("resnet32", "digits", recipe=still, weights=shallow.path)
    assert second.options == {"shortcut": "B"}
    training = replace(second, options={"shortcut": "B", "depth": 14}, train_images=320)
    deep = train(training, tmp_path / "deep")
    assert "all layers; the 3 modules that they lack start as identities" in capsys.readouterr().err
    before, after = (read_weights(run.path / "model.keras") for run in (shallow, deep))
    assert set(before) < set(after)
    for name, arrays in before.items():  # the moving statistics move
        np.testing.assert_allclose(after[name][0], arrays[0], atol=1e-6, err_msg=name)
