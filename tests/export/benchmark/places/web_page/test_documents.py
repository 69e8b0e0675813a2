from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.benchmark.places.web_page.documents import (
    check_row,
    describe_job,
    known_row,
    require_size,
    require_supported,
)
from export.benchmark.places.web_page.page import Page, RefusedAnswerError
from export.tflite.interpreter import ModelFileError
from tests.export.benchmark.places.web_page.page_jobs import HOST, MEASURED, job_of
from tests.fixtures import FIXTURES

File = Callable[[str], Path]


@pytest.fixture
def known(file: File) -> dict[str, Any]:
    return known_row(job_of(file("float32")), Page(HOST, "web:Firefox 153 on Android"))


def test_a_row_of_the_schema_is_accepted(known: dict[str, Any]) -> None:
    row = known | MEASURED
    assert check_row(json.dumps(row).encode(), known) == row


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"latency_p50_ms": -1}, r"\$.latency_p50_ms"),
        ({"latency_p50_ms": "1"}, r"\$.latency_p50_ms"),
        ({"latency_p50_ms": float("nan")}, "NaN is not a number"),
        ({"first_ms": float("inf")}, "Infinity is not a number"),
        ({"more": 1}, "more"),
        ({"web": {}}, r"\$.web"),
        ({"sha256": "0" * 64}, "of another measurement: sha256"),
        ({"num_threads": 2}, "of another measurement: num_threads"),
    ],
)
def test_another_row_is_refused(
    change: dict[str, Any], message: str, known: dict[str, Any]
) -> None:
    with pytest.raises(RefusedAnswerError, match=message):
        check_row(json.dumps(known | MEASURED | change).encode(), known)


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"[" * 60_000])
def test_what_is_not_a_row_is_refused(content: bytes, known: dict[str, Any]) -> None:
    with pytest.raises(RefusedAnswerError, match="row"):
        check_row(content, known)


def test_outputs_have_their_size() -> None:
    assert require_size(b"abcd", 4) == b"abcd"
    with pytest.raises(RefusedAnswerError, match="3 bytes, not 4"):
        require_size(b"abc", 4)


def test_the_page_gets_labels_and_preprocessing_of_the_file() -> None:
    document = describe_job(job_of(FIXTURES / "models" / "drawing.tflite"))
    assert document["preprocessing"].keys() == {"height", "width", "channels", "mean", "std"}
    assert document["drawing"].keys() == {"extent", "stroke_width"}
    assert len(document["labels"]) == document["output"]["shape"][-1]
    json.dumps(document)


def test_a_file_without_metadata_runs(file: File) -> None:
    document = describe_job(job_of(file("float32")))
    assert (document["labels"], document["preprocessing"]) == ((), None)


def test_types_that_litert_js_does_not_take_are_refused(file: File) -> None:
    job = job_of(file("float32"))
    require_supported(job)
    for end in ("input", "output"):
        spec = getattr(job.loaded, end)._replace(dtype="int8")
        with pytest.raises(ModelFileError, match=f"int8 {end}, .*: export it with --{end}-type"):
            require_supported(replace(job, loaded=job.loaded._replace(**{end: spec})))


def test_a_dynamic_batch_is_refused() -> None:
    with pytest.raises(ModelFileError, match="dynamic batch"):
        require_supported(job_of(FIXTURES / "models" / "dynamic_batch.tflite"))
