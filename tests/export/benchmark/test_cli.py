from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from rich.console import Console

from cnn_keras.command import Outcome
from cnn_keras.errors import Error, UsageError
from cnn_keras.training.run_folder import Run
from export.benchmark.cli import Benchmark
from export.benchmark.places.row_schema import schema
from export.benchmark.runner import Row
from export.tflite.interpreter import DYNAMIC_BATCH_REMARK, ModelFileError
from tests.fixtures.command_line import read_json_lines
from tests.fixtures.tiny_files import BROKEN

File = Callable[[str], Path]
RunWithout = Callable[..., subprocess.CompletedProcess[str]]
QUICK = Benchmark((), num_runs=5, min_secs=0.02, warmup_secs=0.0, processes=2)


def text(outcome: Outcome) -> str:
    console = Console(width=1000)
    with console.capture() as capture:
        console.print(outcome.text)
    return capture.get()


def test_every_file_with_every_number_of_threads(file: File, tmp_path: Path) -> None:
    files = (file("float32"), file("int16"))
    outcome = replace(QUICK, files=files, threads=(1, 2))()
    rows = json.loads(json.dumps(outcome.document))["rows"]
    assert outcome.exit_code == 0
    assert [(Path(r["file"]).stem, r["num_threads"]) for r in rows] == [
        ("float32", 1),
        ("float32", 2),
        ("int16", 1),
        ("int16", 2),
    ]
    assert read_json_lines(tmp_path / "benchmarks.jsonl") == rows
    jsonschema.validate(rows[0], schema())
    assert set(Row._fields) < set(rows[0])
    assert [row["digest"]["equal"] for row in rows] == [True] * 4
    shown = text(outcome)
    assert "float32.tflite" in shown
    assert "5/5 in 1" in shown
    assert rows[0]["host"]["cpu"] in shown
    # Files with 16-bit activations take ten times as long on every CPU, so this asserts no timing.
    assert "XNNPACK has no kernels for 16-bit activations" in shown


def test_versus(file: File, tmp_path: Path) -> None:
    out = tmp_path / "results" / "all.jsonl"
    command = replace(QUICK, files=(file("float32"),), vs=(file("int8"),), out=out)
    outcome = command()
    first, second = read_json_lines(out)
    versus = first["vs"]
    assert isinstance(versus, dict)
    assert (versus["file"], versus["sha256"]) == (second["file"], second["sha256"])
    low, high = versus["interval"]
    assert low <= versus["ratio"] <= high
    assert second["vs"] is None
    assert versus["conclusion"] in text(outcome)


def test_several_files_are_timed_in_one_run(file: File, tmp_path: Path) -> None:
    files = [file("float32"), file("int8"), file("float16")]
    outcome = replace(QUICK, files=tuple(files[:2]), vs=tuple(files[2:]))()
    rows = read_json_lines(tmp_path / "benchmarks.jsonl")
    assert [row["file"] for row in rows] == list(map(str, files))
    for row in rows:
        jsonschema.validate(row, schema())
    assert [[each["file"] for each in row["versus"]] for row in rows] == [
        list(map(str, files[1:])),
        list(map(str, files[2:])),
        [],
    ]
    assert [row["vs"] and row["vs"]["file"] for row in rows] == [str(files[2])] * 2 + [None]
    shown = text(outcome)
    assert "99.67 % interval" in shown
    assert sum("float16.tflite" in line for line in shown.splitlines()) == 3


def test_a_broken_file_leaves_the_other_pairs(file: File, tmp_path: Path) -> None:
    files = (file("float32"), file("truncated"), file("int8"))
    outcome = replace(QUICK, files=files, vs=(file("float16"),))()
    assert outcome.exit_code == 1
    assert [failure["file"] for failure in outcome.document["failed"]] == [str(files[1])]
    rows = read_json_lines(tmp_path / "benchmarks.jsonl")
    assert [len(row["versus"]) for row in rows] == [2, 1, 0]


def test_results_are_added(file: File, tmp_path: Path) -> None:
    command = replace(QUICK, files=(file("float32"),))
    command()
    command()
    assert len(read_json_lines(tmp_path / "benchmarks.jsonl")) == 2


@pytest.mark.parametrize("name", [*BROKEN, "flex", "dynamic_size"])
def test_bad_file_is_refused_and_nothing_is_recorded(name: str, file: File, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=name) as caught:
        replace(QUICK, files=(file(name),))()
    assert caught.value.exit_code == 1
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "benchmarks.jsonl").exists()


