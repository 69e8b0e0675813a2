"""Check that LiteRT runs a valid file on this machine.

The subprocess takes the name of a module, imports it, and runs a file of one operation. A crash
here means that LiteRT, not the file that it crashed on before, is at fault.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import numpy as np

from ..worker import limit_memory, serve
from .flatbuffer import pack


def valid_file() -> bytes:
    """Return a file that maps an image `(1, 2, 2, 1)` to two scores by one FULLY_CONNECTED."""
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, shape: tuple[int, ...], buffer: int = 0) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, list(shape), buffer
        made.type = schema.TensorType.FLOAT32
        return made

    code, operator, graph = schema.OperatorCodeT(), schema.OperatorT(), schema.SubGraphT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.tensors = [tensor("image", (1, 2, 2, 1)), tensor("weights", (2, 4), 1)]
    graph.tensors.append(tensor("scores", (1, 2)))
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    model = schema.ModelT()
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.ones((2, 4), np.float32).tobytes()
    return pack(model)


def _check(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
    """Import the module of each request, then run the file."""
    for module in requests:
        import_module(module)
        from .interpreter import Interpreter

        Interpreter(valid_file())(np.ones((1, 2, 2, 1), np.float32))
        answer("ok")


if __name__ == "__main__":
    limit_memory()
    sys.exit(serve(_check))
