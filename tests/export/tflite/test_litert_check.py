from __future__ import annotations

import numpy as np

from export.tflite.interpreter import Interpreter
from export.tflite.litert_check import valid_file


def test_the_valid_file_runs() -> None:
    np.testing.assert_array_equal(
        Interpreter(valid_file())(np.ones((1, 2, 2, 1), np.float32)), [[4, 4]]
    )
