"""Copies of Keras 3 models in tf_keras, which TensorFlow's model optimization toolkit works on.

The toolkit quantizes, prunes and clusters only models of tf_keras (Keras 2). Both versions run in
one process: the copy is another model with the same weights, and is compared with the original
before it is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakValueDictionary

import numpy as np
import tf_keras
from keras import Function, Model, layers, tree

from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.errors import Error, UsageError, keras_reason

if TYPE_CHECKING:
    from keras import Operation

MAX_RELATIVE_ERROR = 1e-5
"""Greatest difference that rounding may cause, relative to the greatest output."""

# Layers that have weights, that the toolkit treats, or that act only in training. All of them have
# the same name, arguments and order of weights in both versions. Other layers are called as they
# are.
COPIED_LAYERS = (
    layers.Activation,
    layers.Add,
    layers.AveragePooling2D,
    layers.BatchNormalization,
    layers.Concatenate,
    layers.Conv2D,
    layers.Conv2DTranspose,
    layers.Dense,
    layers.DepthwiseConv2D,
    layers.Dropout,
    layers.Flatten,
    layers.GlobalAveragePooling2D,
    layers.GlobalMaxPooling2D,
    layers.LayerNormalization,
    layers.MaxPooling2D,
    layers.Multiply,
    layers.PReLU,
    layers.ReLU,
    layers.Reshape,
    layers.SeparableConv2D,
    layers.SpatialDropout2D,
    layers.ZeroPadding2D,
)

# Arguments that affect a model's first weights and its own training, not what it computes.
_OMITTED_ARGUMENTS = ("constraint", "dtype", "initializer", "regularizer", "synchronized")


@dataclass(frozen=True)
class _Call:
    """One call of an operation: its arguments, with a `_TensorIndex` instead of each tensor."""

    operation: Operation
    args: Any
    kwargs: Any


@dataclass(frozen=True)
class _TensorIndex:
    index: int


_calls: WeakValueDictionary[int, _Call] = WeakValueDictionary()


class TfKerasCopy(NamedTuple):
    """A copy of a model.

    Attributes:
        model: The copy.
        layers: Pairs of an original layer and its copy.
    """

    model: tf_keras.Model
    layers: list[tuple[layers.Layer, tf_keras.layers.Layer]]


class Stateless(tf_keras.layers.Layer):
    """An operation of Keras 3 without weights, as a layer of tf_keras.

    Args:
        call: Id of the call in this process; clones of the layer share the operation.
    """

    def __init__(self, call: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._call = _calls[call]

    def call(self, tensors: Any) -> Any:
        """Compute the operation; `tensors` are the tensors among its arguments."""
        tensors = tree.flatten(tensors)  # a clone gets the only tensor of a list without the list

        def fill(value: Any) -> Any:
            return tensors[value.index] if isinstance(value, _TensorIndex) else value

        args, kwargs = tree.map_structure(fill, (self._call.args, self._call.kwargs))
        return self._call.operation(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, in this process."""
        return super().get_config() | {"call": id(self._call)}


def copy_to_tf_keras(model: Model) -> TfKerasCopy:
    """Copy a functional or sequential model to tf_keras, with the same weights.

    Nested models are flattened, as the toolkit requires; a layer that is used twice stays one
    layer. Layers without weights that the toolkit does not know (our LRN, `keras.ops`) are called
    as they are.

    Args:
        model: On Keras' TensorFlow backend, channels last.

    Returns:
        The copy. Its layers have the names of the originals; those of nested models are prefixed
        with the model's name (``nested_conv1``).

    Raises:
        UsageError: A layer has weights and is none of `COPIED_LAYERS`, or its configuration holds a
            function that Keras does not name; the message gives the layer's path.
    """
    _require_graph(model, model.name)
    tf_keras.backend.set_floatx("float32")  # tf_keras reads keras.json, too
    builder = _Builder()
    return TfKerasCopy(builder.model(model), list(builder.pairs.values()))


def require_equal(model: Model, copy: tf_keras.Model, images: Float32Images) -> float:
    """Compare the outputs of a model and its copy.

    Args:
        model: The original.
        copy: Its copy.
        images: Normalized images `(n, height, width, channels)`.

    Returns:
        The greatest difference of an output, relative to the greatest output.

    Raises:
        Error: The difference exceeds `MAX_RELATIVE_ERROR`.
    """
    expected = [np.asarray(output) for output in tree.flatten(model(images, training=False))]
    outputs = [np.asarray(output) for output in tree.flatten(copy(images, training=False))]
    greatest = max(float(np.abs(output).max()) for output in expected)
    differences = [np.abs(one - other) for one, other in zip(expected, outputs, strict=True)]
    error = max(float(difference.max()) for difference in differences) / greatest
    if not error <= MAX_RELATIVE_ERROR:
        raise Error(
            f"The tf_keras copy of '{model.name}' differs by {error:.2g} of the greatest output; "
            f"expected {MAX_RELATIVE_ERROR:g} at most."
        )
    return error


