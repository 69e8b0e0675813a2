"""LiteRT's `benchmark_model` on the phone: it runs the file here, and prints a recorded output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from export.tflite.interpreter import Interpreter, ModelFileError
from tests.places.android_phone.app import outputs_of
from tests.places.android_phone.recorded import FAILED, NOT_APPLIED, PROFILE, TIMED

if TYPE_CHECKING:
    from tests.places.android_phone.phone import Phone

FLAGS = {
    *("graph", "use_xnnpack", "num_threads", "num_runs", "min_secs", "max_secs", "warmup_runs"),
    *("warmup_min_secs", "input_layer", "input_layer_shape", "input_layer_value_files"),
    *("output_filepath", "enable_op_profiling"),
}


def run(phone: Phone, arguments: list[str], folder: Path) -> tuple[str, int]:
    """Return what the program prints, and its exit code.

    Args:
        phone: The phone.
        arguments: Its flags.
        folder: Its working directory.
    """
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
    assert set(flags) <= FLAGS
    assert flags["use_xnnpack"] == "true"
    graph = folder / flags["graph"]
    try:
        interpreter = Interpreter(graph)
    except ModelFileError:
        return FAILED.format(graph=flags["graph"]), 1
    name, _, inputs = flags["input_layer_value_files"].partition(":")
    assert name == flags["input_layer"]
    assert flags["input_layer_shape"] == ",".join(map(str, interpreter.input.shape))
    image = np.frombuffer((folder / inputs).read_bytes(), interpreter.input.dtype)
    assert image.size == np.prod(interpreter.input.shape)
    if "output_filepath" in flags:
        output = outputs_of(phone, graph, image)
        (folder / flags["output_filepath"]).write_bytes(output.tobytes())
    text = TIMED if phone.uses_xnnpack else NOT_APPLIED
    profile = PROFILE if flags.get("enable_op_profiling") == "true" else ""
    return text.format(graph=flags["graph"], threads=flags["num_threads"]) + profile, 0
