from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnn_keras.errors import Error
from export.benchmark.results_files import Result
from export.benchmark_report.exports import Exported
from export.benchmark_report.measurements import Measurement, latest, measurements
from tests.export.benchmark_report.rows import SHA256, benchmark_row

OTHER = "0" * 64


def measured(*rows: dict[str, Any], **exported: Any) -> list[Measurement]:
    results = [Result(Path("a.jsonl"), benchmark_row(**row)) for row in rows]
    exports = {SHA256: Exported(**exported)} if exported else {}
    return [each for each, _ in measurements(results, exports)]


def test_a_file_without_export_is_known_by_its_name() -> None:
    (found,) = measured({"file": "runs/b/files/mine_static_wi8_ai8_uint8.tflite"})
    assert (found.network, found.recipe) == ("mine", "static_wi8_ai8")
    assert (found.data, found.input, found.accuracy) == (None, None, None)
    (found,) = measured({"file": "mobile_net.tflite"})
    assert (found.network, found.recipe) == ("mobile_net", None)


def test_an_export_knows_better() -> None:
    (found,) = measured({}, network="lenet5", data="digits", recipe="pruned", accuracy=0.5)
    assert (found.network, found.data, found.recipe) == ("lenet5", "digits", "pruned")
    assert found.accuracy == 0.5


def test_an_untrained_network_has_no_accuracy() -> None:
    file = "/cache/untrained/resnet18_64x96x3_5/0123/resnet18_float16.tflite"
    (found,) = measured({"file": file, "untrained": True}, accuracy=0.9, data="digits")
    assert (found.untrained, found.accuracy, found.data) == (True, None, None)
    assert (found.network, found.recipe, found.input) == ("resnet18", "float16", "64×96×3")


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ({}, "AMD EPYC, 2 cores"),
        ({"model": "Pixel 8", "cores": 8}, "Pixel 8, 8 cores"),
        ({"cpu": None, "browser": "Chromium 156", "cores": 1}, "Chromium 156, 1 core"),
        ({"cpu": None, "cores": None}, "unknown"),
    ],
)
def test_hosts_have_names(host: dict[str, Any], name: str) -> None:
    (found,) = measured({"host": benchmark_row()["host"] | host})
    assert found.host == name


def test_names_are_as_long_as_needed() -> None:
    files = ["runs/a/files/x.tflite", "runs/b/files/x.tflite", "y.tflite"]
    rows = [{"file": file, "sha256": f"{number}" * 64} for number, file in enumerate(files)]
    assert [each.name for each in measured(*rows)] == [
        "a/files/x.tflite",
        "b/files/x.tflite",
        files[2],
    ]
    # The same content needs no distinction, and the same path has none.
    same = [row | {"sha256": SHA256} for row in rows[:2]]
    assert {each.name for each in measured(*same)} == {"x.tflite"}
    changed = [{"file": "/a/x.tflite"}, {"file": "/a/x.tflite", "sha256": OTHER}]
    assert {each.name for each in measured(*changed)} == {"x.tflite"}
    odd = [{"file": "/"}, {"file": "a//x"}, {"file": "a/x", "sha256": OTHER}]
    assert [each.name for each in measured(*odd)] == ["/", "a/x", "a/x"]


def test_times_are_in_utc_and_in_order() -> None:
    times = ["2026-11-30T12:00:00+02:00", "2026-11-30T09:30:00Z", "2026-11-30 09:00"]
    assert [each.time for each in measured(*({"time": time} for time in times))] == [
        "2026-11-30T09:00:00+00:00",
        "2026-11-30T09:30:00+00:00",
        "2026-11-30T10:00:00+00:00",
    ]
    for broken in ("yesterday", "0001-01-01T00:00:00+14:00"):
        with pytest.raises(Error, match=r"a\.jsonl has a measurement of the time"):
            measured({"time": broken})


def test_the_latest_measurement_of_each_file_host_and_threads_remains() -> None:
    rows = [
        {"time": "2026-01-01T00:00:00Z"},
        {"time": "2026-01-02T00:00:00Z", "runtime_version": "2.4.0", "latency_p50_ms": 2.0},
        {"time": "2026-01-01T00:00:00Z", "num_threads": 2},
        {"time": "2026-01-01T00:00:00Z", "place": "ssh:pi@board"},
        {"time": "2026-01-01T00:00:00Z", "runtime": "LiteRT.js"},
        {"time": "2026-01-01T00:00:00Z", "sha256": OTHER},
    ]
    found = latest(measured(*rows))
    assert len(found) == 5
    (repeated,) = [each for each in found if each.latency_p50_ms == 2.0]
    assert repeated.runtime == "LiteRT 2.4.0"
