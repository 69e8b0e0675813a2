"""Accept or refuse a file: the same held-out images through the file and the Keras model."""

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

# On so many images a file that loses a tenth of the right answers is refused four times of five:
# five of one kind are what McNemar's test tells from chance, and 66 is the least number with which
# a binomial distribution of 0.1 gives five or more with a probability of 0.8.
ENOUGH_IMAGES = 66


@dataclass(frozen=True)
class Comparison:
    """How a file compares with the Keras model on the same images.

    Attributes:
        num_images: Images compared.
        top1_float: Share that the Keras model classifies rightly; None where nobody has labeled the
            images, and so in the next two.
        top1_file: Share that the file classifies rightly.
        drop_points: What the file loses, in percentage points; negative if it gains.
        agreement: Share of images with the same answer; this and what follows is measured against
            the network that the file was made from, where that was trained on for it.
        max_abs_error: Greatest difference of any probability; None where the file gives NaN.
        snr_db: Power of the model's probabilities over that of the differences, in decibels; None
            where there is no difference, or NaN.
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
        accepted: Whether nothing speaks against it; see `too_few_images`.
        reasons: Why not, one line each.
        too_few_images: Whether little could have spoken against it.
        remarks: What else is to be known of it, one line each.
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
    """Run a file on held-out images and hold it against the Keras model and its recipe's limits.

    A drop in accuracy beyond the limit refuses the file unless chance explains it: among the images
    that only one of the two classifies rightly, the model must lead by no more than a fair coin
    does in one of twenty trials (McNemar's exact test, one-sided). So 180 images do not refuse a
    file for one image, which is 0.56 points there; on thousands the limit alone decides. Other
    answers than the model's are counted alike: more of them than the limit allows refuse the file
    where a file at the limit gives so many in less than one of twenty trials (exact binomial test).
    Without labels there is no accuracy: the other limits, on what model and file answer, decide.

    On few images chance explains much. On fewer than `ENOUGH_IMAGES` a file against which nothing
    speaks is accepted with the remark that they are too few to judge, unless its recipe limits each
    probability of the model itself, which needs no counting.

    LiteRT runs the file in this process, which a damaged file can end; see `audit`.

    Args:
        file: Path of the file, or its bytes.
        reference: The Keras model's probabilities `(n, num_classes)` for the images.
        images: Preprocessed images `(n, height, width, channels)` that neither training nor
            calibration has seen.
        labels: Their classes `(n,)`; None if nobody knows.
        recipe: Its limits apply.
        made_from: The probabilities, for the same images, of the network that the file was made
            from, where the model was trained on for it. Then answers and probabilities are compared
            with these, and accuracy with the model's.
        advance: Called after each image.

    Raises:
        UsageError: No images, or not as many references or labels; references that are logits.
        Error: The Keras model itself gives NaN or infinity.
        ModelFileError: The file cannot be run, or takes other images.

    Reference:
        McNemar, "Note on the sampling error of the difference between correlated proportions or
        percentages", Psychometrika 12, 1947.
    """
    num_labels = len(images) if labels is None else len(labels)
    if not len(images) or not len(images) == len(reference) == num_labels:
        raise UsageError(
            f"{len(images)} images, {len(reference)} references and {num_labels} labels; "
            "verification needs as many of each."
        )
    origin = reference if made_from is None else made_from
    require_finite(reference)
    require_finite(origin)
    if not are_probabilities(reference):
        raise UsageError(
            f"The references reach from {reference.min():.3g} to {reference.max():.3g}; expected "
            "probabilities, which a file gives: put a softmax behind the model."
        )
    outputs = Interpreter(file)(images, advance)
    if outputs.shape != reference.shape:
        raise UsageError(
            f"The file has {outputs.shape[1]} classes and the Keras model {reference.shape[1]}."
        )
    answers, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    max_abs_error, snr_db = _errors(outputs, origin)
    comparison = Comparison(
        num_images=len(images),
        top1_float=None,
        top1_file=None,
        drop_points=None,
        agreement=float((answers == origin.argmax(axis=1)).mean()),
        max_abs_error=max_abs_error,
        snr_db=snr_db,
    )
    lost = gained = 0
    if labels is not None:
        right_float, right_file = expected == labels, answers == labels
        lost = int((right_float & ~right_file).sum())
        gained = int((right_file & ~right_float).sum())
        comparison = replace(
            comparison,
            top1_float=float(right_float.mean()),
            top1_file=float(right_file.mean()),
            drop_points=100 * (lost - gained) / len(images),
        )
    like = "the Keras model" if made_from is None else "the network that it was made from"
    reasons = _faults(outputs, reference) or _losses(comparison, lost, gained, recipe, like)
    counted = recipe.limits.max_abs_error is None or bool(recipe.techniques)
    too_few = not reasons and counted and len(images) < ENOUGH_IMAGES
    enough = f"too few pictures to judge: {len(images)}, and {ENOUGH_IMAGES} would be enough"
    return Verdict(
        **asdict(comparison),
        accepted=not reasons,
        reasons=tuple(reasons),
        too_few_images=too_few,
        remarks=(enough,) if too_few else (),
    )


def require_finite(reference: NDArray[np.float32]) -> None:
    """Refuse to judge by a Keras model that gives NaN or infinity.

    Raises:
        Error: It does.
    """
    if not np.isfinite(reference).all():
        raise Error("The Keras model itself gives NaN or infinity; there is nothing to compare.")


def _errors(
    outputs: NDArray[np.float32], reference: NDArray[np.float32]
) -> tuple[float | None, float | None]:
    """Return the greatest error and the signal-to-noise ratio; None where they are undefined."""
    error = outputs.astype(np.float64) - reference
    noise = float(np.square(error).sum())
    signal = float(np.square(reference.astype(np.float64)).sum())
    if not math.isfinite(noise):
        return None, None
    return float(np.abs(error).max()), 10 * math.log10(signal / noise) if noise else None


def _faults(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> list[str]:
    """Return what is wrong with the outputs whatever the labels say."""
    broken = int((~np.isfinite(outputs)).any(axis=1).sum())
    if broken:
        return [f"gives NaN or infinity for {broken} of {len(outputs)} images"]
    if len(outputs) == 1:
        return []  # of one image every answer is all of them
    if not np.ptp(outputs, axis=0).any():
        return ["gives the same probabilities for every image"]
    answers, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    usual = np.bincount(answers).argmax()
    share, due = float((answers == usual).mean()), float((expected == usual).mean())
    if share > 0.5 and share > 2 * due:
        often = "every image" if share == 1 else f"{share:.0%} of the images"
        return [f"answers class {usual} for {often}; the Keras model for {due:.0%}"]
    return []


def _losses(comparison: Comparison, lost: int, gained: int, recipe: Recipe, like: str) -> list[str]:
    """Return which limits of the recipe are exceeded; `like` names what the file is to be like."""
    limits, reasons = recipe.limits, []
    drop = comparison.drop_points or 0
    if drop > limits.max_drop_points and _chance(lost, lost + gained, 0.5) < SIGNIFICANCE:
        reasons.append(
            f"loses {drop:.2f} points of accuracy; {recipe.name} may lose {limits.max_drop_points}"
        )
    agreement, allowed = comparison.agreement, 1 - limits.min_agreement
    others = round(comparison.num_images * (1 - agreement))
    unlikely = _chance(others, comparison.num_images, allowed) < SIGNIFICANCE
    if agreement < limits.min_agreement and unlikely:
        reasons.append(
            f"agrees with {like} on {agreement:.2%} of the images; "
            f"{recipe.name} has to on {limits.min_agreement:.1%}"
        )
    error = comparison.max_abs_error
    if limits.max_abs_error is not None and error is not None and error > limits.max_abs_error:
        reasons.append(
            f"differs by up to {error:.2g} in a probability; {recipe.name} may by "
            f"{limits.max_abs_error:g}"
        )
    return reasons


def _chance(heads: int, throws: int, likely: float) -> float:
    """Return how likely so many throws give so many heads or more, each as likely as is said."""
    from scipy.stats import binom

    return float(binom.sf(heads - 1, throws, likely))
