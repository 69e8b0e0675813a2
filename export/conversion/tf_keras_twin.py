"""A Keras 3 model rebuilt in tf_keras, which aware training is written for.

TensorFlow's model optimization toolkit quantizes, prunes and clusters models of tf_keras (Keras 2)
alone. Both versions live in one process: the twin is another model with the same weights, and is
proved equal before anything is done with it.
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
from cnn_keras.errors import Error, UsageError, reason_of

if TYPE_CHECKING:
    from keras import Operation

MAX_RELATIVE_ERROR = 1e-5
"""What rounding may make of the same operations: of the greatest output."""

# Layers that have weights, that the toolkit treats, or that act only in training. All of them have
# the same name, arguments and order of weights in both versions; others stay what they are.
REBUILT = (
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

# Matter to a model's first weights and to its own training, not to what it computes.
_LEFT_OUT = ("constraint", "dtype", "initializer", "regularizer", "synchronized")


@dataclass(frozen=True)
class _Call:
    """One use of an operation: its arguments with a position in place of each tensor."""

    operation: Operation
    args: Any
    kwargs: Any


@dataclass(frozen=True)
class _Place:
    index: int


_calls: WeakValueDictionary[int, _Call] = WeakValueDictionary()


class Twin(NamedTuple):
    """A model of tf_keras, and whose weights each of its layers has."""

    model: tf_keras.Model
    layers: list[tuple[layers.Layer, tf_keras.layers.Layer]]


class Stateless(tf_keras.layers.Layer):
    """An operation of Keras 3 without weights, as a layer of tf_keras.

    Args:
        call: Its number in this process; clones of the layer share the operation.
    """

    def __init__(self, call: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._call = _calls[call]

    def call(self, tensors: Any) -> Any:
        """Compute; `tensors` are those among the operation's arguments."""
        tensors = tree.flatten(tensors)  # a clone gets the only one of a list by itself

        def fill(value: Any) -> Any:
            return tensors[value.index] if isinstance(value, _Place) else value

        args, kwargs = tree.map_structure(fill, (self._call.args, self._call.kwargs))
        return self._call.operation(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """Return what `from_config` needs, in this process."""
        return super().get_config() | {"call": id(self._call)}


def twin(model: Model) -> Twin:
    """Rebuild a functional or sequential model in tf_keras, with the same weights.

    Nested models are laid out flat, as the toolkit needs them; a layer that is used twice stays
    one. Layers without weights that the toolkit knows nothing of (our LRN, `keras.ops`) are called
    as they are.

    Args:
        model: On Keras' TensorFlow backend, channels last.

    Returns:
        The twin; its layers have the same names, those of nested models with the model's before
        (``nested_conv1``).

    Raises:
        UsageError: A layer has weights and is none of `REBUILT`, or holds a function that cannot be
            named; the error gives its path.
    """
    _require_graph(model, model.name)
    tf_keras.backend.set_floatx("float32")  # it reads keras.json, too
    rebuilding = _Rebuilding()
    return Twin(rebuilding.model(model), list(rebuilding.pairs.values()))


def prove_equal(model: Model, rebuilt: tf_keras.Model, images: Float32Images) -> float:
    """Compare both models on real images.

    Args:
        model: The original.
        rebuilt: Its twin.
        images: Normalized, `(n, height, width, channels)`.

    Returns:
        The greatest difference of an output, as a part of the greatest output.

    Raises:
        Error: It exceeds `MAX_RELATIVE_ERROR`.
    """
    expected = [np.asarray(output) for output in tree.flatten(model(images, training=False))]
    found = [np.asarray(output) for output in tree.flatten(rebuilt(images, training=False))]
    greatest = max(float(np.abs(output).max()) for output in expected)
    differences = [np.abs(one - other) for one, other in zip(expected, found, strict=True)]
    error = max(float(difference.max()) for difference in differences) / greatest
    if not error <= MAX_RELATIVE_ERROR:
        raise Error(
            f"The tf_keras twin of '{model.name}' differs by {error:.2g} of the greatest output; "
            f"expected {MAX_RELATIVE_ERROR:g} at most."
        )
    return error


class _Rebuilding:
    """What is rebuilt already, so that shared layers stay shared and names stay unique."""

    def __init__(self) -> None:
        self.pairs: dict[int, tuple[layers.Layer, tf_keras.layers.Layer]] = {}
        self.names: set[str] = set()

    def model(self, model: Model) -> tf_keras.Model:
        inputs = [
            tf_keras.Input(tensor.shape[1:], name=self.name(tensor.name))  # in float32, as files
            for tensor in model.inputs
        ]
        outputs = self.connect(model, inputs, path="")
        return tf_keras.Model(inputs, outputs, name=model.name)

    def connect(self, model: Model, inputs: Any, path: str) -> Any:
        """Apply a model's operations, one after the other, to tensors of tf_keras."""

        def rebuilt(operation: Operation) -> Callable[..., Any]:
            name = f"{path}{operation.name}"
            if isinstance(operation, Model):
                _require_graph(operation, name)
                return lambda x, **_: self.connect(operation, x, f"{name}/")
            if isinstance(operation, REBUILT):
                return self.layer(operation, name)
            if getattr(operation, "weights", ()) and not _is_constant(operation):
                raise UsageError(
                    f"Layer '{name}' ({type(operation).__name__}) has weights and no twin in "
                    "tf_keras; build the model with other layers."
                )
            return lambda *args, **kwargs: self.stateless(operation, name, args, kwargs)

        return Function(model.inputs, model.outputs)._run_through_graph(inputs, rebuilt)

    def layer(self, original: layers.Layer, path: str) -> Callable[..., Any]:
        """Return the layer's twin, which gets its weights as soon as it has been called."""
        if id(original) not in self.pairs:
            self.pairs[id(original)] = original, _rebuild(original, path, self.name(path))
        _, layer = self.pairs[id(original)]

        def call(*args: Any, **kwargs: Any) -> Any:
            fresh = not layer.built
            output = layer(*args, **kwargs)
            if fresh:
                layer.set_weights(original.get_weights())
            return output

        return call

    def stateless(self, operation: Operation, path: str, args: Any, kwargs: Any) -> Any:
        """Apply an operation as it is."""
        tensors: list[Any] = []

        def place(value: Any) -> Any:
            if not hasattr(value, "_keras_history"):
                return value
            tensors.append(value)
            return _Place(len(tensors) - 1)

        if "training" in inspect.signature(operation.call).parameters:
            # Some augment unless they are told not to; what distorts images is the recipe.
            kwargs = kwargs | {"training": False}
        args, kwargs = tree.map_structure(place, (args, kwargs))
        call = _Call(operation, args, kwargs)
        _calls[id(call)] = call
        return Stateless(id(call), name=self.name(path))(tensors)

    def name(self, path: str) -> str:
        """Return a name for a layer that no other has."""
        wanted = path.replace("/", "_")
        name, count = wanted, 1
        while name in self.names:
            count += 1
            name = f"{wanted}_{count}"
        self.names.add(name)
        return name


def _require_graph(model: Model, path: str) -> None:
    """Refuse a model of which nobody but itself knows what it computes."""
    if not getattr(model, "inputs", None):
        raise UsageError(f"'{path}' is neither a functional nor a sequential model that is built.")


def _is_constant(operation: Operation) -> bool:
    """Return whether a layer's weights are statistics of data that nothing trains."""
    return isinstance(operation, layers.Normalization)


def _rebuild(original: layers.Layer, path: str, name: str) -> tf_keras.layers.Layer:
    """Return the layer of tf_keras with the same arguments."""
    kind = getattr(tf_keras.layers, type(original).__name__, None)
    if kind is None:
        raise UsageError(
            f"Layer '{path}' ({type(original).__name__}) is a class of its own; tf_keras has none "
            "of that name."
        )
    taken = _arguments(kind)
    config = {
        key: value
        for key, value in original.get_config().items()
        if key in taken and not key.endswith(_LEFT_OUT)
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
            f"{reason_of(error)}",
            details=str(error),
        ) from None


def _arguments(kind: type) -> set[str]:
    """Return the names of a layer's arguments, those of its base classes included."""
    constructors = (vars(base).get("__init__") for base in kind.__mro__[:-1])
    signatures = (inspect.signature(found) for found in constructors if found is not None)
    return {name for signature in signatures for name in signature.parameters} | {"trainable"}
