"""Acceptance of a file by its predictions for held-out images and those of the Keras model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.classifier_head import are_probabilities
from cnn_keras.training.evaluate import SIGNIFICANCE

from ..recipes import Recipe
from ..tflite.interpreter import Interpreter

# With this many images, a file that loses a tenth of the correct predictions is refused in four of
# five cases: McNemar's test needs five lost predictions and no gained one, and 66 is the least
# number of trials for which a binomial distribution with p = 0.1 gives five or more with a
# probability of 0.8.
ENOUGH_IMAGES = 66


@dataclass(frozen=True)
class Comparison:
    """How a file compares with the Keras model on the same images.

    The last three attributes compare the file with the network after further training, if its
    recipe includes any.

    Attributes:
        num_images: Number of images.
        top1_float: Top-1 accuracy of the Keras model; None for images without labels.
        top1_file: Top-1 accuracy of the file; None for images without labels.
        drop_points: Accuracy that the file loses, in percentage points, negative if it gains; None
            for images without labels.
        agreement: Share of images for which both predict the same class.
        max_abs_error: Greatest difference of any probability; None if the file gives NaN.
        snr_db: Power of the model's probabilities over that of the differences, in decibels; None
            if there is no difference, or NaN.
    """

    num_images: int
    top1_float: float | None
    top1_file: float | None
    drop_points: float | None
    agreement: float
    max_abs_error: float | None
    snr_db: float | None


@dataclass(frozen=True)
class Verdict(Comparison):
    """A comparison, and whether the file is fit to ship.

    Attributes:
        accepted: Whether there is no reason to refuse it.
        reasons: Reasons to refuse it, one line each.
        too_few_images: Whether it is accepted on fewer images than a judgment needs.
        remarks: Remarks about the verdict, one line each.
    """

    accepted: bool
    reasons: tuple[str, ...]
    too_few_images: bool
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return asdict(self)


def verify(
    file: str | Path | bytes,
    reference: NDArray[np.float32],
    images: NDArray[np.float32],
    labels: NDArray[np.integer[Any]] | None,
    recipe: Recipe,
    made_from: NDArray[np.float32] | None = None,
    advance: Callable[[], None] | None = None,
) -> Verdict:
    """Compare a file with the Keras model on held-out images, and apply the limits of its recipe.

    A drop in accuracy beyond the limit refuses the file unless chance explains it: among the images
    that only one of the two classifies correctly, the model must lead by no more than a fair coin
    does in one of twenty trials (McNemar's exact test, one-sided). So 180 images do not refuse a
    file for one image, which is 0.56 points there; with thousands of images the limit alone
    decides. Disagreement is treated alike: more of it than the limit allows refuses the file if a
    file at the limit disagrees that often in less than one of twenty trials (exact binomial test).
    Without labels there is no accuracy, and the other limits decide.

    With few images, chance explains much. A file that passes on fewer than `ENOUGH_IMAGES` is
    accepted with the remark that they are too few to judge, unless its recipe limits the error of
    each probability of the model itself, which needs no statistics.

    LiteRT runs the file in this process, which a damaged file can crash; see `audit`.

    Args:
        file: Path of the file, or its bytes.
        reference: The Keras model's probabilities `(n, num_classes)` for the images.
        images: Preprocessed images `(n, height, width, channels)` that were used neither in
            training nor in calibration.
        labels: Their classes `(n,)`; None without labels.
        recipe: The recipe, with its limits.
        made_from: Probabilities, for the same images, of the network that the file was converted
            from, if the recipe includes further training. Agreement and error are then measured
            against these, and accuracy against the model's.
        advance: Called after each image.

    Raises:
        UsageError: There are no images, the numbers of images, probabilities and labels differ, or
            `reference` holds logits.
        Error: The Keras model itself gives NaN or infinity.
        ModelFileError: The file cannot be run, or takes images of another shape.

    Reference:
        McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12, 1947.
    """
    source = reference if made_from is None else made_from
    _check_arguments(reference, source, images, labels)
    outputs = Interpreter(file)(images, advance)
    if outputs.shape != reference.shape:
        raise UsageError(
            f"The file has {outputs.shape[1]} classes and the Keras model {reference.shape[1]}."
        )
    comparison, lost, gained = _compare(outputs, reference, source, labels)
    source_name = "the Keras model" if made_from is None else "the network that it was made from"
    reasons = _invalid_outputs(outputs, reference) or _exceeded_limits(
        comparison, lost, gained, recipe, source_name
    )
    needs_statistics = recipe.limits.max_abs_error is None or bool(recipe.techniques)
    too_few = not reasons and needs_statistics and len(images) < ENOUGH_IMAGES
    remark = f"too few pictures to judge: {len(images)}, and {ENOUGH_IMAGES} would be enough"
    return Verdict(
        **asdict(comparison),
        accepted=not reasons,
        reasons=tuple(reasons),
        too_few_images=too_few,
        remarks=(remark,) if too_few else (),
    )


def require_finite(reference: NDArray[np.float32]) -> None:
    """Refuse a Keras model that gives NaN or infinity.

    Raises:
        Error: It does.
    """
    if not np.isfinite(reference).all():
        raise Error("The Keras model itself gives NaN or infinity; there is nothing to compare.")


def _check_arguments(
    reference: NDArray[np.float32],
    source: NDArray[np.float32],
    images: NDArray[np.float32],
    labels: NDArray[np.integer[Any]] | None,
) -> None:
    num_labels = len(images) if labels is None else len(labels)
    if not len(images) or not len(images) == len(reference) == num_labels:
        raise UsageError(
            f"{len(images)} images, {len(reference)} references and {num_labels} labels; "
            "verification needs as many of each."
        )
    require_finite(reference)
    require_finite(source)
    if not are_probabilities(reference):
        raise UsageError(
            f"The references range from {reference.min():.3g} to {reference.max():.3g}; expected "
            "probabilities, as files give: add a softmax to the model."
        )


def _compare(
    outputs: NDArray[np.float32],
    reference: NDArray[np.float32],
    source: NDArray[np.float32],
    labels: NDArray[np.integer[Any]] | None,
) -> tuple[Comparison, int, int]:
    """Return the comparison, and the counts of correct predictions that are lost and gained."""
    predicted = outputs.argmax(axis=1)
    max_abs_error, snr_db = _errors(outputs, source)
    comparison = Comparison(
        num_images=len(outputs),
        top1_float=None,
        top1_file=None,
        drop_points=None,
        agreement=float((predicted == source.argmax(axis=1)).mean()),
        max_abs_error=max_abs_error,
        snr_db=snr_db,
    )
    if labels is None:
        return comparison, 0, 0
    correct_float, correct_file = reference.argmax(axis=1) == labels, predicted == labels
    lost = int((correct_float & ~correct_file).sum())
    gained = int((correct_file & ~correct_float).sum())
    comparison = replace(
        comparison,
        top1_float=float(correct_float.mean()),
        top1_file=float(correct_file.mean()),
        drop_points=100 * (lost - gained) / len(outputs),
    )
    return comparison, lost, gained


def _errors(
    outputs: NDArray[np.float32], source: NDArray[np.float32]
) -> tuple[float | None, float | None]:
    """Return the greatest error and the signal-to-noise ratio; None where they are undefined."""
    error = outputs.astype(np.float64) - source
    noise = float(np.square(error).sum())
    signal = float(np.square(source.astype(np.float64)).sum())
    if not math.isfinite(noise):
        return None, None
    return float(np.abs(error).max()), 10 * math.log10(signal / noise) if noise else None


def _invalid_outputs(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> list[str]:
    """Return what is wrong with the outputs, independent of the labels and the recipe."""
    num_invalid = int((~np.isfinite(outputs)).any(axis=1).sum())
    if num_invalid:
        return [f"gives NaN or infinity for {num_invalid} of {len(outputs)} images"]
    if len(outputs) == 1:
        return []  # a single prediction is always the same
    if not np.ptp(outputs, axis=0).any():
        return ["gives the same probabilities for every image"]
    predicted, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    most_frequent = np.bincount(predicted).argmax()
    share = float((predicted == most_frequent).mean())
    expected_share = float((expected == most_frequent).mean())
    if share > 0.5 and share > 2 * expected_share:
        images = "every image" if share == 1 else f"{share:.0%} of the images"
        return [
            f"predicts class {most_frequent} for {images}; the Keras model for {expected_share:.0%}"
        ]
    return []


def _exceeded_limits(
    comparison: Comparison, lost: int, gained: int, recipe: Recipe, source_name: str
) -> list[str]:
    """Return which limits of a recipe are exceeded.

    Args:
        comparison: The comparison.
        lost: Images that only the Keras model classifies correctly.
        gained: Images that only the file classifies correctly.
        recipe: The recipe.
        source_name: What agreement and error are measured against.
    """
    limits, reasons = recipe.limits, []
    drop = comparison.drop_points or 0
    if drop > limits.max_drop_points and _p_value(lost, lost + gained, 0.5) < SIGNIFICANCE:
        reasons.append(
            f"loses {drop:.2f} points of accuracy; {recipe.name} may lose {limits.max_drop_points}"
        )
    agreement = comparison.agreement
    disagreements = round(comparison.num_images * (1 - agreement))
    p_value = _p_value(disagreements, comparison.num_images, 1 - limits.min_agreement)
    if agreement < limits.min_agreement and p_value < SIGNIFICANCE:
        reasons.append(
            f"agrees with {source_name} on {agreement:.2%} of the images; "
            f"{recipe.name} has to on {limits.min_agreement:.1%}"
        )
    error = comparison.max_abs_error
    if limits.max_abs_error is not None and error is not None and error > limits.max_abs_error:
        reasons.append(
            f"differs by up to {error:.2g} in a probability; {recipe.name} may by "
            f"{limits.max_abs_error:g}"
        )
    return reasons


def _p_value(successes: int, trials: int, probability: float) -> float:
    """Return the probability of at least this many successes in independent trials."""
    from scipy.stats import binom

    return float(binom.sf(successes - 1, trials, probability))
