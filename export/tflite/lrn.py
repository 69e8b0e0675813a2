"""Find local response normalization in a file by what it computes, whatever it is called.

It stays float in every file: XNNPACK does not take integer RSQRT and SQRT, and the constants of its
sums are no weights to be rounded.
"""

from __future__ import annotations

from typing import Any

from .flatbuffer import CONVERSIONS, is_constant, name_of, op_names

_WHOLE = "LOCAL_RESPONSE_NORMALIZATION"


def lrn_tensors(model: Any) -> frozenset[str]:
    """Return the names of the tensors that local response normalization computes.

    That is TFLite's own operation, or a map times (or over) what is computed from its square alone,
    by way of a convolution with constants: the sum over neighboring channels. The other
    normalizations take means, which are no convolutions.

    Args:
        model: A ``ModelT``, of floats or quantized.

    Reference:
        Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
        networks", NIPS 2012, section 3.3.
    """
    graph = model.subgraphs[0]
    operations = list(zip(op_names(model), graph.operators, strict=True))
    converted: dict[int, int] = {}  # tensors that are others in another type

    def sources(op: Any) -> set[int]:
        """Return the tensors that an operation reads, constants left out."""
        read = {converted.get(int(index), int(index)) for index in op.inputs if index >= 0}
        return {index for index in read if not is_constant(model, graph.tensors[index])}

    found: set[int] = set()
    squares: list[tuple[int, int]] = []  # place of the operation, and the tensor that is squared
    for place, (name, op) in enumerate(operations):
        if name in CONVERSIONS:
            index = int(op.inputs[0])
            converted[int(op.outputs[0])] = converted.get(index, index)
        elif name == _WHOLE:
            found |= set(op.outputs)
        elif name == "SQUARE":
            squares += [(place, source) for source in sources(op)]
    for place, x in squares:
        derived = {int(operations[place][1].outputs[0])}
        summed = False
        for name, op in operations[place + 1 :]:
            if name in CONVERSIONS:
                continue
            read = sources(op)
            if read and read <= derived:
                derived |= set(map(int, op.outputs))
                summed |= name == "CONV_2D"
            elif name in ("MUL", "DIV") and x in read and read - {x} and read - {x} <= derived:
                found |= derived | set(map(int, op.outputs)) if summed else set()
                break
    return frozenset(name_of(graph.tensors[index]) for index in found)