class _Builder:
    """Builds a copy. Remembers the layers so far: shared layers stay shared, names unique."""

    def __init__(self) -> None:
        self.pairs: dict[int, tuple[layers.Layer, tf_keras.layers.Layer]] = {}
        self.names: set[str] = set()

    def model(self, model: Model) -> tf_keras.Model:
        inputs = [
            tf_keras.Input(tensor.shape[1:], name=self.unique_name(tensor.name))  # in float32
            for tensor in model.inputs
        ]
        outputs = self.connect(model, inputs, path="")
        return tf_keras.Model(inputs, outputs, name=model.name)

    def connect(self, model: Model, inputs: Any, path: str) -> Any:
        """Apply a model's operations, one after the other, to tensors of tf_keras."""

        def copy_of(operation: Operation) -> Callable[..., Any]:
            name = f"{path}{operation.name}"
            if isinstance(operation, Model):
                _require_graph(operation, name)
                return lambda x, **_: self.connect(operation, x, f"{name}/")
            if isinstance(operation, COPIED_LAYERS):
                return self.layer(operation, name)
            if getattr(operation, "weights", ()) and not _is_constant(operation):
                raise UsageError(
                    f"Layer '{name}' ({type(operation).__name__}) has weights and no counterpart "
                    "in tf_keras; build the model with other layers."
                )
            return lambda *args, **kwargs: self.stateless(operation, name, args, kwargs)

        return Function(model.inputs, model.outputs)._run_through_graph(inputs, copy_of)

    def layer(self, original: layers.Layer, path: str) -> Callable[..., Any]:
        """Return a layer's copy, which gets its weights at its first call."""
        if id(original) not in self.pairs:
            name = self.unique_name(path)
            self.pairs[id(original)] = original, _copy_layer(original, path, name)
        _, layer = self.pairs[id(original)]

        def call(*args: Any, **kwargs: Any) -> Any:
            first_call = not layer.built
            output = layer(*args, **kwargs)
            if first_call:
                layer.set_weights(original.get_weights())
            return output

        return call

    def stateless(self, operation: Operation, path: str, args: Any, kwargs: Any) -> Any:
        """Apply an operation as it is."""
        tensors: list[Any] = []

        def replace_tensor(value: Any) -> Any:
            if not hasattr(value, "_keras_history"):
                return value
            tensors.append(value)
            return _TensorIndex(len(tensors) - 1)

        if "training" in inspect.signature(operation.call).parameters:
            # Some layers augment images by default; here the training recipe does.
            kwargs = kwargs | {"training": False}
        args, kwargs = tree.map_structure(replace_tensor, (args, kwargs))
        call = _Call(operation, args, kwargs)
        _calls[id(call)] = call
        return Stateless(id(call), name=self.unique_name(path))(tensors)

    def unique_name(self, path: str) -> str:
        """Return a name that no other layer has."""
        stem = path.replace("/", "_")
        name, count = stem, 1
        while name in self.names:
            count += 1
            name = f"{stem}_{count}"
        self.names.add(name)
        return name


def _require_graph(model: Model, path: str) -> None:
    """Refuse a model whose operations are not known as a graph."""
    if not getattr(model, "inputs", None):
        raise UsageError(f"'{path}' is neither a functional nor a sequential model that is built.")


def _is_constant(operation: Operation) -> bool:
    """Return whether a layer's weights are statistics of data, which training does not change."""
    return isinstance(operation, layers.Normalization)


def _copy_layer(original: layers.Layer, path: str, name: str) -> tf_keras.layers.Layer:
    """Return the layer of tf_keras with the same arguments."""
    kind = getattr(tf_keras.layers, type(original).__name__, None)
    if kind is None:
        raise UsageError(
            f"Layer '{path}' ({type(original).__name__}) is a class of its own; tf_keras has none "
            "of that name."
        )
    accepted = _argument_names(kind)
    config = {
        key: value
        for key, value in original.get_config().items()
        if key in accepted and not key.endswith(_OMITTED_ARGUMENTS)
    }
    for key, value in config.items():
        if isinstance(value, dict):
            raise UsageError(
                f"Layer '{path}' has a function of its own as {key}; expected one that Keras names."
            )
    try:
        return kind(**(config | {"name": name}))
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"Layer '{path}' ({type(original).__name__}) cannot be rebuilt in tf_keras: "
            f"{keras_reason(error)}",
            details=str(error),
        ) from None


def _argument_names(kind: type) -> set[str]:
    """Return the names of a layer's arguments, including those of its base classes."""
    constructors = (vars(base).get("__init__") for base in kind.__mro__[:-1])
    signatures = (inspect.signature(found) for found in constructors if found is not None)
    return {name for signature in signatures for name in signature.parameters} | {"trainable"}
