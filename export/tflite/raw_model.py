"""Run any graph of a `.tflite` file, its tensors as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .interpreter import create_runtime, one_line_errors

_CACHE_LINE = 64  # bytes


class RawModel:
    """A graph with any inputs and outputs, run by LiteRT on the CPU with XNNPACK.

    Args:
        content: The file's bytes.
        num_threads: Threads that XNNPACK and the built-in kernels may use.
        preserve_tensors: See `Interpreter`.

    Raises:
        ModelFileError: LiteRT cannot load the file.

    Example:
        model = RawModel(content)
        model.set_inputs([image])
        model.invoke()
    """

    def __init__(
        self, content: bytes, num_threads: int = 1, preserve_tensors: bool = False
    ) -> None:
        with one_line_errors("The model"):
            self._runtime = create_runtime(content, num_threads, preserve_tensors)
            self._runtime.allocate_tensors()
        details = [*self._runtime.get_input_details(), *self._runtime.get_output_details()]
        self._views = [self._runtime.tensor(each["index"]) for each in details]
        self.invoke = self._runtime.invoke
        """Run the graph; without a wrapper, whose call would be timed with it."""

    def set_inputs(self, arrays: Sequence[NDArray[Any]]) -> None:
        """Set all inputs, in order, in their own types and shapes."""
        inputs = self._runtime.get_input_details()
        assert len(arrays) == len(inputs)
        for index, array in enumerate(arrays):
            self._runtime.set_tensor(inputs[index]["index"], array)

    def read_inputs_and_outputs(self) -> None:
        """Read a byte of each cache line of the inputs and outputs, so that they are in a cache."""
        for view in self._views:
            view().reshape(-1).view(np.uint8)[::_CACHE_LINE].sum()

    def outputs(self) -> list[NDArray[Any]]:
        """Return copies of the outputs of the last run."""
        details = self._runtime.get_output_details()
        return [self._runtime.get_tensor(each["index"]) for each in details]

    def tensor(self, index: int) -> NDArray[Any]:
        """Return a copy of a tensor of the last run, which needs `preserve_tensors`."""
        result: NDArray[Any] = self._runtime.get_tensor(index)
        return result

    def is_delegated(self) -> bool:
        """Return whether XNNPACK runs operations of the graph."""
        return any(op["op_name"] == "DELEGATE" for op in self._runtime._get_ops_details())