def test_one_broken_file_leaves_the_others(file: File, tmp_path: Path) -> None:
    broken = [file(name) for name in ("text", "truncated", "flex")] + [tmp_path / "none.tflite"]
    outcome = replace(QUICK, files=(broken[0], file("float32"), *broken[1:]))()
    assert outcome.exit_code == 1
    document = json.loads(json.dumps(outcome.document))
    assert read_json_lines(tmp_path / "benchmarks.jsonl") == document["rows"]
    assert [Path(row["file"]).stem for row in document["rows"]] == ["float32"]
    assert {row["file"] for row in document["failed"]} == set(map(str, broken))
    for row in document["failed"]:
        assert row["file"] in row["reason"]
        assert row["reason"] in text(outcome)


def test_second_file_that_is_no_model_stops_before_anything_is_measured(
    file: File, tmp_path: Path
) -> None:
    with pytest.raises(ModelFileError, match="text"):
        replace(QUICK, files=(file("float32"),), vs=(file("text"),))()
    assert not (tmp_path / "benchmarks.jsonl").exists()


def test_a_dynamic_batch_is_timed_and_remarked(file: File) -> None:
    outcome = replace(QUICK, files=(file("float32"), file("dynamic_batch")))()
    document = json.loads(json.dumps(outcome.document))
    assert [row["inputs"] for row in document["rows"]] == ["random", "random"]
    assert document["remarks"][0] == f"{file('dynamic_batch')} {DYNAMIC_BATCH_REMARK}."
    assert document["remarks"][0] in text(outcome)


def test_a_profile_is_in_the_row_and_in_files(file: File, tmp_path: Path) -> None:
    figure, nodes = tmp_path / "profile.svg", tmp_path / "nodes.json"
    command = replace(QUICK, files=(file("int8"),), profile=True, profile_secs=0.1, by="op")
    outcome = replace(command, figure=figure, model_explorer=nodes)()
    (row,) = read_json_lines(tmp_path / "benchmarks.jsonl")
    jsonschema.validate(row, schema())
    operations = row["profile"]["operations"]
    assert operations[0]["op"] == "CONV_2D"
    assert list(json.loads(nodes.read_text())["main"]["results"]) == [
        each["tensor"] for each in operations
    ]
    assert figure.read_text().startswith("<?xml")
    shown = text(outcome)
    assert "CONV_2D" in shown
    assert "of the whole file's" in shown


def test_sustained_inferences_are_recorded_by_the_second(file: File, tmp_path: Path) -> None:
    outcome = replace(QUICK, files=(file("int8"),), sustained=1.2)()
    (row,) = read_json_lines(tmp_path / "benchmarks.jsonl")
    jsonschema.validate(row, schema())
    assert [round(window["at_s"]) for window in row["sustained"]["windows"]] == [1, 2]
    assert row["sustained"]["throttled_at_s"] is None
    assert "no throttling in 2 s" in text(outcome)
    low, high = row["stability"]["p50_interval_ms"]
    assert 0 < low <= high


