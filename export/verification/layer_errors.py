"""Which layer broke: every tensor of a file held against the float32 file's, on real images.

A channel whose noise is as strong as its signal is lost, and what a layer loses is the mean over
its channels: one loud channel, which widens the range and leaves the others a few steps of it,
would hide that in the ratio of the whole tensor. Noise that a layer gets from those before it is
not its own, so layers are ranked by what they lose more than their inputs. `repair` leaves the
worst in floating point until the file is within its recipe's limits.

An operation that rounds nothing loses nothing itself: it computes in floating point, or moves
integers as they are. What was flattened keeps the channels of the map that it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.errors import Error, UsageError
from cnn_keras.layer_names import row_of

from ..conversion.quantize import Images, Ranges, quantize
from ..recipes import Recipe
from ..tflite.flatbuffer import (
    CONVERSIONS,
    dtype_name,
    is_constant,
    is_numbered,
    name_of,
    op_names,
    parse,
    quantization_of,
    scope_of,
    shape_of,
)
from ..tflite.interpreter import Interpreter
from .audit import audit, problems, refused_islands
from .verify import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPARED_IMAGES = 16

# Operations that put out values of their inputs, some of them clipped.
# fmt: off
_MOVING = frozenset((
    "BATCH_TO_SPACE_ND", "CONCATENATION", "DEPTH_TO_SPACE", "EXPAND_DIMS", "GATHER", "GATHER_ND",
    "MAXIMUM", "MAX_POOL_2D", "MINIMUM", "MIRROR_PAD", "PACK", "PAD", "PADV2", "RELU", "RELU6",
    "RELU_N1_TO_1", "RESHAPE", "RESIZE_NEAREST_NEIGHBOR", "REVERSE_V2", "SELECT", "SELECT_V2",
    "SLICE", "SPACE_TO_BATCH_ND", "SPACE_TO_DEPTH", "SPLIT", "SPLIT_V", "SQUEEZE", "STRIDED_SLICE",
    "TILE", "TOPK_V2", "TRANSPOSE", "UNPACK",
))
# fmt: on
_RESHAPING = frozenset(("EXPAND_DIMS", "RESHAPE", "SQUEEZE"))
_MIXING = frozenset(("BATCH_MATMUL", "FULLY_CONNECTED", "TRANSPOSE"))  # not value by value


class Layer(NamedTuple):
    """One operation of a file, against the same one in the float32 file.

    Attributes:
        row: The paper's row, as the network's `summary` names it.
        layer: The Keras layer.
        op: TFLite's operation.
        tensor: The tensor that it puts out.
        dtype: Its type in the file.
        mse: Mean squared difference.
        snr_db: Power of the float tensor over that of the difference, in decibels; None where there
            is no difference.
        lost: Mean over channels of the power of the difference over that of the float channel, each
            at most 1.
        added: How much more is lost than in the worst input; 0 where nothing is rounded.
        rounds: Whether the operation rounds: its output or its weights.
        place: In the order in which the file computes.
    """

    row: str
    layer: str
    op: str
    tensor: str
    dtype: str
    mse: float
    snr_db: float | None
    lost: float
    added: float
    rounds: bool
    place: int


class Repaired(NamedTuple):
    """A file that was brought back within its recipe's limits.

    Attributes:
        content: The file.
        verdict: How it compares with the Keras model.
        recipe: Its recipe, which leaves more layers in floating point.
        layers: Those layers, the worst first.
        files: How many files were tried.
    """

    content: bytes
    verdict: Verdict
    recipe: Recipe
    layers: tuple[Layer, ...]
    files: int


def compare(
    float32: bytes, file: bytes, images: Images, advance: Callable[[], None] = lambda: None
) -> list[Layer]:
    """Compare what every operation puts out.

    Args:
        float32: The float32 file that the other was made from.
        file: The other.
        images: Preprocessed images `(n, height, width, channels)`; a dozen will do.
        advance: Called after each image.

    Returns:
        The operations, those that lose most themselves first.

    Raises:
        UsageError: No images, or files of different networks.
        ModelFileError: A file cannot be run.
    """
    if not len(images):
        raise UsageError("There are no images to compare the layers with.")
    runs = [Interpreter(data, preserve_tensors=True) for data in (float32, file)]
    model = parse(file)
    graph, names = model.subgraphs[0], op_names(model)
    channels = _channels(graph, names)
    powers: dict[str, NDArray[np.float64]] = {}  # of signal and noise, by channel
    for image in images:
        for run in runs:
            run(image[np.newaxis])
        expected, found = (run.tensors() for run in runs)
        # Other converters call the output after the function, not after the layer.
        found[runs[0].output.name] = found[runs[1].output.name]
        for name in expected.keys() & found.keys():
            signal = expected[name].astype(np.float64)
            both = np.stack([signal, found[name] - signal])
            width = channels.get(name) or signal.shape[-1]
            mean = np.square(both).reshape(2, -1, width).mean(axis=1) / len(images)
            powers[name] = powers.get(name, 0) + mean
        advance()

    def called(index: int) -> str:
        """Return a tensor's name in the float32 file."""
        return runs[0].output.name if index in graph.outputs else name_of(graph.tensors[index])

    lost: dict[int, float] = {}  # by tensor
    round_constants: set[int] = set()  # in floating point again
    layers: list[Layer] = []
    for op, name in zip(graph.operators, names, strict=True):
        index = int(op.outputs[0])
        before = max((lost.get(int(tensor), 0.0) for tensor in op.inputs), default=0.0)
        dtype = dtype_name(graph.tensors[index])
        if name in CONVERSIONS or dtype in ("int32", "int64"):  # or how shapes are computed
            lost[index] = before
            if is_constant(model, graph.tensors[op.inputs[0]]):
                round_constants.add(index)
            continue
        for output in map(int, op.outputs):
            if called(output) not in powers:
                raise UsageError(
                    f"The float32 file has no '{called(output)}': it is of another network."
                )
            lost[output] = _lost(*powers[called(output)])
        worst = max(map(int, op.outputs), key=lost.__getitem__)
        tensor = called(worst)
        signal, noise = powers[tensor]
        layer = layer_of(tensor)
        rounds = _rounds(model, op, name, round_constants)
        layers.append(
            Layer(
                row_of(layer),
                layer,
                name,
                tensor,
                dtype,
                float(noise.mean()),
                10 * math.log10(signal.sum() / noise.sum())
                if noise.any() and signal.any()
                else None,
                lost[worst],
                lost[worst] - before if rounds else 0.0,
                rounds,
                len(layers),
            )
        )
    return sorted(layers, key=lambda layer: -layer.added)


