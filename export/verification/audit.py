"""What is in a file: operations, types, and what a phone's runtime will stumble over."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..recipes import RECIPES, Recipe
from ..tflite import flatbuffer, metadata
from ..tflite.flatbuffer import scope_of
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
from ..tflite.lrn import lrn_tensors
from ..tflite.quantization import inferred_recipe

_FLOATS = frozenset({"float32", "float16", "bfloat16"})


@dataclass(frozen=True)
class Audit:
    """What a file holds.

    Attributes:
        size_bytes: Size of the file.
        sha256: Its hash.
        recipe: The recipe that it looks like; None if it looks like none.
        input: Its input.
        output: Its output.
        ops: How often each operation occurs in the main graph.
        dtypes: How many tensors have each type.
        custom_ops: Operations that are not TFLite's own, TensorFlow's (Flex) among them.
        float_islands: In a file with integer activations, the operations that compute in floating
            point, as ``OPERATION tensor``.
        integer_rsqrt: The reciprocal roots that are computed in integers, as ``OPERATION tensor``.
            Normalizations by the image's own statistics take them.
        lrn: The tensors of local response normalization, which stays float in every file.
        dynamic_dimensions: Tensors with a size that is known only when the file runs.
        dynamic_batch: Whether that is the number of images, everywhere: the file runs with 1.
        nodes: Operations in the main graph.
        delegated_nodes: Those that XNNPACK runs here; None if the file cannot be run.
        partitions: Pieces in which XNNPACK gets them; None if the file cannot be run.
        metadata: Whether labels and preprocessing can be read from the file.
        num_labels: How many labels it holds; None if none.
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
        """TensorFlow's operations, which need TensorFlow's runtime beside TFLite's."""
        return tuple(op for op in self.custom_ops if op.startswith("Flex"))

    def to_dict(self) -> dict[str, Any]:
        """Return the audit as JSON types."""
        return asdict(self) | {
            "input": self.input._asdict(),
            "output": self.output._asdict(),
            "flex_ops": self.flex_ops,
        }


def audit(file: str | Path | bytes) -> Audit:
    """Look into a TFLite file.

    LiteRT loads it in this process, which a damaged file can end by a signal. A file from elsewhere
    is better read in a subprocess, as the command does:
    ``isolation.call("verification.audit.audit", file, file=file)``.

    Args:
        file: Path of the file, or its bytes.

    Raises:
        ModelFileError: It cannot be read, is broken, or is no image classifier.

    Example:
        audit("resnet20.tflite").partitions  # 1
    """
    data = file if isinstance(file, bytes) else read_file(file)
    try:
        model, about = flatbuffer.parse(data), metadata.read(data)
    except ModelFileError as error:
        raise error if isinstance(file, bytes) else ModelFileError(f"{file}: {error}") from None
    graph, names = model.subgraphs[0], flatbuffer.op_names(model)
    custom = tuple(
        sorted({code.customCode.decode() for code in model.operatorCodes if code.customCode})
    )
    if (ends := (len(graph.inputs), len(graph.outputs))) != (1, 1):
        label = "The model" if isinstance(file, bytes) else f"'{file}'"
        compiled = "".join(
            f" It runs only on {COMPILED_FOR[op]}." for op in custom if op in COMPILED_FOR
        )
        raise ModelFileError(
            f"{label} has {io_counts(*ends)}; an image classifier has one of each.{compiled}"
        )
    recipe = inferred_recipe(model)
    dynamic = tuple(
        flatbuffer.name_of(tensor) for tensor in graph.tensors if -1 in flatbuffer.shape_of(tensor)
    )
    dynamic_batch = _only_batch_is_dynamic(graph)
    runs = not custom and (dynamic_batch or not dynamic)
    delegation = Interpreter(file).delegation() if runs else Delegation(len(names), 0, 0, False)
    return Audit(
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        recipe=recipe,
        input=_spec(graph.tensors[graph.inputs[0]]),
        output=_spec(graph.tensors[graph.outputs[0]]),
        ops=dict(Counter(names)),
        dtypes=dict(Counter(map(flatbuffer.dtype_name, graph.tensors))),
        custom_ops=custom,
        float_islands=_float_islands(graph, names) if _is_integer(recipe) else (),
        integer_rsqrt=_integer_rsqrt(graph, names),
        lrn=tuple(sorted(lrn_tensors(model))),
        dynamic_dimensions=dynamic,
        dynamic_batch=dynamic_batch,
        nodes=delegation.nodes,
        delegated_nodes=delegation.delegated_nodes if runs else None,
        partitions=delegation.partitions if runs else None,
        metadata=about is not None,
        num_labels=(len(about.labels) or None) if about else None,
    )


def report(file: Path) -> dict[str, Any]:
    """Return what the command `audit` says of a file, as JSON types.

    Raises:
        ModelFileError: See `audit`.
    """
    found, about = audit(file), metadata.read(read_file(file))
    return {
        "file": str(file),
        **found.to_dict(),
        "labels": about.labels if about else None,
        "preprocessing": about.preprocessing if about else None,
        "reasons": problems(found, RECIPES.get(found.recipe or "")),
        "remarks": remarks(found),
    }


