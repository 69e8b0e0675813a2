from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnn_keras
from cnn_keras.errors import Error, UsageError
from cnn_keras.training import ensemble
from cnn_keras.training.probabilities import with_probabilities
from cnn_keras.training.run_folder import Run, lock_run
from tests.fixtures.interruptions import copies_before_each_rename


@pytest.mark.parametrize("activations", [("softmax",) * 3, (None,) * 3, (None, "softmax")])
def test_an_ensemble_predicts_the_mean_of_its_members(
    activations: tuple[str | None, ...],
) -> None:
    members = [
        cnn_keras.build("lenet5", (16, 16, 1), 4, classifier_activation=activation)
        for activation in activations
    ]
    model = ensemble.combine(members)
    images = np.random.default_rng(0).normal(size=(5, 16, 16, 1)).astype(np.float32)
    probabilities = [with_probabilities(member)(images) for member in members]
    expected = np.mean(probabilities, axis=0)
    np.testing.assert_allclose(model.predict(images, verbose=0), expected, atol=1e-6)
    assert with_probabilities(model) is model
    assert len(model.trainable_variables) == len(members) * len(members[0].trainable_variables)


def test_members_must_match() -> None:
    member = cnn_keras.build("lenet5", (16, 16, 1), 4)
    with pytest.raises(UsageError, match="two members or more, not 1"):
        ensemble.combine([member])
    with pytest.raises(UsageError, match="the same shapes"):
        ensemble.combine([member, cnn_keras.build("lenet5", (20, 20, 1), 4)])


def test_a_kill_leaves_no_mixture_of_two_ensembles(lenet_run: Run, tmp_path: Path) -> None:
    out, model = tmp_path / "ensemble", lenet_run.model()
    with copies_before_each_rename(out, tmp_path / "begun") as begun:
        ensemble.save_ensemble([lenet_run] * 2, [model] * 2, {"members": 2}, out)
    with copies_before_each_rename(out, tmp_path / "states") as states:
        ensemble.save_ensemble([lenet_run] * 3, [model] * 3, {"members": 3}, out)
    assert len(states) == 5
    assert not [state for state in states if (state / "model.keras").exists()]
    for state in (*begun[:2], states[0], states[-1]):
        ensemble.save_ensemble([lenet_run] * 3, [model] * 3, {"members": 3}, state)
        names = {path.name for path in state.iterdir() if not path.name.startswith(".")}
        assert names == {path.name for path in out.iterdir()}


def test_a_folder_that_is_written_is_refused(lenet_run: Run, tmp_path: Path) -> None:
    out, model = tmp_path / "ensemble", lenet_run.model()
    with lock_run(out), pytest.raises(Error, match=f"is training in {out}"):
        ensemble.save_ensemble([lenet_run] * 2, [model] * 2, {"members": 2}, out)
    assert not out.exists()


def test_every_ensemble_of_a_size_counts_once() -> None:
    # One image of class 0: one member is right with certainty, two are slightly wrong.
    right = np.float32([0.9, 0.4, 0.3])
    answers = np.stack([right, 1 - right], axis=-1)[:, None]
    one, two, three = ensemble.errors_by_size(answers, np.array([0]))
    assert (one.members, one.errors) == (1, [0, 1, 1])
    assert (two.members, two.errors) == (2, [0, 0, 1])  # the first member outweighs another
    assert (three.members, three.errors) == (3, [0])
    assert [size.wrong.tolist() for size in (one, two, three)] == [[2 / 3], [1 / 3], [0]]


def test_a_sample_of_the_ensembles_depends_on_the_seed_only() -> None:
    answers = np.random.default_rng(0).random((12, 5, 3)).astype(np.float32)
    labels = np.zeros(5, int)
    found, again = (
        ensemble.errors_by_size(answers, labels, 1),
        ensemble.errors_by_size(answers, labels, 1),
    )
    assert [len(size.errors) for size in found] == [
        *(12, 66, 220, 495, 500, 500),
        *(500, 495, 220, 66, 12, 1),
    ]
    assert [size.errors for size in found] == [size.errors for size in again]
    assert found[5].errors != ensemble.errors_by_size(answers, labels, 2)[5].errors
