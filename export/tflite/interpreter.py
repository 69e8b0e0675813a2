"""Run a `.tflite` classifier: float images in, float probabilities out.

The only file that imports the LiteRT runtime. It needs the standard library, numpy and
ai-edge-litert, so it also runs on a board that has nothing else. Quantized inputs and outputs are
converted here, by the file's own scale and zero point, so that no caller has to know them.
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

# A custom operation's name may hold anything; LiteRT ends it with a full stop.
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
"""What vendors' compilers put in the place of the graph, by the custom operation's name, and what
runs it.

Reference:
    libedgetpu, ``edgetpu_c.h``; tflite-micro, ``kernels/ethos_u/ethosu.cc``; NXP's
    ``tflite-neutron-delegate``; VeriSilicon's ``tflite-vx-delegate``, ``vsi_npu_custom_op.h``;
    LiteRT, ``litert/core/dispatch_op_schema.h``.
"""


DYNAMIC_BATCH_REMARK = (
    "has a dynamic batch and runs with 1 here; export it with a static batch of 1, as browsers and "
    "the Android app need it"
)
"""The remark about a file of which only the number of images is not fixed."""


class ModelFileError(ValueError):
    """A file that is no runnable image classifier; the message is one line."""

    exit_code = 1


class TensorSpec(NamedTuple):
    """What the file says about an input or output.

    Attributes:
        name: Name of the tensor.
        shape: Its static shape, batch 1 first, also where the file leaves the batch open.
        dtype: Name of its numpy type, for example `"int8"`.
        scale: Real units per integer step; 0.0 if the tensor is not quantized.
        zero_point: The integer that stands for 0.0.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


class Delegation(NamedTuple):
    """How much of the graph XNNPACK runs.

    Attributes:
        nodes: Operations in the file's main graph.
        delegated_nodes: Those that run inside XNNPACK.
        partitions: Pieces in which XNNPACK got them; every piece more is a hand-over of tensors.
        fully_delegated: Whether no operation is left to the built-in kernels.
    """

    nodes: int
    delegated_nodes: int
    partitions: int
    fully_delegated: bool


class Dtypes(NamedTuple):
    """The number types that most of a file consists of, by count of elements.

    Attributes:
        weights: Type of the constants, for example `"float16"`.
        activations: Type of what the operations compute.
    """

    weights: str
    activations: str


class Interpreter:
    """An image classifier in a `.tflite` file, run by LiteRT on the CPU with XNNPACK.

    Calling it is the ordinary way. `set_input`, `invoke` and `get_output` are the same inference in
    its three stages, which the benchmark times apart.

    Args:
        model: The file's path, or its bytes.
        num_threads: Threads that XNNPACK and the built-in kernels may use.
        preserve_tensors: Keep every intermediate tensor for `tensors`. XNNPACK hides them, so the
            graph then runs on the built-in kernels: slower, and with another rounding.

    Raises:
        ModelFileError: The file is missing, truncated or no TFLite model; needs operations that
            LiteRT lacks; has not one image input of fixed size and one output of class scores. A
            batch that is left open is 1.

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
        with _refused(self._label):
            self._runtime = _interpreter(model, num_threads, preserve_tensors)
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
        self.input = _spec(inputs[0])
        self.output = _spec(outputs[0])
        with _refused(self._label):
            if (
                tuple(inputs[0]["shape"]) != self.input.shape
            ):  # of another batch, with one left open
                self._runtime.resize_tensor_input(inputs[0]["index"], self.input.shape)
            self._runtime.allocate_tensors()
        self._input_index: int = inputs[0]["index"]
        self._output_index: int = outputs[0]["index"]

    def quantize(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Convert preprocessed images to the input's type; a float input passes them through.

        Args:
            images: Preprocessed images `(n, height, width, channels)`.
        """
        dtype: np.dtype[Any] = np.dtype(self.input.dtype)
        if not self.input.scale:
            return np.asarray(images, dtype)
        limits = np.iinfo(dtype)
        steps = np.round(images / self.input.scale) + self.input.zero_point
        quantized: NDArray[Any] = np.clip(steps, limits.min, limits.max).astype(dtype)
        return quantized

    def dequantize(self, outputs: NDArray[Any]) -> NDArray[np.float32]:
        """Convert raw outputs `(n, classes)` to float; a float output passes through."""
        return _dequantize(outputs, self.output.scale, self.output.zero_point)

    def set_input(self, image: NDArray[Any]) -> None:
        """Copy one image `(1, height, width, channels)` of the input's type into the model."""
        self._runtime.set_tensor(self._input_index, image)

    def invoke(self) -> None:
        """Compute the output of the image that `set_input` copied in.

        Raises:
            ModelFileError: An operation failed, for example on a variable that nothing has set.
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
        """Classify images, one at a time because the file's batch is 1.

        Args:
            images: Preprocessed images `(n, height, width, channels)`.
            advance: Called after each image.

        Returns:
            Probabilities `(n, classes)`.

        Raises:
            ModelFileError: The images have not the size that the file takes.
        """
        if images.shape[1:] != self.input.shape[1:]:
            raise ModelFileError(
                f"{self._label} takes images of {_size(self.input.shape[1:])}; "
                f"these are {_size(images.shape[1:])}."
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

        Needs `preserve_tensors=True`; without it LiteRT has reused most of their memory.
        """
        produced = self._produced()
        return {
            details["name"]: _dequantize(
                self._runtime.get_tensor(details["index"]), *_quantization(details)
            )
            for details in self._runtime.get_tensor_details()
            if details["index"] in produced
        }

    def dtypes(self) -> Dtypes:
        """Name the types that most weights and most activations have."""
        produced = self._produced()
        weights, activations = Counter[str](), Counter[str]()
        for details in self._runtime.get_tensor_details():
            counter = activations if details["index"] in produced else weights
            if details["index"] != self._input_index:
                counter[np.dtype(details["dtype"]).name] += int(np.prod(details["shape"]))
        return Dtypes(
            max(weights, key=weights.__getitem__), max(activations, key=activations.__getitem__)
        )

    def delegation(self) -> Delegation:
        """Count the operations that XNNPACK took over, and in how many pieces.

        LiteRT lists the file's own operations and then one `DELEGATE` for each piece, with the
        tensors that enter and leave it. The operations in between are the piece's.
        """
        listed = self._runtime._get_ops_details()
        nodes = [node for node in listed if node["op_name"] != "DELEGATE"]
        pieces = [node for node in listed if node["op_name"] == "DELEGATE"]
        producer = {int(tensor): node for node in nodes for tensor in node["outputs"]}
        delegated: set[int] = set()
        for piece in pieces:
            entering = {int(tensor) for tensor in piece["inputs"]}
            wanted = [int(tensor) for tensor in piece["outputs"]]
            while wanted:
                tensor = wanted.pop()
                node = producer.get(tensor)
                if node is None or tensor in entering or node["index"] in delegated:
                    continue
                delegated.add(node["index"])
                wanted.extend(int(needed) for needed in node["inputs"])
        return Delegation(len(nodes), len(delegated), len(pieces), len(delegated) == len(nodes))

    def _produced(self) -> set[int]:
        """Return the indices of the tensors that operations compute."""
        return {
            int(index) for node in self._runtime._get_ops_details() for index in node["outputs"]
        }