def problems(audit: Audit, recipe: Recipe | None = None) -> list[str]:
    """Return the reasons to refuse a file, one line each; none if it is fit to ship.

    Args:
        audit: What the file holds.
        recipe: How it should be stored; by default only what is wrong with any file counts.
    """
    found = [
        f"runs only on {COMPILED_FOR[op]}: {op}" for op in audit.custom_ops if op in COMPILED_FOR
    ]
    if unknown := [op for op in audit.custom_ops if op not in COMPILED_FOR]:
        found.append(f"needs operations outside TFLite: {', '.join(unknown)}")
    if audit.dynamic_dimensions and not audit.dynamic_batch:
        found.append(f"has dynamic dimensions: {', '.join(audit.dynamic_dimensions)}")
    classes = audit.output.shape[-1] if audit.output.shape else 1
    if audit.num_labels not in (None, classes):
        found.append(f"has {audit.num_labels} labels for {classes} classes")
    if recipe and audit.recipe != recipe.stored_as:
        found.append(f"is stored as {audit.recipe or 'no known recipe'}, not as {recipe.stored_as}")
    if islands := refused_islands(audit, recipe):
        found.append(
            f"computes in floating point inside an integer file: {', '.join(islands)} (`export "
            f"--keep-float '{_layers_of(islands)}'` leaves the whole layers so)"
        )
    return found


def refusals(audit: Audit, recipe: Recipe, losses: Sequence[str]) -> list[str]:
    """Return all reasons to refuse a file, one line each.

    Args:
        audit: What the file holds.
        recipe: How it should be stored.
        losses: What `verify` finds. Where they may come from normalizations that compute in
            integers, a line names the expression that keeps these in floating point.
    """
    found = [*problems(audit, recipe), *losses]
    if losses and audit.integer_rsqrt and not refused_islands(audit, recipe):
        layers = _layers_of(audit.integer_rsqrt)
        found.append(
            "normalizes by the image's own statistics in integers, which may be too coarse "
            f"(`export --keep-float '{layers}'` leaves these layers in floating point)"
        )
    return found


def refused_islands(audit: Audit, recipe: Recipe | None = None) -> list[str]:
    """Return the float islands that a recipe does not allow, as ``OPERATION tensor``."""
    return [island for island in audit.float_islands if not _is_allowed(island, audit, recipe)]


def _layers_of(islands: Sequence[str]) -> str:
    """Return the expression that finds all tensors of the islands' layers.

    Of what belongs to no layer it finds only the tensor itself.
    """
    expressions = []
    for tensor in (island.partition(" ")[2] for island in islands):
        scope = scope_of(tensor)
        layer = f"/{re.escape(scope.rpartition('/')[2])}/"
        expressions.append(f"^{re.escape(tensor)}$" if scope == tensor else layer)
    return "|".join(dict.fromkeys(expressions))


def _is_allowed(island: str, audit: Audit, recipe: Recipe | None) -> bool:
    op, _, tensor = island.partition(" ")
    if tensor in audit.lrn:
        return True
    return recipe is not None and (op in recipe.float_ops or recipe.keeps_float(tensor))


def remarks(audit: Audit) -> list[str]:
    """Return what makes a file slower than it could be, or fit for fewer places, one line each."""
    found = [DYNAMIC_BATCH_REMARK] if audit.dynamic_batch else []
    if audit.delegated_nodes == 0:
        return [*found, f"XNNPACK runs none of {audit.nodes} operations"]
    if audit.partitions is not None and audit.partitions != 1:
        found.append(f"XNNPACK gets the graph in {audit.partitions} pieces")
    if audit.delegated_nodes is not None and audit.delegated_nodes < audit.nodes:
        found.append(f"XNNPACK runs {audit.delegated_nodes} of {audit.nodes} operations")
    return found


def _is_integer(recipe: str | None) -> bool:
    """Return whether activations are integers; mixed ones and uint8 are no recipe's."""
    return recipe is None or recipe.startswith("static")


def _only_batch_is_dynamic(graph: Any) -> bool:
    """Return whether the input leaves the number of images open, and no tensor anything else."""
    signatures = [flatbuffer.shape_of(tensor) for tensor in graph.tensors]
    opened = [signatures[index][:1] == (-1,) for index in graph.inputs]
    return any(opened) and not any(-1 in signature[1:] for signature in signatures)


def _float_islands(graph: Any, names: list[str]) -> tuple[str, ...]:
    return tuple(
        f"{name} {flatbuffer.name_of(graph.tensors[op.outputs[0]])}"
        for op, name in zip(graph.operators, names, strict=True)
        if name not in flatbuffer.CONVERSIONS
        and flatbuffer.dtype_name(graph.tensors[op.outputs[0]]) in _FLOATS
        and op.outputs[0] not in graph.outputs  # the softmax behind the last integer
    )


def _integer_rsqrt(graph: Any, names: list[str]) -> tuple[str, ...]:
    return tuple(
        f"{name} {flatbuffer.name_of(graph.tensors[op.outputs[0]])}"
        for op, name in zip(graph.operators, names, strict=True)
        if name == "RSQRT" and flatbuffer.dtype_name(graph.tensors[op.outputs[0]]) not in _FLOATS
    )


def _spec(tensor: Any) -> TensorSpec:
    scale, zero_point = flatbuffer.quantization_of(tensor)
    return TensorSpec(
        flatbuffer.name_of(tensor),
        flatbuffer.shape_of(tensor),
        flatbuffer.dtype_name(tensor),
        scale,
        zero_point,
    )
