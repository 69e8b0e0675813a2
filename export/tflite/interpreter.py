"""Run a `.tflite` classifier: float images in, float probabilities out.

The only module that imports the LiteRT runtime. It needs only the standard library, numpy and
ai-edge-litert, so that it also runs on a board. Quantized inputs and outputs are converted here
with the file's scale and zero point, so that no caller has to know them.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import ai_edge_litert.interpreter as litert
import numpy as np
from numpy.typing import NDArray

# Bytes 4 to 7 of every TFLite flatbuffer (`file_identifier` in tensorflow/lite/schema/schema.fbs).
FILE_IDENTIFIER = b"TFL3"

# The name of a custom operation may contain any character; LiteRT puts a full stop after it.
_MISSING_KERNEL = re.compile(
    r"unresolved custom op: (.+?)\. ?(?:See|Node|$)|\((Flex[^)]+)\) failed to prepare"
)

COMPILED_FOR = {
    "edgetpu-custom-op": "a Coral Edge TPU",
    "ethos-u": "an Arm Ethos-U (compiled by Vela)",
    "NeutronGraph": "an NXP eIQ Neutron NPU",
    "vsi-npu": "a VeriSilicon NPU (compiled by TIM-VX)",
    "DISPATCH_OP": "the NPU that LiteRT compiled it for",
}
"""Custom operations into which vendors' compilers turn a graph, and the hardware that runs them.

Reference:
    libedgetpu, ``edgetpu_c.h``; tflite-micro, ``kernels/ethos_u/ethosu.cc``; NXP's
    ``tflite-neutron-delegate``; VeriSilicon's ``tflite-vx-delegate``, ``vsi_npu_custom_op.h``;
    LiteRT, ``litert/core/dispatch_op_schema.h``.
"""


DYNAMIC_BATCH_REMARK = (
    "has a dynamic batch and runs with 1 here; export it with a static batch of 1, as browsers and "
    "the Android app need it"
)
"""Remark about a file whose only dynamic size is the batch."""


class ModelFileError(ValueError):
    """The file is not a runnable image classifier; the message is one line."""

    exit_code = 1


class TensorSpec(NamedTuple):
    """An input or output of a file.

    Attributes:
        name: Name of the tensor.
        shape: Its shape, with 1 for a dynamic batch.
        dtype: Name of its numpy type, for example `"int8"`.
        scale: Real units per integer step; 0.0 if the tensor is not quantized.
        zero_point: The integer that represents 0.0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int

    def quantize(self, values: NDArray[np.float32]) -> NDArray[Any]:
        """Convert real values to the tensor's type; for a float tensor return them as they are."""
        dtype: np.dtype[Any] = np.dtype(self.dtype)
        if not self.scale:
            return np.asarray(values, dtype)
        limits = np.iinfo(dtype)
        steps = np.round(values / self.scale) + self.zero_point
        quantized: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(dtype)
        return quantized

    def dequantize(self, values: NDArray[Any]) -> NDArray[np.float32]:
        """Convert values of the tensor's type to real values; return floats as they are."""
        return _dequantize(values, self.scale, self.zero_point)


class Delegation(NamedTuple):
    """How much of the graph XNNPACK runs.

    Attributes:
        nodes: Operations in the file's main graph.
        delegated_nodes: Operations that run in XNNPACK.
        partitions: Subgraphs that XNNPACK runs; between them tensors are passed to other kernels.
        fully_delegated: Whether XNNPACK runs all operations.
    """

    nodes: int
    delegated_nodes: int
    partitions: int
    fully_delegated: bool


class Dtypes(NamedTuple):
    """The most frequent types of a file, by number of elements.

    Attributes:
        weights: Type of the constants, for example `"float16"`.
        activations: Type of the operations' outputs.
    """

    weights: str
    activations: str