def test_a_file_slower_than_its_baseline_is_refused(file: File, tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.jsonl"
    command = replace(QUICK, files=(file("float32"),), baseline=path)
    replace(command, baseline=None)()
    assert replace(command, max_slowdown="900%")().exit_code == 0
    (row, _) = read_json_lines(path)
    path.write_text(json.dumps(row | {"latency_p50_ms": row["latency_p50_ms"] / 100}) + "\n")
    outcome = command()
    assert outcome.exit_code == 1
    (gated,) = json.loads(json.dumps(outcome.document))["gate"]
    assert (gated["accepted"], gated["method"]) == (False, "rows")
    assert gated["reason"] in text(outcome)


@pytest.mark.parametrize(
    "options",
    [
        {"files": ()},
        {"figure": Path("a.svg")},
        {"profile": True, "figure": Path("a.gif")},
        {"profile": True, "figure": Path("a.svg"), "threads": (1, 2)},
        {"profile": True, "vs": (Path("other.tflite"),)},
        {"baseline": Path("rows.jsonl"), "vs": (Path("other.tflite"),)},
        {"sustained": 5.0, "vs": (Path("other.tflite"),)},
        {"sustained": -1.0},
        {"cooldown_secs": -1.0},
        {"max_slowdown": "five"},
        {"max_slowdown": "-1%"},
        {"threads": (0,)},
        {"threads": ()},
        {"num_runs": 0},
        {"min_secs": -1.0},
        {"processes": 1},
        {"max_processes": 1},
        {"precision": "0%"},
        {"precision": "small"},
    ],
)
def test_wrong_options(options: dict[str, object], file: File) -> None:
    with pytest.raises(UsageError):
        replace(QUICK, **({"files": (file("float32"),)} | options))()  # type: ignore[arg-type]


def test_a_path_that_cannot_be_written(file: File, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(Error, match="--out"):
        replace(QUICK, files=(file("float32"),), out=tmp_path / "taken" / "rows.jsonl")()


def _a_folder(path: Path) -> None:
    path.mkdir()


def _in_a_file(path: Path) -> None:
    path.parent.rmdir()
    path.parent.write_text("")


@pytest.mark.parametrize("prepare", [_a_folder, _in_a_file])
@pytest.mark.parametrize("count", [1, 2])
def test_results_that_cannot_be_written_are_refused_before_measuring(
    count: int,
    prepare: Callable[[Path], None],
    file: File,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "results" / "all.jsonl"
    out.parent.mkdir()
    prepare(out)
    files = (file("float32"), file("int8"))[:count]
    with pytest.raises(Error, match=r"Cannot append to .*all\.jsonl: .*with --out"):
        replace(QUICK, files=files, out=out)()
    assert capsys.readouterr().err == ""  # nothing was measured


def test_results_of_both_compared_files_must_be_writable(file: File, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "benchmarks.jsonl").mkdir(parents=True)
    vs = Path(shutil.copy(file("int8"), other))
    with pytest.raises(Error, match=r"Cannot append to .*other"):
        replace(QUICK, files=(file("float32"),), vs=(vs,))()
    assert not (tmp_path / "benchmarks.jsonl").exists()


def test_a_full_disk_loses_no_rows(file: File) -> None:
    files = (file("float32"), file("int8"))
    outcome = replace(QUICK, files=files, out=Path("/dev/full"))()
    document = json.loads(json.dumps(outcome.document))
    assert outcome.exit_code == 1
    assert [Path(row["file"]).stem for row in document["rows"]] == ["float32", "int8"]
    (failed,) = document["failed"]
    assert failed["file"] == "/dev/full"
    assert "float32.tflite" in text(outcome)
    assert "Cannot append to /dev/full: No space left on device." in text(outcome)


def test_run_is_found_beside_the_file(
    lenet_run: Run, file: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny file takes images of another size, so the error shows that the run was found."""
    path = file("float32")
    (tmp_path / "export.json").write_text(json.dumps({"run": str(lenet_run.path)}))
    with pytest.raises(ModelFileError, match="give the run that this file was exported from"):
        replace(QUICK, files=(path,))()
    with pytest.raises(ModelFileError, match="give the run that this file was exported from"):
        replace(QUICK, files=(file("int8"),), run=lenet_run.path)()


@pytest.mark.parametrize("content", ["", "[]", '{"run": null}', '{"run": "gone"}', '{"other": 1}'])
def test_no_run_means_noise(content: str, file: File, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(content)
    replace(QUICK, files=(file("float32"),))()
    assert read_json_lines(tmp_path / "benchmarks.jsonl")[0]["inputs"] == "random"


def test_broken_run_beside_the_file_means_noise_and_says_so(
    file: File, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "export.json").write_text('{"run": "run"}')
    replace(QUICK, files=(file("float32"),))()
    assert read_json_lines(tmp_path / "benchmarks.jsonl")[0]["inputs"] == "random"
    assert "has no trained model" in capsys.readouterr().err
    with pytest.raises(Error, match="has no trained model"):
        replace(QUICK, files=(file("float32"),), run=tmp_path / "run")()


def test_works_without_tensorflow(file: File, run_without: RunWithout, tmp_path: Path) -> None:
    """The command needs ai-edge-litert, numpy, rich and tyro."""
    absent = {"tensorflow", "keras", "tf_keras", "PIL", "sklearn", "scipy", "matplotlib"}
    code = (
        "import json, sys; from pathlib import Path; from export.benchmark.cli import Benchmark; "
        "outcome = Benchmark((Path(sys.argv[1]),), min_secs=0.02, warmup_secs=0.0, "
        "vs=(Path(sys.argv[1]),), processes=2)(); print(json.dumps(outcome.document))"
    )
    done = run_without(absent, "-c", code, str(file("int8")))
    assert done.returncode == 0, done.stderr
    assert read_json_lines(tmp_path / "benchmarks.jsonl") == json.loads(done.stdout)["rows"]


def test_a_missing_package_is_reported(run_without: RunWithout) -> None:
    done = run_without({"keras"}, "-m", "export", "summary", "lenet5")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("This needs the package 'keras', which is not installed.\n")
    assert "Traceback" not in done.stderr