def _lost(signal: NDArray[np.float64], noise: NDArray[np.float64]) -> float:
    """Return the mean over channels of the noise's share of the signal, each at most 1."""
    silent = np.where(noise > 0, 1.0, 0.0)  # a channel without signal
    ratios = np.divide(noise, signal, out=silent, where=signal > 0)
    return float(np.minimum(ratios, 1).mean())


def _channels(graph: Any, names: Sequence[str]) -> dict[str, int]:
    """Return how many channels each tensor has, by name: the size of its last axis, or fewer.

    A flattened map keeps its channels, which come last in it, and so does what is computed from it
    value by value.
    """
    channels: dict[int, int] = {}
    for op, name in zip(graph.operators, names, strict=True):
        for output in map(int, op.outputs):
            shape = shape_of(graph.tensors[output])
            channels[output] = shape[-1] if shape else 1
            for source in map(int, op.inputs):
                known = channels.get(source)
                same = known and shape_of(graph.tensors[source]) == shape and name not in _MIXING
                if known and (same or name in _RESHAPING):
                    channels[output] = min(channels[output], known)
    return {name_of(graph.tensors[index]): count for index, count in channels.items()}


def _rounds(model: Any, op: Any, name: str, round_constants: set[int]) -> bool:
    """Return whether an operation rounds what it computes, or computes with rounded weights."""
    graph = model.subgraphs[0]
    outputs = {quantization_of(graph.tensors[index]) for index in op.outputs}
    inputs = set()
    for index in (int(index) for index in op.inputs if index >= 0):
        tensor = graph.tensors[index]
        if index in round_constants:
            return True
        if not is_constant(model, tensor):
            inputs.add(quantization_of(tensor))
        elif quantization_of(tensor)[0]:
            return True
    return outputs != {(0.0, 0)} and not (name in _MOVING and inputs == outputs)


