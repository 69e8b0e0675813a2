"""The inference engines of the peers study: how each one gets a network and loads it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.command import quiet, start_keras
from cnn_keras.errors import Error, unknown

from ..benchmark.engine_process import Inference, Load, Scores

if TYPE_CHECKING:
    import keras

LITERT = "litert"
PEERS = ("onnxruntime", "openvino", "xla")
PACKAGES = ("onnxruntime", "openvino", "onnx", "tf2onnx")  # whose versions a record states
IMAGE_FILE = "image.npy"  # the input `(1, height, width, channels)`, in the folder of the networks
MATRIX_SIZE = 512  # its fastest calls match those of larger matrices and are less often disturbed


class Engine(NamedTuple):
    """An inference engine.

    Attributes:
        label: Name in figures and claims.
        packages: Required packages.
        write: Writes a Keras model to a folder in the format of the engine.
        load: Loads the network from that folder.
    """

    label: str
    packages: tuple[str, ...]
    write: Callable[[keras.Model, Path], None]
    load: Load


def require_installed(engines: Sequence[str]) -> None:
    """Check that engines exist and are installed.

    Args:
        engines: Rows of `ENGINES`.

    Raises:
        UsageError: There is no such engine.
        Error: A package is missing.
    """
    for name in engines:
        if name not in ENGINES:
            raise unknown("engine", name, ENGINES)
        for package in ENGINES[name].packages:
            if find_spec(package) is None:
                raise Error(f'This needs {package}: pip install ".[peers]"')


def write_tflite(model: keras.Model, folder: Path) -> None:
    """Convert a Keras model to a .tflite file."""
    from ..conversion.convert import convert

    (folder / "network.tflite").write_bytes(convert(model))


def load_litert(folder: Path, threads: int) -> Inference:
    """Load the .tflite file in LiteRT."""
    from ..tflite.interpreter import Interpreter

    interpreter = Interpreter(folder / "network.tflite", threads)
    interpreter.set_input(_image(folder))

    def infer() -> Scores:
        interpreter.invoke()
        return interpreter.get_output()

    return infer


def write_onnx(model: keras.Model, folder: Path) -> None:
    """Convert the .tflite file to ONNX, since Keras' own export fails for grouped convolutions.

    The converter runs in a subprocess, because it takes about forty times the memory of a network.
    """
    source, target = folder / "network.tflite", folder / "network.onnx"
    if target.exists():  # two engines share it
        return
    done = subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--tflite", source, "--output", target],
        env={**os.environ, "TF2ONNX_CATCH_ERRORS": "FALSE"},  # no copy for each optimization
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()[-1:] if done.returncode > 0 else []
        raise Error(f"tf2onnx failed with exit code {done.returncode}: {' '.join(lines)}")


def load_onnxruntime(folder: Path, threads: int) -> Inference:
    """Load the ONNX file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        folder / "network.onnx", options, providers=["CPUExecutionProvider"]
    )
    feed = {session.get_inputs()[0].name: _image(folder)}
    return lambda: session.run(None, feed)[0]


def load_openvino(folder: Path, threads: int) -> Inference:
    """Load the ONNX file in OpenVINO, in float32: by default it uses bfloat16 if the CPU can."""
    import openvino

    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    network = openvino.Core().compile_model(folder / "network.onnx", "CPU", options)
    image = _image(folder)
    return lambda: network(image)[0]


def write_saved_model(model: keras.Model, folder: Path) -> None:
    """Export a Keras model as a SavedModel."""
    with quiet(1, 2):
        model.export(folder / "saved_model", format="tf_saved_model", verbose=False)


def load_xla(folder: Path, threads: int) -> Inference:
    """Load the SavedModel in TensorFlow, compiled by XLA."""
    start_keras()  # for oneDNN
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = tf.saved_model.load(folder / "saved_model")
    image = tf.constant(_image(folder))

    @tf.function(jit_compile=True)
    def infer() -> Any:
        return network.serve(image)

    return lambda: infer().numpy()


def load_sgemm(folder: Path, threads: int) -> Inference:
    """Return a product of two large float32 matrices, whose best time gives the sgemm peak."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    matrix = np.random.default_rng(0).random((MATRIX_SIZE, MATRIX_SIZE), np.float32)
    result = np.empty_like(matrix)
    return lambda: np.matmul(matrix, matrix, out=result)


def _image(folder: Path) -> NDArray[np.float32]:
    image: NDArray[np.float32] = np.load(folder / IMAGE_FILE)
    return image


ENGINES = {
    LITERT: Engine("LiteRT", (), write_tflite, load_litert),
    "onnxruntime": Engine("ONNX Runtime", ("onnxruntime", "tf2onnx"), write_onnx, load_onnxruntime),
    "openvino": Engine("OpenVINO", ("openvino", "tf2onnx"), write_onnx, load_openvino),
    "xla": Engine("TensorFlow with XLA", (), write_saved_model, load_xla),
}
