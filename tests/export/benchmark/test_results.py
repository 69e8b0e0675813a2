from __future__ import annotations

import errno
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from cnn_keras import __version__
from cnn_keras.experiments.record import claims_table
from cnn_keras.machine import host
from export.benchmark import results
from export.benchmark.comparison.compare import Comparison
from export.benchmark.comparison.latency_ratio import Ratio
from export.benchmark.inputs import NOISE
from export.benchmark.places.digest import Digest
from export.benchmark.places.place import Job, Measured
from export.benchmark.places.row_schema import schema
from export.benchmark.results import record, require_writable, stability_remarks, table
from export.benchmark.runner import Loaded, Row, TimingOptions
from export.tflite.interpreter import TensorSpec
from tests.fixtures.command_line import read_json_lines

ROW = Row(**dict.fromkeys(Row._fields, 1))._replace(  # type: ignore[arg-type]
    file="a/net.tflite", sha256="ab", dtype="int8", activation_dtype="int8", inputs="random"
)
DIGEST = Digest(32, "ef" * 32, "static", True, 0.0, 1.0, 10)


def job(file: Path) -> Job:
    spec = TensorSpec("image", (1, 8, 8, 1), "int8", 0.1, 0)
    loaded = Loaded(spec, spec, "int8", "int8", 5, 32)
    return Job(file, "ab" * 32, loaded, NOISE, 1, 0.5, TimingOptions())


def measured(**extra: object) -> Measured:
    versions = {"python": "3"}
    return Measured(ROW._asdict(), host()._asdict(), versions, "LiteRT", "2.3.0", "XNNPACK", extra)


def test_full_disk_leaves_the_old_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    results.append(path, {"row": 1})
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:4]))
    with pytest.raises(OSError, match="No space left") as caught:
        results.append(path, {"row": 2})
    assert caught.value.errno == errno.ENOSPC
    assert read_json_lines(path) == [{"row": 1}]


def test_lines_of_simultaneous_benchmarks_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: results.append(path, {"row": n, "pad": "x" * 9000}), range(64)))
    assert sorted(int(str(line["row"])) for line in read_json_lines(path)) == list(range(64))


def test_brackets_of_names_are_no_markup(tmp_path: Path) -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    file = tmp_path / "[bold]net.tflite"
    file.write_bytes(b"content")
    console.print(table([record(job(file), "ssh:[bold]net", measured(), DIGEST)]))
    claims = [{"claim": "[bold]net errs", "holds": True, "value": 1.0, "interval": None}]
    console.print(claims_table({"claims": claims}))
    assert console.export_text().count("[bold]net") == 3


def test_a_record_has_the_version_of_this_package(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"content")
    document = record(job(file), "local", measured(), DIGEST)
    assert document["versions"] == {"python": "3", "cnn-keras": __version__}


def test_a_record_states_what_a_row_was_compared_with(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"content")
    other = ROW._replace(file="other.tflite", sha256="cd" * 32)
    comparison = Comparison(ROW, other, Ratio(0.5, 0.4, 0.6), 8, "faster", "a is faster")
    document = record(job(file), "local", measured(), DIGEST, comparison.versus())
    assert json.loads(json.dumps(document["vs"])) == {
        "file": "other.tflite",
        "sha256": "cd" * 32,
        "ratio": 0.5,
        "interval": [0.4, 0.6],
        "confidence": 0.95,
        "processes": 8,
        "verdict": "faster",
        "conclusion": "a is faster",
    }
    validate(document)
    assert record(job(file), "local", measured(), DIGEST)["vs"] is None


def validate(document: object) -> None:
    """Check a document as it is in a JSONL file."""
    jsonschema.validate(json.loads(json.dumps(document)), schema())


def test_what_a_place_does_not_know_is_null(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"content")
    known = {name: 1.0 for name in Row._fields if name.startswith("latency")}
    known |= {"load_ms": 1.0, "first_ms": 1.0, "num_runs": 5}
    found = measured()._replace(row=known, delegate_used=None)
    document = record(job(file), "web:browser", found, DIGEST)
    validate(document)
    assert document["peak_rss_mb"] is document["nodes"] is None
    assert (document["file"], document["size_bytes"]) == (str(file), 7)
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table([document]))
    assert "web:browser" in console.export_text()


@pytest.mark.parametrize(
    ("key", "value"),
    [("num_runs", 0), ("latency_p50_ms", -1.0), ("digest", {}), ("sha256", "ab"), ("other", 1)],
)
def test_the_schema_refuses_other_documents(key: str, value: object, tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"content")
    document = record(job(file), "local", measured(), DIGEST)
    validate(document)
    with pytest.raises(jsonschema.ValidationError):
        validate({**document, key: value})


def test_the_schema_has_every_key(tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(b"content")
    document = record(job(file), "local", measured(), DIGEST)
    assert sorted(schema()["required"]) == sorted(document)


def test_a_writable_path_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    require_writable(path)
    assert not path.exists()
    results.append(path, {"row": 1})
    require_writable(path)
    assert read_json_lines(path) == [{"row": 1}]
    with pytest.raises(OSError, match="Is a directory"):
        require_writable(path.parent)


def test_disturbances_are_remarked() -> None:
    calm = {"other_programs_share": 0.05, "steal_share": None}
    row = {"file": "a/net.tflite", "place": "local", "stability": calm}
    assert stability_remarks([row]) == []
    busy = row | {"stability": {"other_programs_share": 0.5, "steal_share": 0.2}}
    programs, machines = stability_remarks([row, busy])
    assert programs.startswith("Other programs took up to 50% of the processors")
    assert machines.startswith("Other machines took up to 20% of the processors")
    window = {"at_s": 1.0, "mean_ms": 1.0, "temperature_celsius": 41.0}
    hot = window | {"at_s": 60.0, "mean_ms": 1.5, "temperature_celsius": 79.0}
    sustained = {"throttled_at_s": 30.0, "windows": [window, hot]}
    slower, throttled = stability_remarks(
        [row | {"throttling": {"ratio": 1.2}, "sustained": sustained}]
    )
    assert "is 1.20 times that of the first" in slower
    warmup = {"secs": 5.0, "stable": False}
    (unstable,) = stability_remarks([row | {"warmup": warmup}])
    assert unstable == "net.tflite, local: the latency was not yet stable after 5.0 s of warm-up."
    assert stability_remarks([row | {"warmup": warmup | {"stable": None}}]) == []
    assert throttled == (
        "net.tflite, local: it throttles after 30 s (1.00 to 1.50 ms a run, 41 to 79 °C)."
    )