def repair(
    float32: bytes,
    recipe: Recipe,
    ranges: Ranges | None,
    judge: Callable[[bytes, Recipe], Verdict],
    images: Images,
    advance: Callable[[str], None] = lambda message: None,
    input_range: tuple[float, float] | None = None,
) -> Repaired:
    """Find a smallest set of layers to leave in floating point for a file within its limits.

    Layers that compute in part in floating point, and should not, go first, then those that lose
    most, and the rest is compared anew each time. When the file passes the judge and the audit,
    each layer that it also passes without is rounded again.

    Args:
        float32: The float32 file.
        recipe: How to store the numbers.
        ranges: What `observe` found; None for a recipe that needs none.
        judge: Holds a file against the Keras model and the recipe's limits.
        images: For `compare`.
        advance: Told what is tried.
        input_range: See `quantize`.

    Raises:
        Error: Not even with all layers in floating point does the file pass.
    """
    operations: dict[str, list[str]] = {}  # by layer, their tensors
    graph = parse(float32).subgraphs[0]
    for index in (index for op in graph.operators for index in op.outputs):
        tensor = name_of(graph.tensors[index])
        operations.setdefault(scope_of(tensor), []).append(tensor)
    left: list[Layer] = []
    files = 0

    def attempt(layers: Sequence[Layer]) -> tuple[bytes, Recipe, Verdict]:
        nonlocal files
        files += 1
        tensors = [tensor for layer in layers for tensor in operations[scope_of(layer.tensor)]]
        row = recipe
        if tensors:
            row = recipe.with_float_layers(f"^({'|'.join(map(re.escape, tensors))})$")
        content = quantize(float32, row, ranges, input_range=input_range)
        verdict, found = judge(content, row), problems(audit(content), row)
        if found:
            reasons = (*verdict.reasons, *found)
            verdict = replace(verdict, accepted=False, reasons=reasons)
        return content, row, verdict

    content, row, verdict = attempt(left)
    while not verdict.accepted:
        known = {scope_of(layer.tensor) for layer in left}
        islands = {island.partition(" ")[2] for island in refused_islands(audit(content), row)}
        candidates = [
            layer
            for layer in compare(float32, content, images)
            if scope_of(layer.tensor) not in known and (layer.rounds or layer.tensor in islands)
        ]
        if not candidates:
            raise Error(f"No set of layers in floating point mends the file: {verdict.reasons[0]}.")
        # A layer that computes in both is float as a whole, before others are.
        candidates.sort(key=lambda layer: layer.tensor not in islands)
        left.append(candidates[0])
        advance(f"{candidates[0].layer} in floating point")
        content, row, verdict = attempt(left)
    for layer in left[:-1]:
        fewer = [other for other in left if other is not layer]
        advance(f"{layer.layer} rounded again")
        tried = attempt(fewer)
        if tried[2].accepted:
            left, (content, row, verdict) = fewer, tried
    return Repaired(content, verdict, row, tuple(left), files)


def figure(layers: Sequence[Layer]) -> Figure:
    """Draw what each layer loses itself, and what is lost behind it, in the file's order."""
    from matplotlib.figure import Figure

    ordered = sorted(layers, key=lambda layer: layer.place)
    places = range(len(ordered))
    drawn = Figure(figsize=(8, 1.2 + 0.22 * len(ordered)), layout="constrained")
    axes = drawn.subplots()
    axes.barh(places, [layer.lost for layer in ordered], color="0.85", label="lost behind it")
    axes.barh(places, [max(layer.added, 0) for layer in ordered], color="C3", label="by itself")
    axes.set_yticks(places, [f"{layer.layer} {layer.op}" for layer in ordered], fontsize="small")
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("signal lost, mean over channels")
    axes.legend(fontsize="small")
    return drawn


def layer_of(tensor: str) -> str:
    """Return the Keras layer that a tensor of a file was made from: of several, fused, the last.

    Example:
        >>> layer_of("lenet5_1/c3_1/BiasAdd;lenet5_1/c3_1/convolution")
        'c3'
        >>> layer_of("resnet20_1/conv2_1_b_bn_1/batchnorm/add_1;resnet20_1/conv2_1_b_1/convolution")
        'conv2_1_b_bn'
    """
    scope = scope_of(tensor)
    if scope == tensor:
        return tensor
    model, *_, layer = scope.split("/")
    return re.sub(r"_\d+$", "", layer) if is_numbered(model) else layer
