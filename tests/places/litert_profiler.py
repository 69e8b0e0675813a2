"""A program in the place of LiteRT's `benchmark_model`: LiteRT's profiler, from the pip package.

It takes the flags of `benchmark_model`, and prints the profile that LiteRT makes of a file within
the whole file, with the operations that XNNPACK runs.

Reference:
    LiteRT, ``litert/c/internal/litert_runtime_c_api.h``.
"""

from __future__ import annotations

import ctypes
import importlib.util
import sys
from ctypes import byref, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path

_CPU = 1  # kLiteRtHwAcceleratorCpu of litert_common.h
_TYPE_BYTES = 512  # more than a LiteRtRankedTensorType of litert_model_types.h


def main(arguments: list[str]) -> None:
    flags = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
    sys.stdout.write(summary(flags["graph"], int(flags["num_runs"])))


def summary(graph: str, runs: int) -> str:
    """Run a file and return LiteRT's profile of it as text."""
    package = importlib.util.find_spec("ai_edge_litert")
    assert package
    assert package.origin
    library = ctypes.CDLL(str(Path(package.origin).with_name("libLiteRt.so")))

    def call(name: str, *values: object) -> None:
        status = getattr(library, name)(*values)
        assert status == 0, f"{name} returns {status}"

    environment, model, options, compiled = c_void_p(), c_void_p(), c_void_p(), c_void_p()
    call("LiteRtCreateEnvironment", c_int(0), None, byref(environment))
    call("LiteRtCreateModelFromFile", environment, c_char_p(graph.encode()), byref(model))
    call("LiteRtCreateOptions", byref(options))
    call("LiteRtSetOptionsHardwareAccelerators", options, c_int(_CPU))
    settings, runtime_options = (
        ctypes.create_string_buffer(b"enable_profiling = true\n"),
        c_void_p(),
    )
    keep = ctypes.CFUNCTYPE(None, c_void_p)(lambda _: None)
    identifier = c_char_p(b"runtime_options_string")
    call("LiteRtCreateOpaqueOptions", identifier, settings, keep, byref(runtime_options))
    call("LiteRtAddOpaqueOptions", options, runtime_options)
    call("LiteRtCreateCompiledModel", environment, model, options, byref(compiled))
    signature, profiler = c_void_p(), c_void_p()
    call("LiteRtGetModelSignature", model, c_size_t(0), byref(signature))
    call("LiteRtCompiledModelGetProfiler", compiled, byref(profiler))

    def buffer(kind: str) -> c_void_p:
        tensor, needed, found = c_void_p(), c_void_p(), c_void_p()
        tensor_type = (ctypes.c_ubyte * _TYPE_BYTES)()
        first = c_size_t(0)
        call(f"LiteRtGetSignature{kind}TensorByIndex", signature, first, byref(tensor))
        call("LiteRtGetRankedTensorType", tensor, byref(tensor_type))
        call(
            f"LiteRtGetCompiledModel{kind}BufferRequirements", compiled, first, first, byref(needed)
        )
        create = "LiteRtCreateManagedTensorBufferFromRequirements"
        call(create, environment, byref(tensor_type), needed, byref(found))
        return found

    image, output, one = buffer("Input"), buffer("Output"), c_size_t(1)

    def run() -> None:
        first = c_size_t(0)
        call("LiteRtRunCompiledModel", compiled, first, one, byref(image), one, byref(output))

    run()
    call("LiteRtStartProfiler", profiler)
    for _ in range(runs):
        run()
    call("LiteRtStopProfiler", profiler)
    text = c_char_p()
    call("LiteRtGetProfileSummary", profiler, compiled, byref(text))
    assert text.value
    return text.value.decode()


if __name__ == "__main__":
    main(sys.argv[1:])
