"""The layers of a network whose type can be chosen, and the recipe of a mix of types."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

from ..benchmark.profile.operators import operators
from ..recipes import Recipe, recipe
from ..tflite.flatbuffer import layer_of, name_of

LayerType = Literal["float32", "int8", "int4"]
"""How a layer is stored in a static integer file: in floating point, or with 8-bit activations and
weights of 8 or 4 bits."""

Types = tuple[LayerType, ...]
"""The type of each layer."""

STATIC = recipe("static_wi8_ai8")
"""The recipe of the files whose layers have types."""

_BITS = {"float32": 32, "int8": 8, "int4": 4}
_WITH_INT4 = ("CONV_2D", "FULLY_CONNECTED")  # the operations that the quantizer stores in 4 bits

_KERNELS = ("convolution", "depthwise", "MatMul", "BiasAdd")  # how TensorFlow names what they do


class Layer(NamedTuple):
    """A convolution or a dense layer, with the operations after it up to the next one.

    Attributes:
        name: The Keras layer.
        kernel: Name of the tensor that it computes.
        tensors: Names of all tensors that it and the operations after it compute.
        types: The types that it can have.
        kernel_values: Number of weights, without the bias.
    """

    name: str
    kernel: str
    tensors: tuple[str, ...]
    types: tuple[LayerType, ...]
    kernel_values: int

    def kernel_bytes(self, of: LayerType) -> int:
        """Return the bytes of its weights in a type."""
        return self.kernel_values * _BITS[of] // 8


def layers_of(model: Any) -> list[Layer]:
    """Return the layers of a parsed float32 file, in order.

    What is computed before the first one belongs to it.
    """
    graph = model.subgraphs[0]
    outputs = {
        names[0]: names
        for names in (
            [name_of(graph.tensors[index]) for index in op.outputs] for op in graph.operators
        )
    }
    found: list[Layer] = []
    before: list[str] = []
    for each in operators(model):
        tensors = outputs[each.tensor]
        if each.macs:
            types: tuple[LayerType, ...] = ("int8", "float32")
            if each.op in _WITH_INT4:
                types = ("int8", "int4", "float32")
            values = math.prod(each.input_shapes[1])
            found.append(
                Layer(_kernel_layer(each.tensor), each.tensor, (*before, *tensors), types, values)
            )
            before = []
        elif found:
            found[-1] = found[-1]._replace(tensors=(*found[-1].tensors, *tensors))
        else:
            before += tensors
    return found


def uniform(layers: Sequence[Layer], of: LayerType) -> Types:
    """Return the mix with one type in all layers that can have it, and int8 in the others."""
    return tuple(of if of in layer.types else "int8" for layer in layers)


def mixed_recipe(layers: Sequence[Layer], types: Types) -> Recipe:
    """Return the recipe of a static integer file whose layers have these types."""
    found, pairs = STATIC, list(zip(layers, types, strict=True))
    in_int4 = [layer.kernel for layer, of in pairs if of == "int4"]
    in_float = [name for layer, of in pairs if of == "float32" for name in layer.tensors]
    if in_int4:
        found = found.with_int4_layers(_exactly(in_int4))
    if in_float:
        found = found.with_float_layers(_exactly(in_float))
    return found


def combinations(layers: Sequence[Layer]) -> Iterator[Types]:
    """Yield all mixes: those with at least one layer that is not in floating point."""
    for types in itertools.product(*(layer.types for layer in layers)):
        if set(types) != {"float32"}:
            yield types


def describe(layers: Sequence[Layer], types: Types) -> str:
    """Return a mix in words: the layers that are not of the most frequent type.

    Example:
        >>> layers = [Layer(name, name, (), (), 0) for name in ("c1", "c3", "c5", "f6")]
        >>> describe(layers, ("float32", "int8", "int8", "int4"))
        'c1 float32, f6 int4, others int8'
    """
    most = max(("int8", "int4", "float32"), key=types.count)
    pairs = list(zip(layers, types, strict=True))
    parts = [
        f"{' '.join(layer.name for layer, of in pairs if of == each)} {each}"
        for each in ("float32", "int8", "int4")
        if each in types and each != most
    ]
    return ", ".join([*parts, f"{'others' if parts else 'all'} {most}"])


def _kernel_layer(tensor: str) -> str:
    """Return the Keras layer of a kernel, of several layers that are fused into one operation."""
    fused = tensor.split(";")
    of_kernel = (each for each in fused if each.rpartition("/")[2].startswith(_KERNELS))
    return layer_of(next(of_kernel, fused[0]))


def _exactly(names: Sequence[str]) -> str:
    return f"^({'|'.join(map(re.escape, names))})$"
