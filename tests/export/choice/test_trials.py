from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.benchmark.places.local import Local
from export.choice.choose import opened_trials
from export.choice.layers import STATIC, uniform
from export.choice.trials import FILE_NAME, Trials
from export.pipeline import ExportJob
from export.recipes import recipe


def test_a_recipe_and_a_mix_are_made_checked_and_timed(
    lenet_trials: Trials, job: ExportJob
) -> None:
    float32 = lenet_trials.try_recipe(recipe("float32"))
    assert (float32.types, float32.drop_points, float32.usable) == (None, 0.0, True)
    mixed = lenet_trials.try_types(("int8", "int8", "int4", "int4", "float32"))
    assert mixed.correct is not None
    assert mixed.correct.shape == (len(job.images),)
    assert mixed.delegated is not None
    assert mixed.delegated[0] == mixed.delegated[1]
    assert mixed.value("size") < float32.value("size") / 4
    row = lenet_trials.recipe_of(mixed)
    assert (row.name, row.limits.max_drop_points) == ("static_wi8_ai8", 2.0)


def test_static_integer_files_are_mixes(lenet_trials: Trials) -> None:
    file = lenet_trials.make_recipe(STATIC)
    assert file == lenet_trials.make(uniform(lenet_trials.layers, "int8"))
    assert (file.name, lenet_trials.recipe_of(file)) == ("static_wi8_ai8", STATIC)


def test_what_was_tried_is_known_to_the_next_trials(job: ExportJob, tmp_path: Path) -> None:
    with opened_trials(job, Local(), 1, tmp_path) as trials:
        tried = trials.try_recipe(recipe("float16"))
        assert trials.remember("costs", lambda: [1.0]) == [1.0]
    (tmp_path / "float16.tflite").unlink()
    with opened_trials(job, Local(), 1, tmp_path) as trials:
        again = trials.try_recipe(recipe("float16"))
        assert again.latencies_ms == tried.latencies_ms
        assert trials.remember("costs", lambda: [2.0]) == [1.0]
        (timed,) = trials.time([again], 1, again=True)  # the file is made again
        assert timed.latencies_ms != tried.latencies_ms
        assert (tmp_path / "float16.tflite").is_file()
    with opened_trials(job, Local(), 2, tmp_path) as trials:  # other threads: only timed again
        assert [file.latencies_ms for file in trials.files] == [()]


@pytest.mark.parametrize("content", ["{", '{"made_of": {}, "timed_at": {}, "files": []}'])
def test_what_is_known_of_another_network_is_replaced(
    job: ExportJob, tmp_path: Path, content: str
) -> None:
    (tmp_path / FILE_NAME).write_text(content)
    with opened_trials(job, Local(), 1, tmp_path) as trials:
        assert trials.files == []
        trials.make_recipe(recipe("float32"))
    assert json.loads((tmp_path / FILE_NAME).read_text())["files"][0]["name"] == "float32"


def test_a_file_that_cannot_be_made_or_run_is_refused_with_the_reason(
    job: ExportJob, tmp_path: Path
) -> None:
    with opened_trials(job, Local(), 1, tmp_path) as trials:
        impossible = trials.try_recipe(recipe("float32")._replace(name="x", quantizer_recipe="y"))
        assert impossible.reasons[0].startswith("cannot be made: ")
        made = trials.make_recipe(recipe("float16"))
        (tmp_path / "float16.tflite").write_bytes(b"no TFLite file")
        (broken,) = trials.time([made], 1)
        assert broken.reasons[0].startswith("cannot be timed: ")
        assert not broken.usable
    with opened_trials(job, Local(), 1, tmp_path) as trials:
        assert trials.files == []  # both are tried again
