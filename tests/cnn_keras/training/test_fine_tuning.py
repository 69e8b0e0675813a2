from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras.errors import UsageError
from cnn_keras.training.fine_tuning import Pretrained, freeze_until, options_of
from cnn_keras.training.run_folder import Run
from tests.fixtures.small_networks import equal, small, three_heads, weights_of


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


def test_a_run_tells_the_input_and_classes_of_its_weights(lenet_run: Run, tmp_path: Path) -> None:
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
