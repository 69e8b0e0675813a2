"""Whether a file computes the same at a place as in LiteRT on this machine.

A place runs the same images as this machine before it is timed there. So a kernel that is wrong, a
runtime that silently does without XNNPACK, or a damaged copy never becomes a latency.
"""

from __future__ import annotations

import hashlib
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.errors import Error

from ...tflite.flatbuffer import op_names, parse, quantization_of
from ...tflite.inferred_recipe import inferred_recipe, integer_activations
from ...tflite.interpreter import TensorSpec
from .place import Outputs

MAX_RELATIVE_DIFFERENCE = 2e-5
"""Of the largest output, for files that compute in float32: kernels of other processors add in
another order. An emulated Cortex-A72 differs by up to 2e-6 from x86 (GoogLeNet's logits)."""

MIN_AGREEMENT = 31 / 32
"""Of the predicted classes, for dynamic-range files. They choose the scale of an activation anew
for each image, so that a difference of 1e-6 can change all of its integers."""

_SOFTMAX_STEP = 1 / 256  # of every quantized softmax


class DigestError(Error):
    """A file computes something else at a place; the message is one line."""


class Rule(Enum):
    """How outputs are compared, which depends on how the file computes."""

    STATIC = "static"
    """Integer activations: equal predictions, and outputs within one quantization step."""
    FLOAT = "float"
    """Float activations and weights: outputs within `MAX_RELATIVE_DIFFERENCE`."""
    DYNAMIC = "dynamic"
    """Activations are quantized for each image: equal predictions for `MIN_AGREEMENT`."""


class Reference(NamedTuple):
    """What LiteRT computes on this machine, with one thread.

    Attributes:
        outputs: Raw outputs `(n, classes)`.
        output: The file's output.
        delegated_nodes: Operations that run in XNNPACK.
        rule: How other outputs are compared.
        step: Real units per quantization step of the output, also if it is dequantized in the file.
    """

    outputs: NDArray[Any]
    output: TensorSpec
    delegated_nodes: int
    rule: Rule
    step: float


class Digest(NamedTuple):
    """How the outputs at a place compare with those of LiteRT on this machine.

    Attributes:
        images: Number of images.
        sha256: Hash of the raw outputs at the place.
        rule: See `Rule`.
        equal: Whether the outputs are equal, bit for bit.
        max_difference: Greatest difference of an output: in quantization steps for the rule
            ``"static"``, otherwise as a fraction of the largest output.
        agreement: Share of images with the same predicted class.
        distinct_outputs: Number of distinct outputs. One alone would agree by chance.
    """

    images: int
    sha256: str
    rule: str
    equal: bool
    max_difference: float
    agreement: float
    distinct_outputs: int


def reference(file: Path, outputs: Outputs, output: TensorSpec) -> Reference:
    """Return the reference of a file.

    Args:
        file: The file, which LiteRT has run.
        outputs: Its outputs on this machine.
        output: Its output.
    """
    model = parse(file.read_bytes())
    name = inferred_recipe(model)
    if integer_activations(model):
        rule = Rule.STATIC
    else:
        rule = Rule.DYNAMIC if name is None or name.startswith("dynamic") else Rule.FLOAT
    step = output.scale or _last_scale(model) or _SOFTMAX_STEP
    return Reference(outputs.raw, output, outputs.delegated_nodes or 0, rule, step)


def compare(expected: Reference, found: Outputs) -> Digest:
    """Compare the outputs at a place with those of LiteRT on this machine.

    Raises:
        DigestError: They differ by more than the rule allows, are not finite or not of the
            expected shape, or XNNPACK runs no operation there although it does here.
    """
    raw = found.raw
    if raw.shape != expected.outputs.shape or raw.dtype != expected.outputs.dtype:
        raise DigestError(
            f"it returns {raw.dtype} outputs {raw.shape}, and {expected.outputs.dtype} "
            f"{expected.outputs.shape} here"
        )
    if expected.delegated_nodes and found.delegated_nodes == 0:
        raise DigestError(
            f"XNNPACK runs no operation there, and {expected.delegated_nodes} here: its latency "
            "would be that of slower kernels"
        )
    ours, theirs = expected.output.dequantize(expected.outputs), expected.output.dequantize(raw)
    if np.isfinite(ours).all() and not np.isfinite(theirs).all():
        raise DigestError("it returns NaN or infinity, and finite outputs here")
    unit = expected.step if expected.rule is Rule.STATIC else float(np.abs(ours).max()) or 1.0
    difference = float(np.nanmax(np.abs(theirs.astype(np.float64) - ours), initial=0.0)) / unit
    digest = Digest(
        images=len(raw),
        sha256=hashlib.sha256(raw.tobytes()).hexdigest(),
        rule=expected.rule.value,
        equal=raw.tobytes() == expected.outputs.tobytes(),
        max_difference=difference,
        agreement=float((theirs.argmax(axis=1) == ours.argmax(axis=1)).mean()),
        distinct_outputs=len(np.unique(raw, axis=0)),
    )
    if reason := _reason(digest, expected.rule):
        raise DigestError(reason)
    return digest


def _reason(digest: Digest, rule: Rule) -> str | None:
    """Return why a file is refused; None if it is not."""
    other_classes = round((1 - digest.agreement) * digest.images)
    of_images = f"of {digest.images} images"
    if rule is Rule.FLOAT:
        if digest.max_difference > MAX_RELATIVE_DIFFERENCE:
            return (
                f"an output differs by {digest.max_difference:.1e} of the largest one, more than "
                f"{MAX_RELATIVE_DIFFERENCE:.0e}"
            )
    elif rule is Rule.DYNAMIC:
        if digest.agreement < MIN_AGREEMENT:
            return f"it predicts another class for {other_classes} {of_images}, more than one in 32"
    elif other_classes:
        return f"it predicts another class for {other_classes} {of_images}"
    elif digest.max_difference > 1.01:  # quantization steps, but for rounding in float32
        return f"an output differs by {digest.max_difference:.0f} quantization steps, more than one"
    return None


def _last_scale(model: Any) -> float:
    """Return the scale of the tensor that the output is dequantized from; 0.0 if there is none."""
    graph = model.subgraphs[0]
    for op, name in zip(graph.operators, op_names(model), strict=True):
        if name == "DEQUANTIZE" and op.outputs[0] == graph.outputs[0]:
            return quantization_of(graph.tensors[op.inputs[0]])[0]
    return 0.0
