from __future__ import annotations

import json
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main

TRAINED = "lenet5:digits"


def test_a_lone_keras_file_is_exported_with_its_run(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = lenet_run.path / "best.keras"
    arguments = ("--out", tmp_path / "a", "--recipes", "float16")
    assert run_main(capsys, "export", best, *arguments)[0] == 0
    elsewhere = tmp_path / "mine.keras"
    model = keras.saving.load_model(best, compile=False)
    model.save(elsewhere)
    code, _, err = run_main(capsys, "export", elsewhere, *arguments)
    assert (code, err.count("\n")) == (2, 1)  # it lacks --data or --run
    arguments = ("--out", tmp_path / "b", "--recipes", "float16", "--run", lenet_run.path)
    assert run_main(capsys, "export", elsewhere, *arguments)[0] == 0
    assert (tmp_path / "b" / f"{lenet_run.path.name}_mine_float16.tflite").exists()


@pytest.fixture
def broken(tmp_path: Path, exported: Path, lenet_run: Run) -> Path:
    whole = next(exported.glob("*_float32.tflite")).read_bytes()
    (tmp_path / "cut.tflite").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "noise.tflite").write_bytes(np.random.default_rng(0).bytes(5_000))
    (tmp_path / "empty.tflite").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    shutil.copytree(lenet_run.path, tmp_path / "cut_run")
    model = tmp_path / "cut_run" / "model.keras"
    model.write_bytes(model.read_bytes()[:10_000])
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("export {run} --out {}/new --recipes int8", 2, "Unknown recipe 'int8'"),
        ("export {run} --out {}/new --recipes float61", 2, "Did you mean 'float16'?"),
        ("export {run} --out {}/new --split train", 2, "validation or test, not 'train'"),
        ("export {}/folder --out {}/new", 1, "has no trained model"),
        ("export {}/cut_run --out {}/new", 1, "cannot be loaded as a Keras model"),
        ("export {run} --out /proc/new", 1, "/proc/new"),
        ("export {run} --out {}/cut.tflite", 1, "cut.tflite"),
        ("verify {}/missing.tflite --run {run}", 1, "missing.tflite"),
        ("verify {}/cut.tflite --run {run}", 1, "cut.tflite"),
        ("verify {}/noise.tflite --run {run}", 1, "noise.tflite"),
        ("verify {file} --run {}/folder", 1, "has no trained model"),
        ("audit {}/cut.tflite", 1, "cut.tflite"),
        ("audit {}/noise.tflite", 1, "noise.tflite"),
        ("audit {}/empty.tflite", 1, "empty.tflite"),
        ("audit {}/folder", 1, "folder"),
        ("benchmark {}/cut.tflite", 1, "cut.tflite"),
        ("benchmark {}/noise.tflite", 1, "noise.tflite"),
        ("benchmark", 2, ".tflite"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    arguments: str,
    code: int,
    message: str,
    broken: Path,
    exported: Path,
    lenet_run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = sorted(broken.rglob("*"))
    file = next(exported.glob("*_float32.tflite"))
    filled = arguments.replace("{run}", str(lenet_run.path)).replace("{file}", str(file))
    found, out, err = run_main(capsys, *filled.replace("{}", str(broken)).split())
    assert (found, out) == (code, "")
    *progress, last = err.splitlines()
    assert message in last
    assert not progress or arguments.startswith("benchmark")
    assert "Traceback" not in err
    assert sorted(broken.rglob("*")) == before


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_files_of_a_trained_network_are_verified_by_its_name(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--out", tmp_path, "--recipes", "static_wi8_ai8", "--split", "test", "--json"]
    code, out, _ = run_main(capsys, "export", TRAINED, *arguments)
    document = json.loads(out)
    [row] = document["files"]
    assert (code, document["run"], row["file"]) == (
        0,
        TRAINED,
        "lenet5_digits_static_wi8_ai8.tflite",
    )
    assert abs(row["drop_points"]) <= 0.3
    code, out, _ = run_main(capsys, "verify", tmp_path / row["file"], "--json")
    assert (code, json.loads(out)["accepted"]) == (0, True)


def test_benchmark_exports_the_files_of_a_trained_network_once(
    cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = ["--num-runs", "3", "--min-secs", "0", "--warmup-secs", "0", "--json"]
    results = ["--out", tmp_path / "results.jsonl"]
    code, out, _ = run_main(capsys, "benchmark", TRAINED, *quick, *results)
    files = sorted(cache.rglob("benchmark/*/*.tflite"))  # not those of `export --android`
    assert code == 0
    assert [Path(row["file"]) for row in json.loads(out)["rows"]] == files
    assert len(files) == 2
    before = [file.stat().st_mtime_ns for file in files]
    assert run_main(capsys, "benchmark", TRAINED, *quick, *results)[0] == 0
    assert [file.stat().st_mtime_ns for file in files] == before
