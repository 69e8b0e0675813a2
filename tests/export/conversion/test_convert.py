from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import export
from cnn_keras.errors import Error, UsageError
from export.tflite import flatbuffer
from export.tflite.interpreter import Interpreter
from tests.fixtures.trained_network import build


def ops_of(data):
    return Counter(flatbuffer.op_names(flatbuffer.parse(data)))


def test_signature_and_tensors_are_named_and_batch_is_one(trained):
    model = flatbuffer.parse(trained.float32)
    (signature,) = model.signatureDefs
    assert signature.signatureKey == b"serving_default"
    assert [entry.name for entry in signature.inputs] == [b"image"]
    assert [entry.name for entry in signature.outputs] == [b"probabilities"]
    interpreter = Interpreter(trained.float32)
    assert interpreter.input[:3] == ("image", (1, 8, 8, 1), "float32")
    assert interpreter.output[:3] == ("probabilities", (1, 10), "float32")


def test_batch_norm_relu_and_padding_are_folded(trained):
    assert ops_of(trained.float32) == {
        "CONV_2D": 3,
        "DEPTHWISE_CONV_2D": 1,
        "PAD": 1,  # the shortcut's channels
        "ADD": 1,  # of shortcut and residual branch
        "TANH": 1,
        "AVERAGE_POOL_2D": 1,
        "RESHAPE": 1,
        "FULLY_CONNECTED": 1,
        "SOFTMAX": 1,
    }


def test_outputs_equal_the_model(trained):
    outputs = Interpreter(trained.float32)(trained.images)
    np.testing.assert_allclose(outputs, trained.reference, atol=1e-5)  # sums in another order


def test_same_weights_give_same_bytes_and_no_temporary_files(trained, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert export.convert(trained.model) == trained.float32
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")


def test_buffers_are_aligned_as_the_schema_requires(trained):
    from ai_edge_litert import schema_py_generated as schema

    for recipe in ("float32", "dynamic_wi8_afp32"):
        data = export.quantize(trained.float32, recipe)
        model = schema.Model.GetRootAs(data, 0)
        buffers = [model.Buffers(i) for i in range(model.BuffersLength())]
        starts = [b._tab.Vector(b._tab.Offset(4)) for b in buffers if b.DataLength()]
        assert starts
        assert not any(start % flatbuffer.BUFFER_ALIGNMENT for start in starts)


@pytest.mark.parametrize("activation", [None, "softmax", "sigmoid"])
def test_only_logits_get_a_softmax(activation):
    from keras import Sequential, layers

    model = Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(3, activation)])
    last = flatbuffer.op_names(flatbuffer.parse(export.convert(model)))[-1]
    assert last == ("LOGISTIC" if activation == "sigmoid" else "SOFTMAX")


@pytest.mark.parametrize(
    ("activation", "layer", "added"),
    [("softmax", "Average", False), (None, "Average", True), ("softmax", "Add", True)],
)
def test_an_average_of_probabilities_gets_no_softmax(activation, layer, added):
    import keras
    from keras import layers

    image = layers.Input((4, 4, 1))
    flat = layers.Flatten()(image)
    members = [layers.Dense(3, activation)(flat) for _ in range(3)]
    model = keras.Model(image, getattr(layers, layer)()(members))
    ops = flatbuffer.op_names(flatbuffer.parse(export.convert(model)))
    assert (ops[-1] == "SOFTMAX") == added


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16", "float64"])
def test_another_precision_is_converted_in_float32(trained, policy):
    import keras

    keras.config.set_dtype_policy(policy)
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(trained.model.get_weights())
    outputs = Interpreter(export.convert(model))(trained.images[:100])
    # bfloat16 keeps 8 bits of the weights, the others more
    tolerance = 0.1 if policy == "bfloat16" else 2e-3
    np.testing.assert_allclose(outputs, trained.reference[:100], atol=tolerance)


FRONTS = {
    "rescales": lambda layers, ops, x: layers.Rescaling(1 / 255)(x),
    "normalizes": lambda layers, ops, x: layers.Normalization(mean=[9, 8, 7], variance=[1, 2, 3])(
        x
    ),
    "casts": lambda layers, ops, x: ops.cast(x, "float32") / 127.5 - 1,
    "divides": lambda layers, ops, x: x / 255,
    "forks": lambda layers, ops, x: ops.cast(x, "float32") + layers.Rescaling(1 / 255)(x),
}


def of_integers(front, dtype):
    import keras
    from keras import layers, ops

    keras.utils.set_random_seed(0)
    image = layers.Input((8, 8, 3), dtype=dtype)
    x = layers.Conv2D(8, 3, strides=2)(front(layers, ops, image))
    x = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))
    return keras.Model(image, x)


@pytest.mark.parametrize("dtype", ["uint8", "int32"])
@pytest.mark.parametrize("front", FRONTS)
def test_a_model_of_integer_pixels_takes_floats(front, dtype):
    model = of_integers(FRONTS[front], dtype)
    data = export.convert(model)
    assert "CAST" not in ops_of(data)
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3)).astype(np.float32)
    expected = model.predict(images.astype(dtype), verbose=0)
    interpreter = Interpreter(data)
    assert interpreter.input.dtype == "float32"
    np.testing.assert_allclose(interpreter(images), expected, atol=1e-5)
    file = export.quantize(data, "static_wi8_ai8", images)
    found = export.audit(file)
    assert (found.recipe, found.partitions) == ("static_wi8_ai8", 1)
    file = export.quantize(data, "static_wi8_ai8", images, input_type="uint8", input_range=(0, 255))
    assert Interpreter(file).input.dtype == "uint8"