def io_counts(inputs: int, outputs: int) -> str:
    """Return how many inputs and outputs a file has, in words.

    Example:
        >>> io_counts(1, 4)
        '1 input and 4 outputs'
    """
    return f"{inputs} input{'s' * (inputs != 1)} and {outputs} output{'s' * (outputs != 1)}"


def check_identifier(model: bytes | str | Path) -> None:
    """Refuse what is not even a TFLite file, without loading it.

    Args:
        model: The file's path, or its bytes.

    Raises:
        ModelFileError: It cannot be read, or its identifier is not TFLite's.
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
        ModelFileError: It cannot be read, or its identifier is not TFLite's.
    """
    check_identifier(path)
    return Path(path).read_bytes()


def _label(model: bytes | str | Path) -> str:
    return "The model" if isinstance(model, bytes) else f"'{model}'"


def _interpreter(model: bytes | str | Path, num_threads: int, preserve_tensors: bool) -> Any:
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
    # As the system has the name, which need not be text.
    return litert.Interpreter(model_path=os.fsencode(model), **options)


@contextmanager
def _refused(label: str) -> Iterator[None]:
    """Say in one line why LiteRT does not take a file, and keep what it prints off stderr."""
    try:
        with _silent_stderr():  # "INFO: Created TensorFlow Lite XNNPACK delegate for CPU."
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
def _silent_stderr() -> Iterator[None]:
    """Send what C++ writes on stderr to nowhere; the same stands in Python's exceptions."""
    saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nowhere)


def _check_shapes(inputs: dict[str, Any], outputs: dict[str, Any], label: str) -> None:
    """Refuse a file whose input is not one image or whose output is not one row of classes.

    The batch may be open, in both or in the input alone.
    """
    for details, rank, what in (
        (inputs, 4, "input is an image (1, height, width, channels)"),
        (outputs, 2, "output is a row (1, classes)"),
    ):
        stated = tuple(int(size) for size in details["shape_signature"])
        opened = stated[:1] == (-1,) and inputs["shape_signature"][0] == -1
        shape = (1, *stated[1:]) if opened else stated
        if -1 in shape:
            raise ModelFileError(
                f"{label} has a dynamic shape {stated}; export it with a fixed size and a batch "
                "of 1."
            )
        if len(shape) != rank or shape[0] != 1:
            raise ModelFileError(f"{label} has shape {shape} where an image classifier's {what}.")


def _spec(details: dict[str, Any]) -> TensorSpec:
    sizes = (int(size) for size in details["shape_signature"])
    shape = tuple(1 if size == -1 else size for size in sizes)  # the batch
    dtype = np.dtype(details["dtype"]).name
    return TensorSpec(details["name"], shape, dtype, *_quantization(details))


def _quantization(details: dict[str, Any]) -> tuple[float, int]:
    """Return scale and zero point; a float tensor may have them too, where they mean nothing."""
    if not np.issubdtype(details["dtype"], np.integer):
        return 0.0, 0
    scale, zero_point = details["quantization"]
    return float(scale), int(zero_point)


def _dequantize(values: NDArray[Any], scale: float, zero_point: int) -> NDArray[np.float32]:
    if not scale:
        return np.asarray(values, np.float32)
    return (values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
