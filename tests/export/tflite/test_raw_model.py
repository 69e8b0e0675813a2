from __future__ import annotations

import numpy as np
import pytest

from export.tflite.interpreter import Interpreter, ModelFileError
from export.tflite.raw_model import RawModel
from tests.fixtures.tiny_files import SHAPE, tiny_files

IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, *SHAPE)).astype(np.float32)


def test_outputs_are_those_of_the_interpreter() -> None:
    model = RawModel(tiny_files()["float32"])
    model.set_inputs([IMAGE])
    model.read_inputs_and_outputs()
    model.invoke()
    np.testing.assert_array_equal(model.outputs()[0], Interpreter(tiny_files()["float32"])(IMAGE))
    assert model.is_delegated()


def test_a_graph_may_have_several_inputs() -> None:
    model = RawModel(tiny_files()["two_inputs"])
    model.set_inputs([IMAGE, IMAGE])
    model.invoke()
    np.testing.assert_allclose(model.outputs()[0], 2 * IMAGE.reshape(1, -1), rtol=1e-6)
    with pytest.raises(AssertionError):
        model.set_inputs([IMAGE])


def test_preserved_tensors_can_be_read() -> None:
    model = RawModel(tiny_files()["float32"], preserve_tensors=True)
    model.set_inputs([IMAGE])
    model.invoke()
    np.testing.assert_array_equal(model.tensor(0), IMAGE)
    assert not model.is_delegated()


def test_a_file_that_litert_cannot_run_is_refused() -> None:
    with pytest.raises(ModelFileError, match="Flex"):
        RawModel(tiny_files()["flex"])
