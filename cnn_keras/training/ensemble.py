"""Ensembles: networks that were trained independently, and the average of their probabilities.

Seeds make them differ: in the initial weights, in the images' order and distortions and, with
`--train-images`, in the images themselves.
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
from .classifier_head import with_probabilities
from .run_folder import Run, is_free
from .train import save_model

if TYPE_CHECKING:
    import keras

MAX_SUBSETS = 500  # of one size; of more, that many are drawn


def combine(members: Sequence[keras.Model], name: str = "ensemble") -> keras.Model:
    """Return one model that shows an image to every member and averages their probabilities.

    A member is a model inside it, `member_0`, `member_1`, ..., so that their layers keep their
    names.

    Args:
        members: Two or more, of one output and the same shapes, which keep their weights; logits
            get a softmax first.
        name: Of the model.

    Raises:
        UsageError: Fewer than two members, or of different shapes.

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
        raise UsageError(f"An ensemble's members need the same shapes, unlike {sorted(shapes)}.")
    members = [with_probabilities(model) for model in members]
    image = keras.Input(members[0].input_shape[1:], name="image")
    answers = [
        keras.Model(model.inputs[0], model.outputs[0], name=f"member_{place}")(image)
        for place, model in enumerate(members)
    ]
    average = keras.layers.Average(name="probabilities", dtype="float32")
    return keras.Model(image, average(answers), name=name)


class Size(NamedTuple):
    """What ensembles of so many members get wrong.

    Attributes:
        members: How many.
        errors: Share of the images that each ensemble gets wrong, 0 to 1.
        wrong: Share of the ensembles that get each image wrong, `(images,)`.
    """

    members: int
    errors: list[float]
    wrong: NDArray[np.float64]


def sizes(answers: NDArray[np.float32], labels: Labels, seed: int = 0) -> list[Size]:
    """Make every ensemble of 1, 2, ... members and count its errors.

    Args:
        answers: Each member's probabilities, `(members, images, classes)`.
        labels: Class numbers `(images,)`.
        seed: Decides which ensembles of a size are made where there are too many.

    Example:
        >>> one, two = sizes(np.float32([[[0.9, 0.1]], [[0.4, 0.6]]]), np.array([0]))
        >>> one.errors, two.errors
        ([0.0, 1.0], [0.0])
    """
    found = []
    for size in range(1, len(answers) + 1):
        wrong = [
            answers[list(chosen)].mean(axis=0).argmax(axis=1) != labels
            for chosen in _subsets(len(answers), size, seed)
        ]
        errors = [float(each.mean()) for each in wrong]
        found.append(Size(size, errors, np.mean(wrong, axis=0)))
    return found


def _subsets(count: int, size: int, seed: int) -> Sequence[tuple[int, ...]]:
    """Return every choice of `size` of `count` members, or `MAX_SUBSETS` different ones."""
    if comb(count, size) <= MAX_SUBSETS:
        return list(combinations(range(count), size))
    draw = np.random.default_rng([seed, size])
    drawn: set[tuple[int, ...]] = set()
    while len(drawn) < MAX_SUBSETS:
        drawn.add(tuple(sorted(draw.choice(count, size, replace=False).tolist())))
    return sorted(drawn)


def save(
    members: Sequence[Run],
    models: Sequence[keras.Model],
    metrics: dict[str, Any],
    out: Path,
) -> Run:
    """Write an ensemble as a run folder, which `evaluate`, `predict` and `export` take.

    Args:
        members: Finished runs of one training with several seeds.
        models: Their networks.
        metrics: What the ensemble is worth, see `evaluate.results`.
        out: The folder; an ensemble in it is replaced.

    Raises:
        UsageError: `out` holds something else, or the members see images in different ways.
    """
    require_replaceable(out)
    first = members[0]
    for other in members[1:]:
        if (other.preprocessing, other.classes) != (first.preprocessing, first.classes):
            raise UsageError(f"{first.path} and {other.path} differ in preprocessing or classes.")
    model = combine(models)
    out.mkdir(parents=True, exist_ok=True)
    run = Run(out)
    (out / "model.keras").unlink(missing_ok=True)  # never beside what is said of another ensemble
    about = {"members": [os.path.relpath(member.path, out) for member in members]}
    run.describe(first.config | about, first.preprocessing, first.classes)
    run.write_json("metrics.json", metrics | {"hardware": hardware(), "versions": versions()})
    save_model(model, out / "model.keras")
    return run


def require_replaceable(out: Path) -> None:
    """Refuse a folder that holds something else than an ensemble.

    Raises:
        UsageError: It does.
    """
    if is_free(out):
        return
    if not (out / "config.json").is_file() or not Run(out).is_ensemble:
        raise UsageError(f"{out} exists and is no ensemble: choose another folder to save it in.")
