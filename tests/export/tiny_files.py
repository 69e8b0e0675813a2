"""Small `.tflite` files, really converted, good and bad."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import numpy as np

from export.flatbuffer import pack, parse

SHAPE = (16, 16, 1)
BROKEN = ("empty", "text", "random", "random_with_identifier", "truncated", "head")


@cache
def tiny_files() -> dict[str, bytes]:
    """Return one network in several number types, and files that are no image classifiers."""
    import keras
    import tensorflow as tf

    def convert(model: Any, **options: object) -> bytes:
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        for name, value in options.items():
            setattr(converter, name, value)
        with warnings.catch_warnings():
            # "Statistics for quantized inputs were expected": TensorFlow's, of quantized graphs
            # of its version 1, raised for every int8 conversion.
            warnings.simplefilter("ignore", UserWarning)
            return bytes(converter.convert())

    def images() -> Iterator[list[np.ndarray]]:
        rng = np.random.default_rng(0)
        for _ in range(20):
            yield [rng.uniform(-1, 1, (1, *SHAPE)).astype(np.float32)]

    class Flex(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((1, *SHAPE))])
        def __call__(self, image: Any) -> Any:
            return tf.reshape(tf.math.tan(image), (1, 256))

    network = _network(1)
    optimized = {"optimizations": [tf.lite.Optimize.DEFAULT]}
    calibrated = {**optimized, "representative_dataset": images}
    sixteen = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    image, other = (keras.Input(SHAPE, batch_size=1) for _ in range(2))
    flat = keras.layers.Flatten()(keras.layers.Add()([image, other]))
    flex = tf.lite.TFLiteConverter.from_concrete_functions(
        [(module := Flex()).__call__.get_concrete_function()], module
    )
    flex.target_spec.supported_ops = [
        tf.lite.OpsSet.TFLITE_BUILTINS,
        tf.lite.OpsSet.SELECT_TF_OPS,
    ]
    return {
        "float32": convert(network),
        "float16": convert(
            network, **optimized, target_spec=tf.lite.TargetSpec(supported_types=[tf.float16])
        ),
        "dynamic": convert(network, **optimized),
        "int8": convert(
            network, **calibrated, inference_input_type=tf.int8, inference_output_type=tf.int8
        ),
        "int16": convert(
            network, **calibrated, target_spec=tf.lite.TargetSpec(supported_ops=[sixteen])
        ),
        "lrn": convert(_network(1, keras.layers.Lambda(tf.nn.lrn))),
        "dynamic_batch": convert(_network(None)),
        "dynamic_size": convert(_sizeless()),
        "two_inputs": convert(keras.Model([image, other], flat)),
        "flex": bytes(flex.convert()),
    }


def custom_file(name: str, dtype: str = "uint8", batch: int = 1) -> bytes:
    """Return a file of one custom operation, which also takes memory to work in, as Vela's does."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    def tensor(name: str, shape: list[int]) -> Any:
        made = schema.TensorT()
        made.name, made.shape, made.buffer = name, [abs(size) for size in shape], 0
        made.shapeSignature = shape if -1 in shape else None
        made.type = getattr(schema.TensorType, dtype.upper())
        made.quantization = schema.QuantizationParametersT()
        made.quantization.scale, made.quantization.zeroPoint = [1 / 256], [0]
        return made

    graph, operator, code = schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
    code.customCode, code.version = name, 1
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    graph.tensors = [tensor("image", [batch, *SHAPE]), tensor("scratch", [64])]
    graph.tensors.append(tensor("scores", [batch, 10]))
    graph.inputs, graph.outputs = [0], [2]
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1], [2]
    graph.operators = [operator]
    model = schema.ModelT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def broken_files() -> dict[str, bytes]:
    """Return files that are no TFLite files, or not whole ones."""
    whole = tiny_files()["float32"]
    noise = np.random.default_rng(0).bytes(3000)
    contents = (
        b"",
        b"This is no model.\n",
        noise,
        b"\x1c\0\0\0TFL3" + noise,
        whole[: len(whole) // 2],
        whole[:8],
    )
    return dict(zip(BROKEN, contents, strict=True))


def with_batch(size: int) -> bytes:
    """Return the file with a dynamic batch, with another size written where converters write 1."""
    model = parse(tiny_files()["dynamic_batch"])
    graph = model.subgraphs[0]
    for index in [*graph.inputs, *graph.outputs]:
        graph.tensors[index].shape[0] = size
    return pack(model)


def _sizeless() -> Any:
    import keras

    image = keras.Input((None, None, SHAPE[-1]))
    row = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(10, 3)(image))
    return keras.Model(image, keras.layers.Softmax()(row))


def _network(batch: int | None, after_conv: Callable[[Any], Any] = lambda x: x) -> Any:
    import keras

    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE, batch_size=batch)
    x = after_conv(keras.layers.Conv2D(8, 3, activation="relu", padding="same")(image))
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D()(x))
    return keras.Model(image, keras.layers.Dense(10, activation="softmax")(x))
