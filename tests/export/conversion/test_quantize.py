from __future__ import annotations

import copy

import numpy as np
import pytest

import export
from cnn_keras.errors import Error, UsageError
from export.conversion.quantize import calibrate
from export.recipes import RECIPES, recipe
from export.tflite import flatbuffer, metadata
from export.tflite.interpreter import Interpreter, ModelFileError
from export.verification.audit import audit
from export.verification.refusal import reasons_to_refuse
from tests.fixtures.trained_network import POST_TRAINING_RECIPES, Trained


@pytest.fixture(scope="session")
def files(trained):
    return {
        name: export.quantize(trained.float32, name, trained.calibration)
        for name in POST_TRAINING_RECIPES
    }


# Shares of the float32 file: the weights' bytes, 2 or 1 for 4, and what describes the graph.
@pytest.mark.parametrize(
    ("name", "share"),
    [
        ("float32", 1.0),
        ("float16", 0.58),
        ("dynamic_wi8_afp32", 0.36),
        ("weight_only_wi8_afp32", 0.38),
        ("static_wi8_ai8", 0.42),
    ],
)
def test_size(files, name, share):
    assert len(files[name]) <= share * len(files["float32"])


@pytest.mark.parametrize("name", POST_TRAINING_RECIPES)
def test_file_is_stored_by_its_recipe(files, name):
    assert export.audit(files[name]).recipe == RECIPES[name].stored_as


@pytest.mark.parametrize("name", POST_TRAINING_RECIPES)
def test_input_and_output_stay_float(files, name):
    interpreter = Interpreter(files[name])
    assert interpreter.input.dtype == interpreter.output.dtype == "float32"
    (signature,) = flatbuffer.parse(files[name]).signatureDefs
    assert [entry.name for entry in signature.inputs] == [b"image"]
    assert [entry.name for entry in signature.outputs] == [b"probabilities"]


@pytest.mark.parametrize("name", POST_TRAINING_RECIPES)
def test_probabilities_sum_to_one(files, name, trained):
    sums = Interpreter(files[name])(trained.images[:50]).sum(axis=1)
    step = 2**-15 if name == "static_wi8_ai16" else 0  # of a softmax in int16
    np.testing.assert_allclose(sums, 1, atol=1e-5 + 10 / 2 * step)  # in int8: up to 0.02


@pytest.mark.parametrize("name", POST_TRAINING_RECIPES)
def test_same_input_gives_same_bytes_and_prints_nothing(files, name, trained, capfd):
    again = export.quantize(trained.float32, name, trained.calibration)
    assert again == files[name]
    assert capfd.readouterr() == ("", "")


def test_order_of_calibration_images_does_not_matter(files, trained):
    backwards = np.ascontiguousarray(trained.calibration[::-1])
    again = export.quantize(trained.float32, "static_wi8_ai8", backwards)
    assert again == files["static_wi8_ai8"]


def test_recipes_share_the_ranges_of_one_run(files, trained):
    ranges = calibrate(trained.float32, trained.calibration)
    before = copy.deepcopy(ranges)
    for name in POST_TRAINING_RECIPES:
        for dtype in RECIPES[name].io_types:  # an integer type leaves no range to the next file
            export.quantize(trained.float32, name, ranges, output_type=dtype)
        assert export.quantize(trained.float32, name, ranges) == files[name]
    assert ranges == before


def test_a_float32_file_is_parsed_once_for_all_recipes(files, trained, monkeypatch):
    parsed = []
    parse = flatbuffer.parse
    monkeypatch.setattr(flatbuffer, "parse", lambda data: parsed.append(data) or parse(data))
    file = flatbuffer.ModelFile(trained.float32)
    ranges = calibrate(file, trained.calibration)
    for name in ("float32", "dynamic_wi8_afp32", "static_wi8_ai8"):
        assert export.quantize(file, name, ranges) == files[name]
    assert parsed == [trained.float32]


