"""What a file contains: operations, types, and what a phone's runtime does not support."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..tflite import flatbuffer, metadata
from ..tflite.find_lrn import lrn_tensors
from ..tflite.flatbuffer import ModelFile
from ..tflite.inferred_recipe import inferred_recipe
from ..tflite.interpreter import (
    COMPILED_FOR,
    DYNAMIC_BATCH_REMARK,
    Delegation,
    Interpreter,
    ModelFileError,
    TensorSpec,
    io_counts,
    read_file,
)

_FLOATS = frozenset({"float32", "float16", "bfloat16"})


@dataclass(frozen=True)
class Audit:
    """What a file contains.

    Attributes:
        size_bytes: Size of the file.
        sha256: Hash of the file.
        recipe: Recipe that the file's types correspond to; None if there is none.
        input: The input.
        output: The output.
        ops: Count of each operation in the main graph.
        dtypes: Count of tensors of each type.
        custom_ops: Operations that are not TFLite's own, including TensorFlow's (Flex).
        float_islands: In a file with integer activations, the operations that compute in floating
            point, as ``OPERATION tensor``.
        integer_rsqrt: Reciprocal square roots that are computed in integers, as ``OPERATION
            tensor``. Normalizations by the image's own statistics compute them.
        lrn: Tensors of local response normalization, which stays in floating point in every file.
        dynamic_dimensions: Tensors with a size that is known only at run time.
        dynamic_batch: Whether only the batch size is dynamic; the file then runs with 1.
        nodes: Number of operations in the main graph.
        delegated_nodes: Number of them that XNNPACK runs here; None if the file cannot be run.
        partitions: Number of parts of the graph that XNNPACK runs; None if the file cannot be run.
        metadata: Whether the file has metadata with labels and preprocessing.
        num_labels: Number of labels in the file; None without labels.
    """

    size_bytes: int
    sha256: str
    recipe: str | None
    input: TensorSpec
    output: TensorSpec
    ops: dict[str, int]
    dtypes: dict[str, int]
    custom_ops: tuple[str, ...]
    float_islands: tuple[str, ...]
    integer_rsqrt: tuple[str, ...]
    lrn: tuple[str, ...]
    dynamic_dimensions: tuple[str, ...]
    dynamic_batch: bool
    nodes: int
    delegated_nodes: int | None
    partitions: int | None
    metadata: bool
    num_labels: int | None

    @property
    def flex_ops(self) -> tuple[str, ...]:
        """TensorFlow's operations, which need TensorFlow's runtime in addition to TFLite's."""
        return tuple(op for op in self.custom_ops if op.startswith("Flex"))

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as JSON types."""
        return asdict(self) | {
            "input": self.input._asdict(),
            "output": self.output._asdict(),
            "flex_ops": self.flex_ops,
        }


def audit(file: str | Path | bytes) -> Audit:
    """Inspect a TFLite file.

    LiteRT loads the file in this process, which a damaged file can crash. Read a file of unknown
    origin in a subprocess, as the command does:
    ``isolation.call("verification.audit.audit", file, file=file)``.

    Args:
        file: Path of the file, or its bytes.

    Raises:
        ModelFileError: The file cannot be read, is damaged, or is not an image classifier.

    Example:
        audit("resnet20.tflite").partitions  # 1
    """
    return audit_parsed(file, ModelFile(file if isinstance(file, bytes) else read_file(file)))


def audit_parsed(file: str | Path | bytes, parsed: ModelFile) -> Audit:
    """Inspect a file whose content has been parsed; see `audit`."""
    try:
        model, about = parsed.model, metadata.read(parsed)
    except ModelFileError as error:
        raise error if isinstance(file, bytes) else ModelFileError(f"{file}: {error}") from None
    graph, names = model.subgraphs[0], flatbuffer.op_names(model)
    custom_ops = _custom_ops(model)
    _require_classifier(graph, custom_ops, "The model" if isinstance(file, bytes) else f"'{file}'")
    recipe = inferred_recipe(model)
    dynamic = tuple(
        flatbuffer.name_of(tensor) for tensor in graph.tensors if -1 in flatbuffer.shape_of(tensor)
    )
    dynamic_batch = _only_batch_is_dynamic(graph)
    runs = not custom_ops and (dynamic_batch or not dynamic)
    delegation = Interpreter(file).delegation() if runs else Delegation(len(names), 0, 0, False)
    return Audit(
        size_bytes=len(parsed.content),
        sha256=hashlib.sha256(parsed.content).hexdigest(),
        recipe=recipe,
        input=_spec(graph.tensors[graph.inputs[0]]),
        output=_spec(graph.tensors[graph.outputs[0]]),
        ops=dict(Counter(names)),
        dtypes=dict(Counter(map(flatbuffer.dtype_name, graph.tensors))),
        custom_ops=custom_ops,
        float_islands=tuple(_float_islands(graph, names)) if _is_integer(recipe) else (),
        integer_rsqrt=tuple(_integer_rsqrt(graph, names)),
        lrn=tuple(sorted(lrn_tensors(model))),
        dynamic_dimensions=dynamic,
        dynamic_batch=dynamic_batch,
        nodes=delegation.nodes,
        delegated_nodes=delegation.delegated_nodes if runs else None,
        partitions=delegation.partitions if runs else None,
        metadata=about is not None,
        num_labels=(len(about.labels) or None) if about else None,
    )


def remarks(audit: Audit) -> list[str]:
    """Return remarks about what makes a file slower or less portable, one line each."""
    found = [DYNAMIC_BATCH_REMARK] if audit.dynamic_batch else []
    if audit.delegated_nodes == 0:
        return [*found, f"XNNPACK runs none of {audit.nodes} operations"]
    if audit.partitions is not None and audit.partitions != 1:
        found.append(f"XNNPACK runs the graph in {audit.partitions} partitions")
    if audit.delegated_nodes is not None and audit.delegated_nodes < audit.nodes:
        found.append(f"XNNPACK runs {audit.delegated_nodes} of {audit.nodes} operations")
    return found


def _custom_ops(model: Any) -> tuple[str, ...]:
    codes = {code.customCode.decode() for code in model.operatorCodes if code.customCode}
    return tuple(sorted(codes))


def _require_classifier(graph: Any, custom_ops: Sequence[str], label: str) -> None:
    """Refuse a file without exactly one input and one output; say where a compiled one runs."""
    counts = len(graph.inputs), len(graph.outputs)
    if counts != (1, 1):
        devices = [COMPILED_FOR[op] for op in custom_ops if op in COMPILED_FOR]
        compiled = "".join(f" It runs only on {device}." for device in devices)
        raise ModelFileError(
            f"{label} has {io_counts(*counts)}; an image classifier has one of each.{compiled}"
        )


def _is_integer(recipe: str | None) -> bool:
    """Return whether activations are integers; mixed integers and uint8 are of no recipe."""
    return recipe is None or recipe.startswith("static")


def _only_batch_is_dynamic(graph: Any) -> bool:
    """Return whether the input's batch size is dynamic, and no other size of any tensor."""
    signatures = [flatbuffer.shape_of(tensor) for tensor in graph.tensors]
    dynamic_inputs = [signatures[index][:1] == (-1,) for index in graph.inputs]
    return any(dynamic_inputs) and not any(-1 in signature[1:] for signature in signatures)


def _float_islands(graph: Any, names: list[str]) -> Iterator[str]:
    for op, name in zip(graph.operators, names, strict=True):
        index = op.outputs[0]
        is_float = flatbuffer.dtype_name(graph.tensors[index]) in _FLOATS
        # A float output comes from the softmax after the last integer.
        if is_float and name not in flatbuffer.CONVERSIONS and index not in graph.outputs:
            yield f"{name} {flatbuffer.name_of(graph.tensors[index])}"


def _integer_rsqrt(graph: Any, names: list[str]) -> Iterator[str]:
    for op, name in zip(graph.operators, names, strict=True):
        tensor = graph.tensors[op.outputs[0]]
        if name == "RSQRT" and flatbuffer.dtype_name(tensor) not in _FLOATS:
            yield f"{name} {flatbuffer.name_of(tensor)}"


def _spec(tensor: Any) -> TensorSpec:
    scale, zero_point = flatbuffer.quantization_of(tensor)
    return TensorSpec(
        flatbuffer.name_of(tensor),
        flatbuffer.shape_of(tensor),
        flatbuffer.dtype_name(tensor),
        scale,
        zero_point,
    )
