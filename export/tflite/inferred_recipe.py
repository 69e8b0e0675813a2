"""How a parsed TFLite file is quantized."""

from __future__ import annotations

from typing import Any

from .flatbuffer import CONVERSIONS, dtype_name, is_constant, op_names, quantization_of


def inferred_recipe(model: Any) -> str | None:
    """Return the recipe that matches the types of a parsed file, or None if none does."""
    graph, names = model.subgraphs[0], op_names(model)
    dtypes = [dtype_name(tensor) for tensor in graph.tensors]
    constant = [is_constant(model, tensor) for tensor in graph.tensors]
    stored = {
        (dtypes[index], name == "DEQUANTIZE")
        for op, name in zip(graph.operators, names, strict=True)
        for index in ([] if op.inputs is None else op.inputs)
        if index >= 0 and constant[index]
    }
    if integers := integer_activations(model):
        recipes = {"int8": "static_wi8_ai8", "int16": "static_wi8_ai16"}
        return recipes.get(integers.pop()) if len(integers) == 1 else None
    for bits in (4, 8):
        for dequantized, name in ((False, "dynamic"), (True, "weight_only")):
            if (f"int{bits}", dequantized) in stored:
                return f"{name}_wi{bits}_afp32"
    return "float16" if ("float16", True) in stored else "float32"


def integer_activations(model: Any) -> set[str]:
    """Return the integer types of a parsed file's activations."""
    graph, names = model.subgraphs[0], op_names(model)
    computed = {
        dtype_name(graph.tensors[index])
        for op, name in zip(graph.operators, names, strict=True)
        if name not in CONVERSIONS
        for index in op.outputs
        if quantization_of(graph.tensors[index])[0]  # raw pixels are not activations
    }
    return computed & {"int8", "uint8", "int16"}
