from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.tflite.interpreter import Interpreter, ModelFileError, read_file
from tests.fixtures.tiny_files import BROKEN, SHAPE, broken_files, tiny_files, with_batch

IMAGES = np.random.default_rng(1).uniform(-1, 1, (6, *SHAPE)).astype(np.float32)
NOT_CLASSIFIERS = {
    "dynamic_size": r"dynamic shape \(-1, -1, -1, 1\); export it with a fixed size",
    "two_inputs": "2 inputs",
    "flex": "FlexTan",
}


def one_line(error: ModelFileError) -> bool:
    return error.exit_code == 1 and len(str(error).splitlines()) == 1


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic", "int8", "int16", "lrn"])
def test_probabilities_of_every_type(name: str) -> None:
    probabilities = Interpreter(tiny_files()[name])(IMAGES)
    assert probabilities.shape == (6, 10)
    assert probabilities.dtype == np.float32
    # An int8 softmax has steps of 1/256: ten classes are off by five steps together at most.
    np.testing.assert_allclose(
        probabilities.sum(axis=1), 1, atol=5 / 256 if name == "int8" else 1e-3
    )
    assert len(np.unique(probabilities, axis=0)) == 6


def test_a_quantized_file_computes_nearly_the_same_as_the_float_file() -> None:
    wanted = Interpreter(tiny_files()["float32"])(IMAGES)
    np.testing.assert_allclose(Interpreter(tiny_files()["int8"])(IMAGES), wanted, atol=0.02)


def test_path_and_bytes_are_the_same_model(tmp_path: Path) -> None:
    path = tmp_path / "float32.tflite"
    path.write_bytes(tiny_files()["float32"])
    wanted = Interpreter(tiny_files()["float32"])(IMAGES)
    for file in (path, str(path)):
        np.testing.assert_array_equal(Interpreter(file, num_threads=2)(IMAGES), wanted)


def test_input_and_output_are_described() -> None:
    interpreter = Interpreter(tiny_files()["int8"])
    assert interpreter.input.shape == (1, *SHAPE)
    assert interpreter.input.dtype == interpreter.output.dtype == "int8"
    assert interpreter.output.scale == 1 / 256
    assert interpreter.output.zero_point == -128
    assert Interpreter(tiny_files()["float32"]).input.scale == 0.0


def test_quantize_rounds_and_saturates() -> None:
    interpreter = Interpreter(tiny_files()["int8"])
    scale, zero_point = interpreter.input.scale, interpreter.input.zero_point
    values = np.array([0.0, 1.4 * scale, 1.6 * scale, 1e6, -1e6], np.float32)
    expected = [zero_point, zero_point + 1, zero_point + 2, 127, -128]
    assert interpreter.quantize(values).tolist() == expected


def test_stages_are_the_call() -> None:
    interpreter = Interpreter(tiny_files()["int8"])
    interpreter.set_input(interpreter.quantize(IMAGES[:1]))
    interpreter.invoke()
    output = interpreter.dequantize(interpreter.get_output())
    np.testing.assert_array_equal(output, interpreter(IMAGES[:1]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("float32", (5, 5, 1, True)),
        ("float16", (8, 8, 1, True)),  # its three DEQUANTIZE of weights are XNNPACK's, too
        ("int8", (5, 4, 1, False)),  # the softmax stays outside
        ("int16", (7, 0, 0, False)),
        ("lrn", (6, 5, 2, False)),  # cut in two by LOCAL_RESPONSE_NORMALIZATION
    ],
)
def test_delegation(name: str, expected: tuple[int, int, int, bool]) -> None:
    assert Interpreter(tiny_files()[name]).delegation() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("float32", ("float32", "float32")),
        ("float16", ("float16", "float32")),
        ("dynamic", ("int8", "float32")),
        ("int8", ("int8", "int8")),
        ("int16", ("int8", "int16")),
    ],
)
def test_dtypes(name: str, expected: tuple[str, str]) -> None:
    assert Interpreter(tiny_files()[name]).dtypes() == expected


def test_intermediate_tensors() -> None:
    interpreter = Interpreter(tiny_files()["float32"], preserve_tensors=True)
    probabilities = interpreter(IMAGES[:1])
    tensors = interpreter.tensors()
    assert {array.shape for array in tensors.values()} >= {(1, 16, 16, 8), (1, 8, 8, 8), (1, 512)}
    np.testing.assert_array_equal(tensors[interpreter.output.name], probabilities)


@pytest.mark.parametrize("size", [1, 0, 4])
@pytest.mark.parametrize("preserve_tensors", [False, True])
def test_a_dynamic_batch_becomes_one(size: int, preserve_tensors: bool) -> None:
    wanted = Interpreter(tiny_files()["float32"])(IMAGES)
    found = Interpreter(with_batch(size), preserve_tensors=preserve_tensors)
    assert (found.input.shape, found.output.shape) == ((1, *SHAPE), (1, 10))
    np.testing.assert_allclose(found(IMAGES), wanted, atol=1e-6)


def test_an_impossible_batch_is_refused_in_one_line() -> None:
    with pytest.raises(ModelFileError, match="export it with a static batch of 1") as caught:
        Interpreter(with_batch(-1))
    assert one_line(caught.value)


def test_images_of_another_size_are_refused() -> None:
    with pytest.raises(ModelFileError, match="takes images of 16 × 16 × 1; these are 8 × 8 × 1"):
        Interpreter(tiny_files()["float32"])(np.zeros((1, 8, 8, 1), np.float32))


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.tflite"
    path.write_bytes(broken_files()[name])
    for model in (path, broken_files()[name]):
        with pytest.raises(ModelFileError) as caught:
            Interpreter(model)
        assert one_line(caught.value)
    assert "The model" in str(caught.value)


@pytest.mark.parametrize("name", NOT_CLASSIFIERS)
def test_other_models_are_refused_in_one_line(name: str) -> None:
    with pytest.raises(ModelFileError, match=NOT_CLASSIFIERS[name]) as caught:
        Interpreter(tiny_files()[name])
    assert one_line(caught.value)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="No such file"):
        Interpreter(tmp_path / "none.tflite")
    with pytest.raises(ModelFileError, match="Is a directory"):
        Interpreter(tmp_path)


def test_read_file(tmp_path: Path) -> None:
    path = tmp_path / "float32.tflite"
    path.write_bytes(tiny_files()["float32"])
    assert read_file(path) == tiny_files()["float32"]
    path.write_text("no model")
    with pytest.raises(ModelFileError, match="not a TFLite file"):
        read_file(path)


def test_damaged_name_is_refused() -> None:
    name = Interpreter(tiny_files()["float32"]).output.name.encode()
    damaged = tiny_files()["float32"].replace(name, b"\xf2" + name[1:])
    with pytest.raises(ModelFileError, match="a name in it is not text"):
        Interpreter(damaged)


def test_loading_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    Interpreter(tiny_files()["float32"])(IMAGES)
    assert capfd.readouterr() == ("", "")
