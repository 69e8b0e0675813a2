"""Whether LiteRT runs a sound file here at all: for when it has died on a file.

`python -m export.tflite.self_test MODULE` imports what the process that died had imported, and runs
a file of one operation.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import numpy as np

from .flatbuffer import pack
from .isolation import confine


def sound_file() -> bytes:
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


def main() -> None:
    """Run the sound file as the process did that died."""
    confine()
    import_module(sys.argv[1])
    from .interpreter import Interpreter

    Interpreter(sound_file())(np.ones((1, 2, 2, 1), np.float32))


if __name__ == "__main__":
    main()
