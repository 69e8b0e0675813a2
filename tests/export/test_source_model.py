from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cnn_keras.training.run_folder import Run
from export.recipes import recipe
from export.source_model import SourceModel


def test_files_are_named_after_the_run_and_another_model_file(lenet_run: Run) -> None:
    name = lenet_run.path.name
    source = SourceModel.of_run(lenet_run)
    assert source.file_name(recipe("float16")) == f"{name}_float16.tflite"
    types = recipe("static_wi8_ai8").with_io_types("uint8", "float32")
    assert source.file_name(types) == f"{name}_static_wi8_ai8_uint8_float32.tflite"
    best = SourceModel.of_run(replace(lenet_run, model_file=lenet_run.path / "best.keras"))
    assert best.name == f"{name}_best"


@pytest.mark.parametrize(
    ("config", "description"),
    [
        ({}, "lenet5 trained on digits by cnn-keras"),
        ({"members": ["a", "b"]}, "ensemble of 2 lenet5 trained on digits by cnn-keras"),
        (
            {"imported": {"file": "w.h5", "publisher": "keras.applications"}},
            "lenet5 with the weights w.h5 of keras.applications",
        ),
        ({"adopted": {"origin": "from mine.keras"}}, "lenet5 from mine.keras"),
    ],
)
def test_the_description_tells_network_and_origin(
    config: dict[str, Any], description: str, lenet_run: Run
) -> None:
    run = Run(lenet_run.path)
    run.config.update(config)  # the file of the shared run is not changed
    source = SourceModel("net", None, run, lenet_run.dataset())
    assert source.description == description
