from __future__ import annotations

import keras
import pytest

import export
from cnn_keras.errors import UsageError
from export.recipes import recipe
from export.tflite.flatbuffer import scope_of
from export.tflite.interpreter import DYNAMIC_BATCH_REMARK
from export.verification.audit import audit, remarks
from export.verification.layer_errors import compare_layers, layer_of
from export.verification.refusal import problems
from export.verification.verify import verify
from tests.fixtures.trained_network import Trained

STATIC = recipe("static_wi8_ai8")


def test_layers_of_a_valid_file_lose_little(trained: Trained) -> None:
    file = export.quantize(trained.float32, STATIC, trained.calibration)
    layers = compare_layers(trained.float32, file, trained.images[:8])
    assert all(layer.lost < 0.02 for layer in layers)
    assert all(layer.snr_db is None or layer.snr_db > 30 for layer in layers)
    same = compare_layers(trained.float32, trained.float32, trained.images[:2])
    assert {(layer.mse, layer.snr_db, layer.lost) for layer in same} == {(0, None, 0)}


def test_the_layer_with_the_scaled_channel_comes_first(
    trained: Trained, ruined_float32: bytes
) -> None:
    file = export.quantize(ruined_float32, STATIC, trained.calibration)
    first, second, *_ = compare_layers(ruined_float32, file, trained.images[:8])
    assert "conv1" in first.tensor
    assert first.lost == pytest.approx(15 / 16, abs=0.01)  # of 16 channels one is loud
    assert first.snr_db is not None
    assert first.snr_db > 30  # which hides the loss of the others
    assert second.added < 0.1


def test_files_of_different_networks_are_refused(trained: Trained) -> None:
    other = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    other.add(keras.layers.Dense(10, activation="softmax"))
    with pytest.raises(UsageError, match="it is of another network"):
        compare_layers(trained.float32, export.convert(other), trained.images[:1])
    with pytest.raises(UsageError, match="no images"):
        compare_layers(trained.float32, trained.float32, trained.images[:0])


def test_a_file_with_a_dynamic_batch_is_compared_at_batch_1(trained: Trained) -> None:
    import tensorflow as tf

    file = bytes(tf.lite.TFLiteConverter.from_keras_model(trained.model).convert())
    assert remarks(audit(file))[0] == DYNAMIC_BATCH_REMARK
    verdict = verify(file, trained.reference, trained.images, None, recipe("float32"))
    assert verdict.accepted
    layers = compare_layers(trained.float32, file, trained.images[:4])
    assert {"conv3", "pool", "probabilities"} <= {layer.row for layer in layers}
    assert max(layer.lost for layer in layers) < 1e-9


@pytest.fixture(scope="module")
def flattened() -> bytes:
    """The float32 file of a network that flattens a map, then computes element by element."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu", name="conv1")(image)
    halves = keras.ops.split(x, 2, axis=-1)
    x = keras.layers.Concatenate(name="exchanged")(halves[::-1])
    x = keras.layers.MaxPooling2D(2, name="pool")(x)
    x = keras.layers.Flatten(name="flat")(x)
    x = keras.layers.Activation("tanh", name="flat_tanh")(x)
    x = keras.layers.Dense(10, activation="softmax")(x)
    return export.convert(keras.Model(image, x, name="net"))


def test_operations_that_move_integers_lose_nothing(flattened: bytes, trained: Trained) -> None:
    file = export.quantize(flattened, STATIC, trained.calibration[:16])
    layers = compare_layers(flattened, file, trained.images[:4])
    found = {layer.op: layer for layer in layers}
    for op in ("SPLIT", "MAX_POOL_2D", "RESHAPE", "SOFTMAX"):
        assert (found[op].rounds, found[op].added) == (False, 0.0)
    assert {found[op].rounds for op in ("CONV_2D", "FULLY_CONNECTED", "TANH")} == {True}
    assert layers[0].rounds
    # Both halves of the split are known, so the loss is not attributed to the concatenation.
    assert abs(found["CONCATENATION"].added) < found["CONV_2D"].lost


def test_a_flattened_map_keeps_its_channels(flattened: bytes, trained: Trained) -> None:
    file = export.quantize(flattened, STATIC, trained.calibration[:16])
    found = {layer.op: layer for layer in compare_layers(flattened, file, trained.images[:4])}
    # Element by element, and then flattened: 36 values lose as much as their 4 channels.
    assert found["RESHAPE"].lost == pytest.approx(found["TANH"].lost)


@pytest.mark.parametrize("name", ["dynamic_wi8_afp32", "weight_only_wi8_afp32", "float16"])
def test_operations_with_rounded_weights_round(trained: Trained, name: str) -> None:
    layers = compare_layers(
        trained.float32,
        export.quantize(trained.float32, name),
        trained.images[:2],
    )
    rounding = {layer.layer for layer in layers if layer.rounds}
    assert {"conv1_bn", "conv3"} & rounding
    assert "pool" not in rounding


@pytest.mark.parametrize(
    ("tensor", "scope", "layer"),
    [
        ("net_1/conv2_1_1/convolution", "net_1/conv2_1_1", "conv2_1"),
        ("net_1/body_1/conv_3/convolution", "net_1/body_1/conv_3", "conv"),  # of a nested model
        ("net_1/norm_1/moments/mean", "net_1/norm_1", "norm"),
        ("net_1/Square", None, None),  # of keras.ops, without a layer
        ("net_1/moments/mean", None, None),
        ("probabilities", None, None),
        # Keras 2, whose models are called "model_1" or after their size
        ("sequential/conv2_1/Conv2D;net_1/saved_model_1/x", "sequential/conv2_1", "conv2_1"),
        ("model_1/dense/MatMul", "model_1/dense", "dense"),
        ("model_1/norm/batchnorm/add_1", "model_1/norm", "norm"),
        ("sequential/mobilenet_224/Conv1/Relu6", "sequential/mobilenet_224/Conv1", "Conv1"),
    ],
)
def test_a_tensor_belongs_to_its_layer(tensor: str, scope: str | None, layer: str | None) -> None:
    assert (scope_of(tensor), layer_of(tensor)) == (scope or tensor, layer or tensor)


def test_an_operation_without_a_layer_is_kept_float_alone(trained: Trained) -> None:
    image = keras.Input((8, 8, 1))
    x = keras.ops.square(keras.layers.Conv2D(4, 3, name="conv1")(image))
    x = -keras.layers.Conv2D(4, 3, name="conv2")(-x)
    x = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(x))
    float32 = export.convert(keras.Model(image, x, name="net"))
    (reason,) = problems(audit(export.quantize(float32, STATIC, trained.calibration[:8])), STATIC)
    row = STATIC.with_float_layers(reason.split("'")[1])
    found = audit(export.quantize(float32, row, trained.calibration[:8]))
    assert problems(found, row) == []
    assert {island.split()[0] for island in found.float_islands} == {"SQUARE", "NEG"}
