"""The error of every layer of a file, from its tensors and those of the float32 file.

A channel whose noise is as strong as its signal is lost, and the loss of a layer is the mean over
its channels. The ratio for the whole tensor would hide losses behind a single loud channel, which
widens the range and leaves only a few steps of it to the others. A layer also receives noise from
the layers before it, so layers are ranked by how much more they lose than their inputs.

An operation that rounds nothing loses nothing itself: it computes in floating point, or moves
integers unchanged. A flattened map keeps the channels of the map.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.errors import UsageError
from cnn_keras.layer_names import row_of
from cnn_keras.tables import table

from ..tflite.flatbuffer import (
    CONVERSIONS,
    dtype_name,
    is_constant,
    layer_of,
    name_of,
    op_names,
    parse,
    quantization_of,
    shape_of,
)
from ..tflite.interpreter import Interpreter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_IMAGES = 16

# Operations whose outputs are values of their inputs, some of them clipped.
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
_MIXING = frozenset(("BATCH_MATMUL", "FULLY_CONNECTED", "TRANSPOSE"))  # not element by element


class LayerError(NamedTuple):
    """The error of one operation of a file, relative to the same one in the float32 file.

    Attributes:
        row: The paper's row, as the network's `summary` names it.
        layer: The Keras layer.
        op: TFLite's operation.
        tensor: The operation's output.
        dtype: Type of the tensor in the file.
        mse: Mean squared difference.
        snr_db: Power of the float tensor over that of the difference, in decibels; None if there is
            no difference.
        lost: Mean over channels of the power of the difference over that of the float channel, each
            at most 1.
        added: How much more is lost than in the worst input; 0 if the operation rounds nothing.
        rounds: Whether the operation rounds its output, or has rounded weights.
        place: Position in the order in which the file computes.
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


class _Power(NamedTuple):
    """Mean power of a tensor over the images, by channel `(channels,)`."""

    signal: NDArray[np.float64]
    noise: NDArray[np.float64]


def compare_layers(
    float32: bytes, file: bytes, images: Float32Images, advance: Callable[[], None] = lambda: None
) -> list[LayerError]:
    """Compare the output of every operation with that in the float32 file.

    Args:
        float32: The float32 file that the other was quantized from.
        file: The other.
        images: Preprocessed images `(n, height, width, channels)`; a dozen is enough.
        advance: Called after each image.

    Returns:
        The errors, the operations that lose most themselves first.

    Raises:
        UsageError: There are no images, or the files are of different networks.
        ModelFileError: A file cannot be run.
    """
    if not len(images):
        raise UsageError("There are no images to compare the layers with.")
    reference, interpreter = (Interpreter(data, preserve_tensors=True) for data in (float32, file))
    model = parse(file)
    graph, names = model.subgraphs[0], op_names(model)
    powers = _powers(reference, interpreter, images, _channels(graph, names), advance)

    def float32_name(index: int) -> str:
        """Return a tensor's name in the float32 file."""
        return reference.output.name if index in graph.outputs else name_of(graph.tensors[index])

    lost: dict[int, float] = {}  # by tensor index
    rounded_constants: set[int] = set()  # constants that are dequantized again
    errors: list[LayerError] = []
    for op, name in zip(graph.operators, names, strict=True):
        index = int(op.outputs[0])
        lost_before = max((lost.get(int(tensor), 0.0) for tensor in op.inputs), default=0.0)
        dtype = dtype_name(graph.tensors[index])
        if name in CONVERSIONS or dtype in ("int32", "int64"):  # the latter compute shapes
            lost[index] = lost_before
            if is_constant(model, graph.tensors[op.inputs[0]]):
                rounded_constants.add(index)
            continue
        for output in map(int, op.outputs):
            if float32_name(output) not in powers:
                raise UsageError(
                    f"The float32 file has no '{float32_name(output)}': it is of another network."
                )
            lost[output] = _lost(powers[float32_name(output)])
        worst = max(map(int, op.outputs), key=lost.__getitem__)
        tensor = float32_name(worst)
        rounds = _rounds(model, op, name, rounded_constants)
        errors.append(
            LayerError(
                row=row_of(layer_of(tensor)),
                layer=layer_of(tensor),
                op=name,
                tensor=tensor,
                dtype=dtype,
                mse=float(powers[tensor].noise.mean()),
                snr_db=_snr_db(powers[tensor]),
                lost=lost[worst],
                added=lost[worst] - lost_before if rounds else 0.0,
                rounds=rounds,
                place=len(errors),
            )
        )
    return sorted(errors, key=lambda error: -error.added)


