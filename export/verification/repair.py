"""Mixed precision: the fewest layers in floating point with which a file passes its checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.errors import Error

from ..conversion.quantize import Ranges, quantize
from ..recipes import Recipe
from ..tflite.flatbuffer import ModelFile, name_of, scope_of
from .audit import audit
from .layer_errors import LayerError, compare_layers
from .refusal import problems, unexpected_islands
from .verify import Verdict


class Repaired(NamedTuple):
    """A repaired file.

    Attributes:
        content: The file.
        verdict: How it compares with the Keras model.
        recipe: Its recipe, with the additional layers in floating point.
        layers: Errors of these layers before they were put into floating point.
        files: Number of files that were tried.
    """

    content: bytes
    verdict: Verdict
    recipe: Recipe
    layers: tuple[LayerError, ...]
    files: int


class _Attempt(NamedTuple):
    """A file with some layers in floating point."""

    content: bytes
    recipe: Recipe
    verdict: Verdict
    islands: list[str]  # unexpected ones, see `audit`


def repair(
    float32: bytes,
    recipe: Recipe,
    ranges: Ranges | None,
    check: Callable[[bytes, Recipe], Verdict],
    images: Float32Images,
    log: Callable[[str], None] = lambda message: None,
    input_range: tuple[float, float] | None = None,
) -> Repaired:
    """Put layers into floating point until a file passes, as few as possible.

    Layers that compute partly in floating point against their recipe come first, then those that
    lose most; after each, the others are compared again. Once the file passes both `check` and the
    audit, each layer without which it also passes is quantized again.

    Args:
        float32: The float32 file.
        recipe: How to store the numbers.
        ranges: Ranges from `calibrate`; None for a recipe that needs none.
        check: Verifies a file against the Keras model and the recipe's limits.
        images: Images for `compare_layers`.
        log: Called with a line for each attempt.
        input_range: See `quantize`.

    Raises:
        Error: The file fails even with all layers in floating point.
    """
    file = ModelFile(float32)
    tensors = _tensors_by_layer(file)
    num_files = 0

    def attempt(layers: Sequence[LayerError]) -> _Attempt:
        nonlocal num_files
        num_files += 1
        names = [name for layer in layers for name in tensors[scope_of(layer.tensor)]]
        mixed = recipe
        if names:
            mixed = recipe.with_float_layers(f"^({'|'.join(map(re.escape, names))})$")
        content = quantize(file, mixed, ranges, input_range=input_range)
        verdict, audited = check(content, mixed), audit(content)
        if found := problems(audited, mixed):
            verdict = replace(verdict, accepted=False, reasons=(*verdict.reasons, *found))
        return _Attempt(content, mixed, verdict, unexpected_islands(audited, mixed))

    float_layers: list[LayerError] = []
    best = attempt(float_layers)
    while not best.verdict.accepted:
        worst = _worst_layer(float32, best, float_layers, images)
        float_layers.append(worst)
        log(f"{worst.layer} in floating point")
        best = attempt(float_layers)
    for layer in float_layers[:-1]:
        fewer = [other for other in float_layers if other is not layer]
        log(f"{layer.layer} quantized again")
        tried = attempt(fewer)
        if tried.verdict.accepted:
            float_layers, best = fewer, tried
    return Repaired(best.content, best.verdict, best.recipe, tuple(float_layers), num_files)


def _tensors_by_layer(float32: ModelFile) -> dict[str, list[str]]:
    """Return the names of the tensors that each layer computes, by the layer's scope."""
    tensors: dict[str, list[str]] = {}
    graph = float32.model.subgraphs[0]
    for index in (index for op in graph.operators for index in op.outputs):
        name = name_of(graph.tensors[index])
        tensors.setdefault(scope_of(name), []).append(name)
    return tensors


def _worst_layer(
    float32: bytes, attempt: _Attempt, float_layers: Sequence[LayerError], images: Float32Images
) -> LayerError:
    """Return the layer to put into floating point next.

    Raises:
        Error: No layer is left.
    """
    known = {scope_of(layer.tensor) for layer in float_layers}
    islands = {island.partition(" ")[2] for island in attempt.islands}
    candidates = [
        layer
        for layer in compare_layers(float32, attempt.content, images)
        if scope_of(layer.tensor) not in known and (layer.rounds or layer.tensor in islands)
    ]
    if not candidates:
        reason = attempt.verdict.reasons[0]
        raise Error(f"No set of layers in floating point repairs the file: {reason}.")
    # Of equal rank, the order of the comparison stays: the layers that lose most come first.
    return min(candidates, key=lambda layer: layer.tensor not in islands)