class Interpreter:
    """An image classifier in a `.tflite` file, run by LiteRT on the CPU with XNNPACK.

    Call it to classify images. `set_input`, `invoke` and `get_output` are the three stages of the
    same inference, which the benchmark times separately.

    Args:
        model: The file's path, or its bytes.
        num_threads: Threads that XNNPACK and the built-in kernels may use.
        preserve_tensors: Keep every intermediate tensor for `tensors`. XNNPACK does not expose
            them, so the graph then runs on the built-in kernels, which are slower and round
            differently.

    Raises:
        ModelFileError: The file is missing, truncated or not a TFLite model; it needs operations
            that LiteRT lacks; or it does not have one image input of fixed size and one output of
            class scores. A dynamic batch becomes 1.

    Example:
        interpreter = Interpreter("lenet5.tflite")
        interpreter(images).shape  # (360, 10)
    """

    def __init__(
        self,
        model: bytes | str | Path,
        num_threads: int = 1,
        preserve_tensors: bool = False,
    ) -> None:
        self._label = _label(model)
        check_identifier(model)
        with one_line_errors(self._label):
            self._runtime = create_runtime(model, num_threads, preserve_tensors)
        try:
            inputs, outputs = self._runtime.get_input_details(), self._runtime.get_output_details()
        except UnicodeDecodeError:
            raise ModelFileError(f"{self._label} is damaged: a name in it is not text.") from None
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelFileError(
                f"{self._label} has {io_counts(len(inputs), len(outputs))}; "
                "an image classifier has one of each."
            )
        _check_shapes(inputs[0], outputs[0], self._label)
        self.input = _tensor_spec(inputs[0])
        self.output = _tensor_spec(outputs[0])
        with one_line_errors(self._label):
            if tuple(inputs[0]["shape"]) != self.input.shape:  # a dynamic batch, stored as not 1
                self._runtime.resize_tensor_input(inputs[0]["index"], self.input.shape)
            self._runtime.allocate_tensors()
        self._input_index: int = inputs[0]["index"]
        self._output_index: int = outputs[0]["index"]

    def quantize(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Convert preprocessed images to the input's type; for a float input return them as is.

        Args:
            images: Preprocessed images `(n, height, width, channels)`.
        """
        return self.input.quantize(images)

    def dequantize(self, outputs: NDArray[Any]) -> NDArray[np.float32]:
        """Convert raw outputs `(n, classes)` to float; return float outputs as they are."""
        return self.output.dequantize(outputs)

    def set_input(self, image: NDArray[Any]) -> None:
        """Copy one image `(1, height, width, channels)` of the input's type into the model."""
        self._runtime.set_tensor(self._input_index, image)

    def invoke(self) -> None:
        """Run the inference on the image from `set_input`.

        Raises:
            ModelFileError: An operation failed, for example on an uninitialized variable.
        """
        try:
            self._runtime.invoke()
        except RuntimeError as error:
            message = " ".join(str(error).split())
            raise ModelFileError(f"{self._label} failed at inference: {message}") from None

    def get_output(self) -> NDArray[Any]:
        """Return a copy of the raw output `(1, classes)`, in the output's type."""
        output: NDArray[Any] = self._runtime.get_tensor(self._output_index)
        return output

    def __call__(
        self, images: NDArray[np.float32], advance: Callable[[], None] | None = None
    ) -> NDArray[np.float32]:
        """Classify images one by one, as the file's batch is 1.

        Args:
            images: Preprocessed images `(n, height, width, channels)`.
            advance: Called after each image.

        Returns:
            Probabilities `(n, classes)`.

        Raises:
            ModelFileError: The images do not have the size of the file's input.
        """
        if images.shape[1:] != self.input.shape[1:]:
            raise ModelFileError(
                f"{self._label} takes images of {_format_size(self.input.shape[1:])}; "
                f"these are {_format_size(images.shape[1:])}."
            )
        raw: NDArray[Any] = np.empty((len(images), *self.output.shape[1:]), self.output.dtype)
        for index, image in enumerate(self.quantize(images)):
            self.set_input(image[np.newaxis])
            self.invoke()
            raw[index] = self.get_output()[0]
            if advance:
                advance()
        return self.dequantize(raw)

    def tensors(self) -> dict[str, NDArray[np.float32]]:
        """Return every activation of the last inference by name, converted to float.

        It needs `preserve_tensors=True`; without it LiteRT reuses most of their memory.
        """
        computed = self._computed()
        return {
            details["name"]: _dequantize(
                self._runtime.get_tensor(details["index"]), *_quantization(details)
            )
            for details in self._runtime.get_tensor_details()
            if details["index"] in computed
        }

    def dtypes(self) -> Dtypes:
        """Return the types that most weights and most activations have."""
        computed = self._computed()
        weights, activations = Counter[str](), Counter[str]()
        for details in self._runtime.get_tensor_details():
            counter = activations if details["index"] in computed else weights
            if details["index"] != self._input_index:
                counter[np.dtype(details["dtype"]).name] += int(np.prod(details["shape"]))
        return Dtypes(
            max(weights, key=weights.__getitem__), max(activations, key=activations.__getitem__)
        )

    def delegation(self) -> Delegation:
        """Count the operations that XNNPACK runs, and its partitions.

        LiteRT lists the file's operations and then one `DELEGATE` for each partition, with the
        partition's input and output tensors. The operations between them belong to the partition.
        """
        listed = self._runtime._get_ops_details()
        nodes = [node for node in listed if node["op_name"] != "DELEGATE"]
        partitions = [node for node in listed if node["op_name"] == "DELEGATE"]
        producer = {int(tensor): node for node in nodes for tensor in node["outputs"]}
        delegated: set[int] = set()
        for partition in partitions:
            inputs = {int(tensor) for tensor in partition["inputs"]}
            pending = [int(tensor) for tensor in partition["outputs"]]
            while pending:
                tensor = pending.pop()
                node = producer.get(tensor)
                if node is None or tensor in inputs or node["index"] in delegated:
                    continue
                delegated.add(node["index"])
                pending.extend(int(index) for index in node["inputs"])
        return Delegation(len(nodes), len(delegated), len(partitions), len(delegated) == len(nodes))

    def _computed(self) -> set[int]:
        """Return the indices of the tensors that operations compute."""
        return {
            int(index) for node in self._runtime._get_ops_details() for index in node["outputs"]
        }


def io_counts(inputs: int, outputs: int) -> str:
    """Return the numbers of inputs and outputs in words.

    Example:
        >>> io_counts(1, 4)
        '1 input and 4 outputs'
    """
    return f"{inputs} input{'s' * (inputs != 1)} and {outputs} output{'s' * (outputs != 1)}"


def check_identifier(model: bytes | str | Path) -> None:
    """Check that a file has the identifier of TFLite, without loading it.

    Args:
        model: The file's path, or its bytes.

    Raises:
        ModelFileError: It cannot be read, or has another identifier.
    """
    label = _label(model)
    try:
        if isinstance(model, bytes):
            head = model[:100]
        else:
            with Path(model).open("rb") as file:
                head = file.read(100)
    except OSError as error:
        raise ModelFileError(f"Cannot read {label}: {error.strerror}.") from None
    if head[4:8] != FILE_IDENTIFIER:
        start = head.lstrip().lower()
        if start.startswith(b"version https://git-lfs.github.com/spec/"):
            raise ModelFileError(
                f"{label} is a Git LFS pointer, not the file: run git lfs pull in its clone."
            )
        if start.startswith((b"<!doctype html", b"<html")):
            raise ModelFileError(f"{label} is an HTML page, not the file: download it again.")
        what = "is empty" if not head else "is not a TFLite file"
        raise ModelFileError(f"{label} {what}; a .tflite file has 'TFL3' in bytes 4 to 7.")


def read_file(path: str | Path) -> bytes:
    """Return the bytes of a TFLite file.

    Args:
        path: The file.

    Raises:
        ModelFileError: It cannot be read, or has another identifier.
    """
    check_identifier(path)
    return Path(path).read_bytes()


def _label(model: bytes | str | Path) -> str:
    return "The model" if isinstance(model, bytes) else f"'{model}'"


def create_runtime(model: bytes | str | Path, num_threads: int, preserve_tensors: bool) -> Any:
    """Return LiteRT's interpreter of a file; see `Interpreter` for the arguments."""
    resolvers = litert.OpResolverType
    options = {
        "num_threads": num_threads,
        "experimental_preserve_all_tensors": preserve_tensors,
        "experimental_op_resolver_type": (
            resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES if preserve_tensors else resolvers.AUTO
        ),
    }
    if isinstance(model, bytes):
        return litert.Interpreter(model_content=model, **options)
    # Encoded, because a file name need not be valid text.
    return litert.Interpreter(model_path=os.fsencode(model), **options)


@contextmanager
def one_line_errors(label: str) -> Iterator[None]:
    """Turn LiteRT's errors into ModelFileErrors of one line, and hide what it prints to stderr."""
    try:
        with _hidden_stderr():  # "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
            yield
    except (ValueError, RuntimeError) as error:
        message = " ".join(str(error).split())
        if missing := _MISSING_KERNEL.search(message):
            name = missing[1] or missing[2]
            if target := COMPILED_FOR.get(name):
                raise ModelFileError(
                    f"{label} holds the operation {name}: it runs only on {target}; take the file "
                    "that it was compiled from."
                ) from None
            raise ModelFileError(
                f"{label} needs the operation {name}, for which LiteRT has no kernel; export the "
                "model from built-in operations only."
            ) from None
        if "number of elements overflowed" in message:
            message = "a shape in it is unknown or too large; export it with a static batch of 1"
        if "not a valid Flatbuffer" in message:
            message = "truncated or damaged"
        raise ModelFileError(f"{label} cannot be loaded: {message.rstrip('.')}.") from None


@contextmanager
def _hidden_stderr() -> Iterator[None]:
    """Redirect stderr to /dev/null: what C++ prints of a failure is also in Python's exception."""
    saved, null = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(null)


def _check_shapes(inputs: dict[str, Any], outputs: dict[str, Any], label: str) -> None:
    """Raise if the input is not one image, or the output is not one row of classes.

    The batch may be dynamic, in both or in the input alone.
    """
    for details, rank, what in (
        (inputs, 4, "input is an image (1, height, width, channels)"),
        (outputs, 2, "output is a row (1, classes)"),
    ):
        stated = tuple(int(size) for size in details["shape_signature"])
        dynamic_batch = stated[:1] == (-1,) and inputs["shape_signature"][0] == -1
        shape = (1, *stated[1:]) if dynamic_batch else stated
        if -1 in shape:
            raise ModelFileError(
                f"{label} has a dynamic shape {stated}; export it with a fixed size and a batch "
                "of 1."
            )
        if len(shape) != rank or shape[0] != 1:
            raise ModelFileError(f"{label} has shape {shape} where an image classifier's {what}.")


def _tensor_spec(details: dict[str, Any]) -> TensorSpec:
    sizes = (int(size) for size in details["shape_signature"])
    shape = tuple(1 if size == -1 else size for size in sizes)  # the batch
    dtype = np.dtype(details["dtype"]).name
    return TensorSpec(details["name"], shape, dtype, *_quantization(details))


def _quantization(details: dict[str, Any]) -> tuple[float, int]:
    """Return scale and zero point; those of a float tensor have no meaning and are left out."""
    if not np.issubdtype(details["dtype"], np.integer):
        return 0.0, 0
    scale, zero_point = details["quantization"]
    return float(scale), int(zero_point)


def _dequantize(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    if not scale:
        return np.asarray(values, np.float32)
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _format_size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
