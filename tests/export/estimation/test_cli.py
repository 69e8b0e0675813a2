from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.estimation.cli import network_of
from tests.fixtures.command_line import read_json_lines, run_main

QUICK = ("--min-secs", "0.05", "--warmup-secs", "0", "--recipes", "float32")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Profiles of three small networks."""
    from export.cli import main

    path = tmp_path_factory.mktemp("results") / "rows.jsonl"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(path.parent))
        networks = ("resnet20", "plain20", "lenet5")
        profile = ("--profile", "--profile-secs", "0.2", "--out", str(path))
        assert main(["benchmark", *networks, *QUICK, *profile]) == 0
    return path


@pytest.fixture(autouse=True)
def cache(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(results.parent))


def test_an_estimate_names_its_sources(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("resnet32", "--from", results, "--recipes", "float32", "--options", "shortcut=B")
    code, out, _ = run_main(capsys, "estimate", *arguments, "--json")
    assert code == 0
    (found,) = json.loads(out)["estimates"]
    assert (found["network"], found["place"], found["num_threads"]) == ("resnet32", "local", 1)
    assert found["networks"] == ["lenet5", "plain20", "resnet20"]
    low, high = found["interval"]
    assert 0 < low <= found["latency_ms"] <= high
    code, out, _ = run_main(capsys, "estimate", *arguments)
    assert code == 0
    assert "lenet5, plain20, resnet20" in out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--place", "ssh:board"), 2, "No profile was measured at ssh:board"),
        (("--threads", "2"), 1, "there are 0 (none)"),
        (("--recipes", "static_wi8_ai8"), 1, "there are 0 (none)"),
    ],
)
def test_nothing_to_estimate_from(
    options: tuple[str, ...],
    code: int,
    message: str,
    results: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ("resnet20", "--recipes", "float32", "--from", results, *options)
    found, _, err = run_main(capsys, "estimate", *arguments)
    assert found == code
    assert message in err


def test_measurements_without_profiles_are_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "rows.jsonl"
    row = read_json_lines(results)[0]
    del row["profile"]
    path.write_text(json.dumps(row))
    code, _, err = run_main(capsys, "estimate", "resnet20", "--from", path)
    assert code == 1
    assert "No measurement has a profile: measure with benchmark --profile." in err


def test_network_of_a_file() -> None:
    assert network_of("a/lenet5_static_wi8_ai8_uint8.tflite") == "lenet5"
    assert network_of("resnet18_float32.tflite") == "resnet18"
    assert network_of("other.tflite") == "other"