def errors_figure(errors: Sequence[LayerError]) -> Figure:
    """Draw the loss of each layer itself and in total, in the order in which the file computes."""
    from matplotlib.figure import Figure

    ordered = sorted(errors, key=lambda error: error.place)
    positions = range(len(ordered))
    figure = Figure(figsize=(8, 1.2 + 0.22 * len(ordered)), layout="constrained")
    axes = figure.subplots()
    axes.barh(positions, [error.lost for error in ordered], color="0.85", label="in total")
    axes.barh(positions, [max(error.added, 0) for error in ordered], color="C3", label="by itself")
    axes.set_yticks(positions, [f"{error.layer} {error.op}" for error in ordered], fontsize="small")
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("signal lost, mean over channels")
    axes.legend(fontsize="small")
    return figure


def errors_table(errors: Sequence[LayerError]) -> Any:
    """Return the table of the layers' errors."""
    rows = [
        (
            error.row,
            error.tensor.split(";")[0],
            error.op,
            error.dtype,
            f"{max(error.added, 0):.2%}",
            f"{error.lost:.2%}",
            "–" if error.snr_db is None else f"{error.snr_db:.1f}",
            f"{error.mse:.2g}",
        )
        for error in errors
    ]
    columns = ("row", "tensor", "op", "type", "lost by itself", "lost in total", "SNR dB", "MSE")
    return table(columns, rows, title="Signal lost by channel, the worst layer first")


def _powers(
    reference: Interpreter,
    interpreter: Interpreter,
    images: Float32Images,
    channels: dict[str, int],
    advance: Callable[[], None],
) -> dict[str, _Power]:
    """Return the power of signal and noise of every tensor in both files, by its name."""
    powers: dict[str, NDArray[np.float64]] = {}
    for image in images:
        reference(image[np.newaxis])
        interpreter(image[np.newaxis])
        expected, found = reference.tensors(), interpreter.tensors()
        # Other converters name the output after the function, not after the layer.
        found[reference.output.name] = found[interpreter.output.name]
        for name in expected.keys() & found.keys():
            signal = expected[name].astype(np.float64)
            both = np.stack([signal, found[name] - signal])
            width = channels.get(name) or signal.shape[-1]
            mean = np.square(both).reshape(2, -1, width).mean(axis=1) / len(images)
            powers[name] = powers.get(name, 0) + mean
        advance()
    return {name: _Power(*power) for name, power in powers.items()}


def _lost(power: _Power) -> float:
    """Return the mean over channels of the noise's share of the signal, each at most 1."""
    silent = np.where(power.noise > 0, 1.0, 0.0)  # for channels without a signal
    ratios = np.divide(power.noise, power.signal, out=silent, where=power.signal > 0)
    return float(np.minimum(ratios, 1).mean())


def _snr_db(power: _Power) -> float | None:
    if not (power.noise.any() and power.signal.any()):
        return None
    return 10 * math.log10(power.signal.sum() / power.noise.sum())


def _channels(graph: Any, names: Sequence[str]) -> dict[str, int]:
    """Return the number of channels of each tensor, by name: the size of its last axis, or less.

    A flattened map keeps the number of channels, which are last in it, and so do tensors that are
    computed from it element by element.
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


def _rounds(model: Any, op: Any, name: str, rounded_constants: set[int]) -> bool:
    """Return whether an operation rounds its output, or has rounded weights."""
    graph = model.subgraphs[0]
    outputs = {quantization_of(graph.tensors[index]) for index in op.outputs}
    inputs = set()
    for index in (int(index) for index in op.inputs if index >= 0):
        tensor = graph.tensors[index]
        if index in rounded_constants:
            return True
        if not is_constant(model, tensor):
            inputs.add(quantization_of(tensor))
        elif quantization_of(tensor)[0]:
            return True
    return outputs != {(0.0, 0)} and not (name in _MOVING and inputs == outputs)
