"""The rules that refuse a file: by what it contains, what it computes, and what it loses."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnn_keras.training.evaluate import SIGNIFICANCE

from ..recipes import Recipe
from ..tflite.flatbuffer import scope_of
from ..tflite.interpreter import COMPILED_FOR
from .audit import Audit
from .comparison import Comparison


def problems(audit: Audit, recipe: Recipe | None = None) -> list[str]:
    """Return the problems for which an audit refuses a file, one line each.

    Args:
        audit: What the file contains.
        recipe: Recipe that the file should be stored by; without it, only problems that no file may
            have are found.
    """
    found = [
        f"runs only on {COMPILED_FOR[op]}: {op}" for op in audit.custom_ops if op in COMPILED_FOR
    ]
    if unknown := [op for op in audit.custom_ops if op not in COMPILED_FOR]:
        found.append(f"needs operations outside TFLite: {', '.join(unknown)}")
    if audit.dynamic_dimensions and not audit.dynamic_batch:
        found.append(f"has dynamic dimensions: {', '.join(audit.dynamic_dimensions)}")
    classes = audit.output.shape[-1] if audit.output.shape else 1
    if audit.num_labels not in (None, classes):
        found.append(f"has {audit.num_labels} labels for {classes} classes")
    if recipe and audit.recipe != recipe.stored_as:
        found.append(f"is stored as {audit.recipe or 'no known recipe'}, not as {recipe.stored_as}")
    if islands := unexpected_islands(audit, recipe):
        found.append(
            f"computes in floating point inside an integer file: {', '.join(islands)} (`export "
            f"--keep-float '{_layer_pattern(islands)}'` keeps the whole layers in floating point)"
        )
    return found


def reasons_to_refuse(audit: Audit, recipe: Recipe, verify_reasons: Sequence[str]) -> list[str]:
    """Return all reasons to refuse a file, one line each.

    Args:
        audit: What the file contains.
        recipe: Recipe that the file should be stored by.
        verify_reasons: Reasons from `verify`. If normalizations that compute in integers may cause
            them, a further line gives the pattern that keeps these in floating point.
    """
    reasons = [*problems(audit, recipe), *verify_reasons]
    if verify_reasons and audit.integer_rsqrt and not unexpected_islands(audit, recipe):
        reasons.append(
            "normalizes by the image's own statistics in integers, which may be too coarse "
            f"(`export --keep-float '{_layer_pattern(audit.integer_rsqrt)}'` keeps these layers in "
            "floating point)"
        )
    return reasons


def unexpected_islands(audit: Audit, recipe: Recipe | None = None) -> list[str]:
    """Return the float islands that a recipe does not allow, as ``OPERATION tensor``."""
    return [island for island in audit.float_islands if not _is_allowed(island, audit, recipe)]


def invalid_outputs(outputs: NDArray[np.float32], reference: NDArray[np.float32]) -> list[str]:
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


def exceeded_limits(
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
    if drop > limits.max_drop_points and p_value(lost, lost + gained, 0.5) < SIGNIFICANCE:
        reasons.append(
            f"loses {drop:.2f} points of accuracy; {recipe.name} may lose {limits.max_drop_points}"
        )
    agreement = comparison.agreement
    disagreements = round(comparison.num_images * (1 - agreement))
    chance = p_value(disagreements, comparison.num_images, 1 - limits.min_agreement)
    if agreement < limits.min_agreement and chance < SIGNIFICANCE:
        reasons.append(
            f"agrees with {source_name} on {agreement:.2%} of the images; "
            f"{recipe.name} must agree on {limits.min_agreement:.1%}"
        )
    error = comparison.max_abs_error
    if limits.max_abs_error is not None and error is not None and error > limits.max_abs_error:
        reasons.append(
            f"differs by up to {error:.2g} in a probability; {recipe.name} may differ by "
            f"{limits.max_abs_error:g}"
        )
    return reasons


def p_value(successes: int, trials: int, probability: float) -> float:
    """Return the probability of at least this many successes in independent trials."""
    from scipy.stats import binom

    return float(binom.sf(successes - 1, trials, probability))


def _layer_pattern(islands: Sequence[str]) -> str:
    """Return a regular expression that matches all tensors of the islands' layers.

    A tensor that belongs to no layer is matched alone.
    """
    patterns = []
    for tensor in (island.partition(" ")[2] for island in islands):
        scope = scope_of(tensor)
        layer = f"/{re.escape(scope.rpartition('/')[2])}/"
        patterns.append(f"^{re.escape(tensor)}$" if scope == tensor else layer)
    return "|".join(dict.fromkeys(patterns))


def _is_allowed(island: str, audit: Audit, recipe: Recipe | None) -> bool:
    op, _, tensor = island.partition(" ")
    if tensor in audit.lrn:
        return True
    return recipe is not None and (op in recipe.float_ops or recipe.keeps_float(tensor))