def test_casts_around_integer_arithmetic_stay():
    data = export.convert(of_integers(lambda layers, ops, x: ops.cast(x // 2, "float32"), "int32"))
    assert ops_of(data)["CAST"] == 2


def test_layers_written_with_keras_ops_convert():
    import keras
    from keras import layers, ops

    image = layers.Input((8, 8, 4))
    squares = ops.pad(ops.square(image), ((0, 0), (0, 0), (0, 0), (1, 1)))
    x = image * ops.rsqrt(squares[..., :-2] + squares[..., 1:-1] + squares[..., 2:] + 1.0)
    x = ops.max(x, axis=(1, 2))
    model = keras.Model(image, layers.Dense(3, activation="softmax")(x))
    images = np.random.default_rng(0).normal(size=(5, 8, 8, 4)).astype(np.float32)
    outputs = Interpreter(export.convert(model))(images)
    np.testing.assert_allclose(outputs, model.predict(images, verbose=0), atol=1e-6)


def classifier(*inner):
    """Return a small classifier with custom layers between two of Keras'."""
    from keras import Sequential, layers

    first = layers.Conv2D(2, 3, name="first"), layers.Rescaling(2.0, name="scale")
    last = layers.Flatten(), layers.Dense(3, "softmax", name="last")
    return Sequential([layers.Input((6, 6, 1)), *first, *inner, *last], name="mine")


def own(name, function):
    """Return a layer that calls a function, as users write them."""
    from keras import layers

    class Own(layers.Layer):
        def call(self, x):
            return function(self, x)

    return Own(name=name)


def in_float64(_, x):
    from keras import ops

    return ops.cast(ops.cast(x, "float64") * 3, "float32")


def in_a_loop(_, x):
    import tensorflow as tf

    return tf.map_fn(lambda row: row * tf.linalg.det(row[:2, :2, 0]), x)


def counting():
    import keras

    count = keras.Variable(0.0)
    return own("count", lambda _, x: x * count.assign_add(1.0))


def in_a_model():
    import keras
    from keras import layers, ops

    spectrum = own("deep", lambda _, x: ops.fft2((x, ops.zeros_like(x)))[0])
    return keras.Sequential([layers.Input((4, 4, 2)), spectrum], name="inner")


def bicubic():
    from keras import layers

    return layers.Resizing(8, 8, "bicubic", name="enlarge")


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (in_a_model, "Layer 'deep' (Own) cannot be converted: TFLite has no operation "),
        (bicubic, "Layer 'enlarge' (Resizing) cannot be converted: TFLite has no operation Resize"),
        (lambda: own("double", in_float64), "Layer 'double' (Own) cannot be converted: TFLite has "
        "no operation Mul of float64. Write it with other operations of keras.ops."),
        (lambda: own("each", in_a_loop), "Layer 'each' (Own) cannot be converted: TFLite has no "
        "operation MatrixDeterminant. Write"),
        (counting, "Layer 'count' (Own) cannot be converted: Input 0 of "),
    ],
    ids=["nested", "built_in", "type", "loop", "variable"],
)  # fmt: skip
def test_a_failed_conversion_names_layer_and_cause(layer, expected):
    with pytest.raises(Error) as caught:
        export.convert(classifier(layer()))
    assert expected in str(caught.value)
    assert caught.value.details


def test_an_operation_without_a_layer_class_is_named():
    import keras
    from keras import layers, ops

    image = layers.Input((4, 4, 1))
    model = keras.Model(image, layers.Dense(3)(ops.erfinv(layers.Flatten()(image))), name="mine")
    with pytest.raises(Error, match=r"Model 'mine' .* TFLite has no operation Erfinv. "):
        export.convert(model)


def test_a_layer_that_refuses_a_single_image_is_named():
    def halves(_, x):
        if x.shape[0] == 1:
            raise ValueError("An even batch,\nplease.")
        return x

    with pytest.raises(Error, match=r"'mine' does not run on one image .*: Own: An even batch, pl"):
        export.convert(classifier(own("halves", halves)))


@pytest.mark.parametrize(
    ("shape", "units"), [((None, None, 3), None), ((8, 8), None), ((8, 8, 3), 2)]
)
def test_a_model_other_than_an_image_classifier_is_refused(shape, units):
    import keras
    from keras import layers

    image = layers.Input(shape)
    scores = layers.Dense(3)(layers.Flatten()(image) if units else image)
    model = keras.Model(image, [scores, scores] if units else scores)
    with pytest.raises(UsageError, match="expected one image"):
        export.convert(model)


def test_a_model_that_is_not_built_is_refused():
    import keras

    with pytest.raises(UsageError, match="not built"):
        export.convert(keras.Sequential([keras.layers.Dense(3)], name="raw"))


def test_importing_export_is_light():
    import subprocess
    import sys

    code = (
        "import sys, export; "
        "print(sorted({'tensorflow', 'keras', 'numpy', 'ai_edge_litert'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"


def test_functions_are_not_hidden_by_their_modules():
    import export.verification.audit
    import export.verification.verify  # noqa: F401

    assert all(callable(getattr(export, name)) for name in export.__all__)
    with pytest.raises(AttributeError, match="no attribute 'convrt'"):
        _ = export.convrt
