"""Integer inputs and outputs, and weights with one scale for each layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import export
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.training.run_folder import Run
from export.cli import main
from export.recipes import recipe
from export.tflite.flatbuffer import op_names, parse
from export.tflite.interpreter import Interpreter
from export.verification.refusal import problems
from tests.fixtures.trained_network import Trained

STATIC = recipe("static_wi8_ai8")
PIXELS = np.arange(256, dtype=np.uint8).repeat(4).reshape(16, 8, 8, 1)


@pytest.mark.parametrize(
    "io_types", [("int8", "int8"), ("uint8", "uint8"), ("uint8", "float32"), ("float32", "uint8")]
)
def test_xnnpack_runs_files_with_integer_types_whole(
    trained: Trained, io_types: tuple[Any, Any]
) -> None:
    row = STATIC.with_io_types(*io_types)
    file = export.quantize(trained.float32, row, trained.calibration)
    found = export.audit(file)
    assert (found.input.dtype, found.output.dtype) == io_types
    assert (found.partitions, found.delegated_nodes) == (1, found.nodes)
    assert problems(found, row) == problems(found, STATIC) == []
    assert found.recipe == "static_wi8_ai8"
    (signature,) = parse(file).signatureDefs
    assert (signature.inputs[0].name, signature.outputs[0].name) == (b"image", b"probabilities")
    verdict = export.verify(file, trained.reference, trained.images, trained.labels, row)
    assert verdict.accepted


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_integer_types_give_the_same_probabilities(trained: Trained, dtype: Any) -> None:
    io_types = {"input_type": dtype, "output_type": dtype}
    file = export.quantize(trained.float32, "static_wi8_ai8", trained.calibration, **io_types)
    floats = export.quantize(trained.float32, "static_wi8_ai8", trained.calibration)
    output = Interpreter(file).output
    assert (output.scale, output.zero_point) == (1 / 256, -128 if dtype == "int8" else 0)
    # Half a step of rounding; the greatest, 255/256, stands for 1.
    wanted = np.minimum(Interpreter(floats)(trained.images), 255 / 256)
    np.testing.assert_allclose(Interpreter(file)(trained.images), wanted, atol=0.51 / 256)


def test_scores_without_softmax_have_the_range_of_calibration(trained: Trained) -> None:
    flat = keras.layers.Flatten()(trained.model.get_layer("pool").output)
    scores = keras.layers.Dense(10, name="scores")(flat)
    float32 = export.convert(keras.Model(trained.model.input, scores))
    files = {
        dtype: export.quantize(float32, "static_wi8_ai8", trained.calibration, output_type=dtype)
        for dtype in ("float32", "int8", "uint8")
    }
    (wanted, signed, unsigned) = (Interpreter(file)(trained.images) for file in files.values())
    np.testing.assert_array_equal(signed, unsigned)
    np.testing.assert_allclose(signed, wanted, atol=Interpreter(files["int8"]).output.scale)
    found = export.audit(files["uint8"])
    assert (found.partitions, found.delegated_nodes) == (1, found.nodes)


@pytest.mark.parametrize(("dtype", "offset"), [("int8", 128), ("uint8", 0)])
@pytest.mark.parametrize("mean", [77.73, 127.5])
def test_raw_pixels_are_the_input(trained: Trained, dtype: Any, offset: int, mean: float) -> None:
    """To half a gray level, by images that reach both ends of the range, or by a given range."""
    normalize = Preprocessing(8, 8, 1, (mean,), (82.429,))
    whole, dim = normalize(PIXELS), normalize(PIXELS[3:13])
    for images, given in ((whole, None), (dim, normalize.range)):
        file = export.quantize(trained.float32, STATIC, images, input_type=dtype, input_range=given)
        spec = Interpreter(file).input
        assert spec.scale == pytest.approx(1 / 82.429)
        integers = PIXELS.astype(int) - offset
        np.testing.assert_allclose(
            (integers - spec.zero_point) * spec.scale, whole, atol=0.5001 / 82
        )
        if mean % 1 != 0.5:  # there two integers are equally near
            np.testing.assert_array_equal(Interpreter(file).quantize(whole), integers)


def test_16_bit_input_and_output(trained: Trained) -> None:
    row = recipe("static_wi8_ai16").with_io_types("int16", "int16")
    file = export.quantize(trained.float32, row, trained.calibration)
    found = export.audit(file)
    assert (found.input.dtype, found.output.dtype) == ("int16", "int16")
    assert (found.input.zero_point, found.output.scale) == (0, 2**-15)
    verdict = export.verify(file, trained.reference, trained.images, trained.labels, row)
    assert verdict.accepted


def test_per_tensor_means_one_scale_for_each_layer(trained: Trained) -> None:
    def scales(name: str) -> list[int]:
        model = parse(export.quantize(trained.float32, name, trained.calibration))
        graph = model.subgraphs[0]
        return [
            len(graph.tensors[op.inputs[1]].quantization.scale)
            for op, kind in zip(graph.operators, op_names(model), strict=True)
            if kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
        ]

    assert set(scales("static_wi8_ai8_per_tensor")) == {1}
    assert min(scales("static_wi8_ai8")) > 1


def test_export_names_files_by_their_types(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = lenet_run.path.name
    command = ["export", str(lenet_run.path), "--out", str(tmp_path), "--recipes"]
    unsigned = ["--input-type", "uint8", "--output-type", "uint8"]
    assert main([*command, "static_wi8_ai8"]) == 0
    capsys.readouterr()
    assert main([*command, "static_wi8_ai8", *unsigned, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["files"][0]
    assert row["file"] == f"{name}_static_wi8_ai8_uint8.tflite"
    assert row["audit"]["input"]["scale"] == pytest.approx(1 / lenet_run.preprocessing.std[0])
    assert {path.name for path in tmp_path.glob("*.tflite")} == {
        f"{name}_static_wi8_ai8.tflite",
        f"{name}_static_wi8_ai8_uint8.tflite",
    }
    repaired = tmp_path / "repaired.tflite"
    verify = [
        "verify",
        str(tmp_path / row["file"]),
        "--layers",
        "--repair",
        str(repaired),
        "--json",
    ]
    assert main(verify) == 0
    assert export.audit(repaired).input == export.audit(tmp_path / row["file"]).input
    capsys.readouterr()
    assert main([*command, "float16", *unsigned]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "uint8 is for --recipes static_wi8_ai8, " in err