def test_progress_advances_once_per_image(trained):
    steps = []
    images = trained.calibration[:7]
    export.quantize(trained.float32, "static_wi8_ai8", images, lambda: steps.append(1))
    assert len(steps) == 7


def test_static_needs_calibration(trained):
    with pytest.raises(UsageError, match="'static_wi8_ai8' needs calibration images"):
        export.quantize(trained.float32, "static_wi8_ai8")


def test_calibration_images_have_the_size_of_the_input(trained):
    images = np.zeros((3, 9, 9, 1), np.float32)
    with pytest.raises(UsageError, match=r"are \(9, 9, 1\); the file's input is \(8, 8, 1\)"):
        export.quantize(trained.float32, "static_wi8_ai8", images)


def test_calibration_images_are_finite(trained):
    images = np.full((3, 8, 8, 1), np.nan, np.float32)
    with pytest.raises(Error, match="NaN"):
        export.quantize(trained.float32, "static_wi8_ai8", images)


@pytest.mark.parametrize(("scale", "shift"), [(127.5, 127.5), (0.5, 0.5), (2.0, 0.0)])
def test_calibration_images_are_normalized_as_in_the_metadata(trained, scale, shift):
    stated = {"height": 8, "width": 8, "channels": 1, "mean": [127.5], "std": [127.5]}
    file = metadata.write(
        trained.float32, metadata.Metadata("small", "", tuple("0123456789"), stated)
    )
    export.quantize(file, "static_wi8_ai8", trained.calibration[:5])  # from -1 to 1
    with pytest.raises(UsageError, match=r"by the file's preprocessing they have from -1 to 1"):
        export.quantize(file, "static_wi8_ai8", scale * trained.calibration[:5] + shift)


def test_unknown_recipe():
    with pytest.raises(UsageError, match="Did you mean 'static_wi8_ai8'"):
        export.quantize(b"", "static_w8_ai8")


def test_quantized_files_are_not_quantized_again(files):
    with pytest.raises(UsageError, match="is float16 already"):
        export.quantize(files["float16"], "dynamic_wi8_afp32")
    model = flatbuffer.parse(files["static_wi8_ai8"])
    graph = model.subgraphs[0]
    graph.tensors[graph.operators[1].outputs[0]].type = 7  # int16 among int8: of no recipe
    with pytest.raises(UsageError, match="has activations in int16 and int8 already"):
        export.quantize(flatbuffer.pack(model), "float16")


def test_broken_file():
    with pytest.raises(ModelFileError, match="Not a TFLite file"):
        export.quantize(b"not a model", "float16")


def test_layers_have_the_types_that_the_recipe_names(trained: Trained) -> None:
    mixed = recipe("static_wi8_ai8").with_float_layers("/conv1_").with_int4_layers("/(conv3|prob)")
    content = export.quantize(trained.float32, mixed, trained.calibration)
    model = flatbuffer.parse(content)
    kernels = {
        flatbuffer.layer_of(
            flatbuffer.name_of(graph.tensors[op.outputs[0]])
        ): flatbuffer.dtype_name(graph.tensors[op.inputs[1]])
        for graph in model.subgraphs
        for op, name in zip(graph.operators, flatbuffer.op_names(model), strict=True)
        if name in ("CONV_2D", "FULLY_CONNECTED")
    }
    assert list(kernels.values()) == ["float32", "int8", "int4", "int4"]
    found = audit(content)
    assert found.recipe == "static_wi8_ai8"
    assert reasons_to_refuse(found, mixed, []) == []
    both = mixed.with_float_layers("/conv3_")  # floating point has precedence
    assert audit(export.quantize(trained.float32, both, trained.calibration)).dtypes["int4"] == 1


def test_only_static_8_bit_recipes_have_single_layers_with_4_bits() -> None:
    for name in ("float32", "dynamic_wi8_afp32", "static_wi8_ai16"):
        with pytest.raises(UsageError, match=f"'{name}' .* --int4 is for .*static_wi8_ai8"):
            recipe(name).with_int4_layers("conv")
