"""Which layer broke: every tensor of a file held against the float32 file's, on real images.

A channel whose noise is as strong as its signal is lost, and what a layer loses is the mean over
its channels: one loud channel, which widens the range and leaves the others a few steps of it,
would hide that in the ratio of the whole tensor. Noise that a layer gets from those before it is
not its own, so layers are ranked by what they lose more than their inputs. `repair` leaves the
worst in floating point until the file is within its recipe's limits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.anatomy import row_of
from cnn_keras.errors import Error, UsageError

from .flatbuffer import CONVERSIONS, dtype_name, name_of, op_names, parse
from .interpreter import Interpreter
from .quantize import Images, Ranges, quantize
from .recipes import Recipe
from .verify import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COMPARED_IMAGES = 16


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
        added: How much more is lost than in the worst input.
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
            mean = np.square(both).reshape(2, -1, signal.shape[-1]).mean(axis=1) / len(images)
            powers[name] = powers.get(name, 0) + mean
        advance()
    model = parse(file)
    graph, names = model.subgraphs[0], op_names(model)
    lost: dict[int, float] = {}  # by tensor
    layers: list[Layer] = []
    for op, name in zip(graph.operators, names, strict=True):
        index = int(op.outputs[0])
        before = max((lost.get(int(tensor), 0.0) for tensor in op.inputs), default=0.0)
        tensor = name_of(graph.tensors[index])
        if index in graph.outputs:
            tensor = runs[0].output.name
        dtype = dtype_name(graph.tensors[index])
        if name in CONVERSIONS or dtype in ("int32", "int64"):  # or how shapes are computed
            lost[index] = before
            continue
        if tensor not in powers:
            raise UsageError(f"The float32 file has no '{tensor}': it is of another network.")
        signal, noise = powers[tensor]
        silent = np.where(noise > 0, 1.0, 0.0)  # a channel without signal
        ratios = np.divide(noise, signal, out=silent, where=signal > 0)
        lost[index] = float(np.minimum(ratios, 1).mean())
        layer = layer_of(tensor)
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
                lost[index],
                lost[index] - before,
                len(layers),
            )
        )
    return sorted(layers, key=lambda layer: -layer.added)


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

    The layer that loses most goes first, and the rest is compared anew; when the file passes,
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
    left: list[Layer] = []
    files = 0

    def attempt(layers: Sequence[Layer]) -> tuple[bytes, Recipe, Verdict]:
        nonlocal files
        files += 1
        row = recipe.keeping("|".join(re.escape(layer.tensor) for layer in layers))
        content = quantize(float32, row, ranges, input_range=input_range)
        return content, row, judge(content, row)

    content, row, verdict = attempt(left)
    while not verdict.accepted:
        tensors = {layer.tensor for layer in left}
        candidates = [
            layer
            for layer in compare(float32, content, images)
            if layer.tensor not in tensors and not layer.dtype.startswith("float")
        ]
        if not candidates:
            raise Error(f"No set of layers in floating point mends the file: {verdict.reasons[0]}.")
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
    *scopes, _ = tensor.split(";")[0].split("/")
    layers = [scope for scope in scopes if re.search(r"_\d+$", scope)]  # Keras numbers its scopes
    return re.sub(r"_\d+$", "", layers[-1]) if layers else tensor
