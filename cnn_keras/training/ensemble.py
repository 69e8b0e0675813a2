"""Ensembles: the average of the probabilities of independently trained networks.

The networks differ by their seed: in the initial weights, in the order and augmentation of the
images and, with `--train-images`, in the images themselves.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.splits import Labels
from ..errors import UsageError
from ..machine import hardware, versions
from ..model_files.keras_file import save_model
from .probabilities import with_probabilities
from .run_folder import Run, can_start_run, lock_run

if TYPE_CHECKING:
    import keras

MAX_SUBSETS = 500  # of one size; if there are more, this many are sampled


def combine(members: Sequence[keras.Model], name: str = "ensemble") -> keras.Model:
    """Return one model that averages the probabilities of its members.

    The members are nested models, `member_0`, `member_1`, ..., so that their layers keep their
    names.

    Args:
        members: Two models or more, with one output and the same shapes; they keep their weights.
            A softmax is added to logits.
        name: Name of the model.

    Raises:
        UsageError: There are fewer than two members, or their shapes differ.

    Example:
        >>> from cnn_keras import build
        >>> pair = combine([build("lenet5"), build("lenet5")])
        >>> [layer.name for layer in pair.layers]
        ['image', 'member_0', 'member_1', 'probabilities']
    """
    import keras

    if len(members) < 2:
        raise UsageError(f"An ensemble needs two members or more, not {len(members)}.")
    shapes = {(model.input_shape, model.output_shape) for model in members}
    if len(shapes) > 1:
        raise UsageError(f"The members of an ensemble need the same shapes, not {sorted(shapes)}.")
    members = [with_probabilities(model) for model in members]
    image = keras.Input(members[0].input_shape[1:], name="image")
    probabilities = [
        keras.Model(model.inputs[0], model.outputs[0], name=f"member_{index}")(image)
        for index, model in enumerate(members)
    ]
    average = keras.layers.Average(name="probabilities", dtype="float32")
    return keras.Model(image, average(probabilities), name=name)


class SizeErrors(NamedTuple):
    """The errors of the ensembles of one size.

    Attributes:
        members: Number of members.
        errors: Error rate of each ensemble, 0 to 1.
        wrong: Fraction of the ensembles that misclassify each image, `(images,)`.
    """

    members: int
    errors: list[float]
    wrong: NDArray[np.float64]


def errors_by_size(
    probabilities: NDArray[np.float32], labels: Labels, seed: int = 0
) -> list[SizeErrors]:
    """Return the errors of all ensembles of 1, 2, ... members.

    Args:
        probabilities: Those of each member, `(members, images, classes)`.
        labels: Class indices `(images,)`.
        seed: Seed of the sample, if there are more than `MAX_SUBSETS` ensembles of a size.

    Example:
        >>> one, two = errors_by_size(np.float32([[[0.9, 0.1]], [[0.4, 0.6]]]), np.array([0]))
        >>> one.errors, two.errors
        ([0.0, 1.0], [0.0])
    """
    found = []
    for size in range(1, len(probabilities) + 1):
        wrong = [
            probabilities[list(chosen)].mean(axis=0).argmax(axis=1) != labels
            for chosen in _subsets(len(probabilities), size, seed)
        ]
        errors = [float(each.mean()) for each in wrong]
        found.append(SizeErrors(size, errors, np.mean(wrong, axis=0)))
    return found


def _subsets(count: int, size: int, seed: int) -> Sequence[tuple[int, ...]]:
    """Return all subsets of `size` of `count` members, or a sample of `MAX_SUBSETS` of them."""
    if comb(count, size) <= MAX_SUBSETS:
        return list(combinations(range(count), size))
    generator = np.random.default_rng([seed, size])
    sample: set[tuple[int, ...]] = set()
    while len(sample) < MAX_SUBSETS:
        sample.add(tuple(sorted(generator.choice(count, size, replace=False).tolist())))
    return sorted(sample)


def save_ensemble(
    members: Sequence[Run],
    models: Sequence[keras.Model],
    metrics: dict[str, Any],
    out: Path,
) -> Run:
    """Write an ensemble as a run folder, for `evaluate`, `predict` and `export`.

    Args:
        members: Finished runs of one training with several seeds.
        models: Their networks.
        metrics: Results of the ensemble, see `evaluate.evaluate_splits`.
        out: The folder; an ensemble in it is replaced.

    Raises:
        UsageError: `out` has something else, or the members differ in preprocessing or classes.
        Error: Another process is writing `out`.
    """
    require_replaceable(out)
    first = members[0]
    for other in members[1:]:
        if (other.preprocessing, other.classes) != (first.preprocessing, first.classes):
            raise UsageError(f"{first.path} and {other.path} differ in preprocessing or classes.")
    model = combine(models)
    run = Run(out)
    with lock_run(out):
        require_replaceable(out)  # another process may have written it before the lock
        # The model of one ensemble must never be beside the description of another.
        (out / "model.keras").unlink(missing_ok=True)
        about = {"members": [os.path.relpath(member.path, out) for member in members]}
        run.describe(first.config | about, first.preprocessing, first.classes)
        run.write_json("metrics.json", metrics | {"hardware": hardware(), "versions": versions()})
        save_model(model, out / "model.keras")
    return run


def require_replaceable(out: Path) -> None:
    """Refuse a folder that has something other than an ensemble.

    Raises:
        UsageError: The folder has something else.
    """
    if can_start_run(out):
        return
    if not (out / "config.json").is_file() or not Run(out).is_ensemble:
        raise UsageError(
            f"{out} exists and is not an ensemble: choose another folder to save it in."
        )
