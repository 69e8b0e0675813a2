"""Find local response normalization in a file by its operations, not by its name.

It stays float in every file: XNNPACK has no integer RSQRT and SQRT, and the constants of its sums
are not weights and must not be rounded.
"""

from __future__ import annotations

from typing import Any

from .flatbuffer import CONVERSIONS, is_constant, name_of, op_names

_LRN_OPERATION = "LOCAL_RESPONSE_NORMALIZATION"


def lrn_tensors(model: Any) -> frozenset[str]:
    """Return the names of the tensors that local response normalization computes.

    It is either TFLite's own operation, or a map multiplied (or divided) by values computed only
    from its square, through a convolution with constants: the sum over neighboring channels. Other
    normalizations compute means, which are not convolutions.

    Args:
        model: A ``ModelT``, float or quantized.

    Reference:
        Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
        networks", NIPS 2012, section 3.3.
    """
    graph = model.subgraphs[0]
    operations = list(zip(op_names(model), graph.operators, strict=True))
    originals: dict[int, int] = {}  # tensors before a conversion to another type

    def sources(op: Any) -> set[int]:
        """Return the tensors that an operation reads, without constants."""
        read = {originals.get(int(index), int(index)) for index in op.inputs if index >= 0}
        return {index for index in read if not is_constant(model, graph.tensors[index])}

    found: set[int] = set()
    squares: list[tuple[int, int]] = []  # index of the operation, and the tensor that it squares
    for position, (name, op) in enumerate(operations):
        if name in CONVERSIONS:
            index = int(op.inputs[0])
            originals[int(op.outputs[0])] = originals.get(index, index)
        elif name == _LRN_OPERATION:
            found |= set(op.outputs)
        elif name == "SQUARE":
            squares += [(position, source) for source in sources(op)]
    for position, x in squares:
        derived = {int(operations[position][1].outputs[0])}
        summed = False
        for name, op in operations[position + 1 :]:
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
