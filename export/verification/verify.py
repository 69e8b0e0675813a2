"""Acceptance of a file by its predictions for held-out images and those of the Keras model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.probabilities import are_probabilities

from ..recipes import Recipe
from ..tflite.interpreter import Interpreter
from .comparison import Comparison, compare
from .refusal import exceeded_limits, invalid_outputs

# With this many images, a file that loses a tenth of the correct predictions is refused in four of
# five cases: McNemar's test needs five lost predictions and no gained one, and 66 is the least
# number of trials for which a binomial distribution with p = 0.1 gives five or more with a
# probability of 0.8.
ENOUGH_IMAGES = 66


@dataclass(frozen=True)
class Verdict(Comparison):
    """A comparison, and whether the file is accepted.

    Attributes:
        accepted: Whether there is no reason to refuse it.
        reasons: Reasons to refuse it, one line each.
        too_few_images: Whether it is accepted on fewer images than a reliable verdict needs.
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
    accepted with the remark that they are too few for a reliable verdict, unless its recipe limits
    the error of each probability of the model itself, which needs no statistics.

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
    return judge(outputs, reference, labels, recipe, made_from)


def judge(
    outputs: NDArray[np.float32],
    reference: NDArray[np.float32],
    labels: NDArray[np.integer[Any]] | None,
    recipe: Recipe,
    made_from: NDArray[np.float32] | None = None,
) -> Verdict:
    """Apply the limits of a recipe to the probabilities `(n, num_classes)` that a file gives.

    See `verify`, also for what it raises.
    """
    source = reference if made_from is None else made_from
    _check_arguments(reference, source, outputs, labels)
    if outputs.shape != reference.shape:
        raise UsageError(
            f"The file has {outputs.shape[1]} classes and the Keras model {reference.shape[1]}."
        )
    comparison, lost, gained = compare(outputs, reference, source, labels)
    source_name = (
        "the Keras model" if made_from is None else "the network that it was converted from"
    )
    reasons = invalid_outputs(outputs, reference) or exceeded_limits(
        comparison, lost, gained, recipe, source_name
    )
    needs_statistics = recipe.limits.max_abs_error is None or bool(recipe.techniques)
    too_few = not reasons and needs_statistics and len(outputs) < ENOUGH_IMAGES
    remark = f"too few images for a reliable verdict: {len(outputs)}, fewer than {ENOUGH_IMAGES}"
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
            "verification needs the same number of each."
        )
    require_finite(reference)
    require_finite(source)
    if not are_probabilities(reference):
        raise UsageError(
            f"The references range from {reference.min():.3g} to {reference.max():.3g}; expected "
            "probabilities, as files give: add a softmax to the model."
        )
