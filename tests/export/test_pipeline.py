from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from functools import partial
from io import StringIO
from pathlib import Path

import keras
import numpy as np
import pytest
from rich.console import Console

import cnn_keras
from cnn_keras.command import one_line
from cnn_keras.machine import host
from cnn_keras.training.run_folder import Run
from export.benchmark import runner
from export.cli import main
from export.export_table import export_table
from export.pipeline import _require_writable
from export.recipes import DEFAULT
from export.report import report
from export.studies import recipes as study
from export.tflite import metadata
from tests.fixtures.command_line import run_main
from tests.fixtures.kills import copies_before_each_rename

AWARE = ("_aware.json", "_aware.keras")


@pytest.fixture(scope="module")
def exported(lenet_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("files")
    assert main(["export", str(lenet_run.path), "--out", str(out)]) == 0
    return out


def test_every_recipe_becomes_a_file(exported: Path, lenet_run: Run) -> None:
    document = json.loads((exported / "export.json").read_text())
    assert [row["recipe"] for row in document["files"]] == list(DEFAULT)
    names = {row["file"] for row in document["files"]}
    assert names | {"export.json"} == {path.name for path in exported.iterdir()}
    assert document["split"] == "validation"
    assert document["remarks"] == []
    assert document["num_images"] == 180
    assert document["calibration"] == {"split": "train", "num_images": 200, "seed": 0}
    assert (exported / document["run"]).resolve() == lenet_run.path.resolve()
    for row in document["files"]:
        assert row["size_bytes"] == (exported / row["file"]).stat().st_size
        assert row["audit"]["partitions"] == 1
        assert row["audit"]["delegated_nodes"] == row["audit"]["nodes"]
        assert row["audit"]["flex_ops"] == []


def test_the_table_has_the_remarks(exported: Path) -> None:
    document = json.loads((exported / "export.json").read_text())
    assert {row["too_few_images"] for row in document["files"]} == {False}
    document["files"][-1]["remarks"] = ["too few pictures to judge: 9, and 66 would be enough"]
    console = Console(width=200, record=True, file=StringIO())
    console.print(export_table(document, exported))
    *_, others, last = (line for line in console.export_text().splitlines() if "accepted" in line)
    assert "accepted; too few pictures to judge: 9, and 66 would be enough" in last
    assert "accepted;" not in others


def test_labels_and_preprocessing_travel_in_the_file(exported: Path, lenet_run: Run) -> None:
    for path in exported.glob("*.tflite"):
        about = metadata.read(path.read_bytes())
        assert about is not None
        assert about.labels == lenet_run.classes
        assert about.preprocessing == json.loads(
            json.dumps(lenet_run.preprocessing.to_dict())  # tuples become lists
        )
        assert about.drawing is not None
        assert 0.9 < about.drawing["extent"] <= 1  # scans of digits fill their frame
        with zipfile.ZipFile(path) as archive:
            assert archive.read("labels.txt").decode().split() == list("0123456789")


@pytest.mark.parametrize("policy", ["mixed_float16", "float16"])
def test_a_run_that_was_trained_in_another_precision_is_exported(
    policy: str, lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(lenet_run.path, tmp_path / "run")
    keras.config.set_dtype_policy(policy)
    try:
        model = cnn_keras.build("lenet5")
    finally:
        keras.config.set_dtype_policy("float32")
    model.set_weights(lenet_run.model().get_weights())
    model.save(tmp_path / "run" / "model.keras")
    options = ("--out", tmp_path / "files", "--recipes", "float32", "--json")
    code, out, err = run_main(capsys, "export", tmp_path / "run", *options)
    (row,) = json.loads(out)["files"]
    assert (code, row["top1_file"] > 0.95) == (0, True)
    assert f"computes in {policy}: rebuilt in float32 with the same weights" in err


def test_a_network_that_knows_nothing_is_said_beside_its_files(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(lenet_run.path, tmp_path / "run")
    (tmp_path / "run" / "labels.txt").write_text("\n".join("1234567890"))
    out = tmp_path / "files"
    code, table, _ = run_main(
        capsys, "export", tmp_path / "run", "--out", out, "--recipes", "float32"
    )
    (remark,) = json.loads((out / "export.json").read_text())["remarks"]
    assert re.search(
        r"classifies \d of 180 images correctly, no better than a constant prediction: "
        r"'\d' is 1\d% of",
        remark,
    )
    assert (code, remark in " ".join(table.split())) == (0, True)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a repair's files be timed for a moment only."""
    monkeypatch.setattr(
        runner, "TimingOptions", partial(runner.TimingOptions, num_runs=8, min_secs=0.0)
    )
    monkeypatch.setattr(runner, "LoadOptions", partial(runner.LoadOptions, warmup_secs=0.0))


@pytest.mark.usefixtures("quick")
def test_verify_compares_layers_and_repairs(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file,) = exported.glob("*_static_wi8_ai8.tflite")
    options = ("--layers", "--figure", tmp_path / "layers.SVG", "--repair", tmp_path / "r.tflite")
    code, out, _ = run_main(capsys, "verify", file, *options, "--json")
    document = json.loads(out)
    assert code == 0
    added = [layer["added"] for layer in document["layers"]]
    assert added == sorted(added, reverse=True)
    assert {"c1", "c3", "c5", "f6", "logits"} <= {layer["row"] for layer in document["layers"]}
    assert "<svg" in (tmp_path / "layers.SVG").read_text()
    assert document["repaired"]["float_layers"] == []  # it was sound
    assert (tmp_path / "r.tflite").read_bytes() == file.read_bytes()
    assert document["repaired"]["latency_p50_ms"] > 0
    code, _, err = run_main(capsys, "verify", file, "--figure", tmp_path / "layers.pdf")
    assert (code, err.count("\n")) == (2, 1)


def test_what_a_user_keeps_float_stays_float(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("export", lenet_run.path, "--out", tmp_path, "--recipes", "static_wi8_ai8")
    code, out, _ = run_main(capsys, *command, "--keep-float", ".*/logits_.*", "--json")
    row = json.loads(out)["files"][0]
    assert code == 0
    assert any("logits" in island for island in row["audit"]["float_islands"])
    code, _, _ = run_main(capsys, "verify", tmp_path / row["file"])
    assert code == 0  # export.json says what was kept
    code, _, err = run_main(capsys, *command, "--keep-float", "(")
    assert (code, err.count("\n")) == (2, 1)


def test_a_network_is_trained_on_once(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(lenet_run.path, tmp_path / "run")
    command = ("export", tmp_path / "run", "--out", tmp_path / "files", "--tuning-epochs", "1")
    recipes = ("--json", "--recipes", "clustered_aware_wi8_ai8")
    code, out, _ = run_main(capsys, *command, *recipes, "clustered")
    integer, float32 = json.loads(out)["files"]
    assert code == 0
    assert float32["gzip_bytes"] < 0.3 * float32["size_bytes"]  # 16 values a layer
    assert integer["gzip_bytes"] < 0.8 * integer["size_bytes"]
    assert integer["audit"]["recipe"] == "static_wi8_ai8"
    assert (float32["agreement"], float32["max_abs_error"] < 1e-5) == (1, True)  # with its network
    code, out, _ = run_main(capsys, "verify", tmp_path / "files" / integer["file"], "--json")
    verified = json.loads(out)
    assert code == 0
    for key in ("agreement", "drop_points", "snr_db"):
        assert verified[key] == pytest.approx(integer[key])
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/tuned").iterdir()}
    assert set(kept) == {f"clustered{end}" for end in (".json", ".keras", *AWARE)}
    _, again, _ = run_main(capsys, *command, *recipes)
    assert json.loads(again)["files"][0]["sha256"] == integer["sha256"]
    assert kept == {
        path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/tuned").iterdir()
    }
    later = tmp_path / "run/tuned/clustered_aware.keras"
    shutil.copy(tmp_path / "run/model.keras", later)
    code, _, err = run_main(capsys, "verify", tmp_path / "files" / integer["file"])
    assert (code, "clustered_aware.keras was trained again since" in err) == (1, True)
    later.unlink()
    code, _, err = run_main(capsys, "verify", tmp_path / "files" / integer["file"])
    assert (code, "clustered_aware.keras is missing, which" in err) == (2, True)


def test_a_file_on_reference_kernels_says_how_slow_it_is(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipes = ("--recipes", "static_wi8_ai16", "--json")
    code, out, _ = run_main(capsys, "export", lenet_run.path, "--out", tmp_path, *recipes)
    row = json.loads(out)["files"][0]
    assert (code, row["audit"]["dtypes"]["int16"] > 0) == (0, True)
    assert row["remarks"][0] == "XNNPACK runs none of 15 operations"
    # Sixteen-bit activations take ten times as long on any CPU: no timing is asserted by this.
    interval = r"takes \S+ times as long as float32 on reference kernels here \(95 % interval"
    assert re.match(interval, row["remarks"][1])


def test_verify_and_audit_agree_with_export(
    exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {r["recipe"]: r for r in json.loads((exported / "export.json").read_text())["files"]}
    for name, row in rows.items():
        code, out, _ = run_main(capsys, "audit", exported / row["file"], "--json")
        document = json.loads(out)
        assert (code, document["recipe"], document["sha256"]) == (0, name, row["sha256"])
    row = rows["static_wi8_ai8"]
    code, out, _ = run_main(capsys, "verify", exported / row["file"], "--json")
    document = json.loads(out)
    assert code == 0
    for key in ("top1_file", "agreement", "max_abs_error", "snr_db"):
        assert document[key] == pytest.approx(row[key])
    assert run_main(capsys, "verify", exported / row["file"], "--split", "test")[0] == 0


def test_files_are_added_to_the_app(
    lenet_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("export.cli.ANDROID_DEMO", tmp_path)
    command = ("export", lenet_run.path, "--out", tmp_path / "out", "--android")
    code, _, err = run_main(capsys, *command)
    assert code == 2
    assert "No Android app in" in err
    assert not (tmp_path / "out").exists()
    (tmp_path / "app/src/main").mkdir(parents=True)
    assert run_main(capsys, *command)[0] == 0
    copies = sorted((tmp_path / "app/src/main/assets/models").iterdir())
    name = lenet_run.path.name
    assert [path.name for path in copies] == [
        f"{name}_float32.tflite",
        f"{name}_static_wi8_ai8.tflite",
    ]
    for path in copies:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


@pytest.fixture
def ruined(lenet_run: Run, tmp_path: Path) -> Run:
    """A run whose network still works in float, but whose third layer has no usable range.

    One bias of C3 is huge: behind the tanh its map is 1 everywhere, while an integer file spends
    its 256 steps on it and has none left for the other fifteen maps.
    """
    folder = tmp_path / "ruined"
    shutil.copytree(lenet_run.path, folder)
    model = lenet_run.model()
    kernel, bias = model.get_layer("c3").get_weights()
    bias[0] = 10_000
    model.get_layer("c3").set_weights([kernel, bias])
    model.save(folder / "model.keras")
    return Run(folder)


def test_a_bad_file_is_refused_and_removed(
    ruined: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("export.cli.ANDROID_DEMO", tmp_path)
    out, app = tmp_path / "files", tmp_path / "app/src/main/assets/models"
    stale = out / "ruined_static_wi8_ai8.tflite"
    others = app / "other_static_wi8_ai8.tflite"
    for path in (stale, app / stale.name, others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"of an earlier export")
    earlier = out / "export.json"
    earlier.write_text("{}")
    names = ("float32", "static_wi8_ai8")
    with copies_before_each_rename(out, tmp_path / "states") as states:
        options = ("--out", out, "--android", "--recipes", *names)
        code, said, err = run_main(capsys, "export", ruined.path, *options)
    assert f"no longer in the app, for it is refused: {app / stale.name}" in err
    assert sorted(path.name for path in app.iterdir()) == [others.name, "ruined_float32.tflite"]
    # A kill leaves no file beside what is said of another export's.
    new, before = "ruined_float32.tflite", earlier.name
    assert not [s for s in states if (s / new).exists() and (s / before).exists()]
    assert [s for s in states if (s / new).exists()]
    assert code == 1
    assert "refused" in said
    rows = {r["recipe"]: r for r in json.loads((out / "export.json").read_text())["files"]}
    assert rows["float32"]["accepted"]
    assert (out / "ruined_float32.tflite").exists()
    refused = rows["static_wi8_ai8"]
    assert not refused["accepted"]
    assert refused["file"] is None
    assert refused["reasons"] == ["gives the same probabilities for every image"]
    assert not stale.exists()
    assert sorted(path.name for path in out.iterdir()) == ["export.json", "ruined_float32.tflite"]


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """Export a network whose integer file LiteRT cannot load, and whose layers have no twin."""
    folder = tmp_path_factory.mktemp("recurrent")
    image = keras.Input((8, 8, 1))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.LSTM(4)(keras.layers.Reshape((8, 8))(x))
    keras.Model(image, keras.layers.Dense(10, activation="softmax")(x)).save(folder / "rnn.keras")
    (folder / "files").mkdir()
    (folder / "files" / "rnn_static_wi8_ai8.tflite").write_bytes(b"of an earlier export")
    printed = io.StringIO()
    command = ("export", folder / "rnn.keras", "--data", "digits", "--out", folder / "files")
    recipes = ("float32", "static_wi8_ai8", "aware_wi8_ai8", "float16")
    with contextlib.redirect_stdout(printed):
        code = main([*map(str, command), "--recipes", *recipes])
    return folder, code, printed.getvalue()


def test_a_recipe_that_fails_leaves_the_others(failing: tuple[Path, int, str]) -> None:
    folder, code, said = failing
    document = json.loads((folder / "files" / "export.json").read_text())
    float32, static, aware, float16 = document["files"]
    assert code == 1
    assert {"rnn_float32.tflite", "rnn_float16.tflite"} == {
        path.name for path in (folder / "files").glob("*.tflite")
    }
    assert float32["accepted"]
    assert float16["accepted"]
    for row, why in ((static, "cannot be loaded"), (aware, "twin in tf_keras")):
        assert set(row) == set(float32)
        assert (row["accepted"], row["file"], row["sha256"], row["audit"]) == (False, *3 * [None])
        assert row["top1_float"] == float32["top1_float"]
        [reason] = row["reasons"]
        assert reason.startswith("cannot be made: ")
        assert why in reason
        assert " ".join(reason.split()[:3]) in " ".join(said.split())


def test_readers_of_exports_take_rows_of_what_could_not_be_made(
    failing: tuple[Path, int, str], lenet_run: Run
) -> None:
    document = json.loads((failing[0] / "files" / "export.json").read_text())
    rows = [{"network": "lenet5", **row} for row in document["files"]]
    claims = {claim.claim: claim for claim in study._claims(rows, "digits")}
    assert claims["all 4 files are accepted"].value == 2
    assert claims["no file needs a Flex operation"].holds
    assert study._figure(rows)
    entry = report.Entry(lenet_run, document, [])
    machine = host()._asdict()
    for text in (report.html([entry], machine, "c"), report.markdown([entry], machine, "c")):
        assert "cannot be made" in text
        assert "None" not in text


def test_the_only_recipe_that_a_network_is_not_for_is_wrong_usage(
    failing: tuple[Path, int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = failing[0] / "files"
    command = ("export", files / "rnn", "--out", files, "--recipes", "aware_wi8_ai8")
    code, out, err = run_main(capsys, *command)
    assert (code, out) == (2, "")
    assert "twin in tf_keras" in err


def test_verify_refuses_a_file_of_another_network(
    exported: Path, ruined: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ruined.model()
    model.set_weights([np.roll(w, 1, axis=-1) for w in model.get_weights()])
    model.save(ruined.path / "model.keras")
    file = exported / f"{exported_name(exported)}_float32.tflite"
    code, out, _ = run_main(capsys, "verify", file, "--run", ruined.path, "--json")
    assert code == 1
    assert json.loads(out)["reasons"]
    assert file.exists()  # it is the user's; only export removes


def exported_name(exported: Path) -> str:
    name: str = json.loads((exported / "export.json").read_text())["run"]
    return Path(name).name


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
    assert (code, err.count("\n")) == (2, 1)  # it has to be told what to judge it on
    arguments = ("--out", tmp_path / "b", "--recipes", "float16", "--run", lenet_run.path)
    assert run_main(capsys, "export", elsewhere, *arguments)[0] == 0
    assert (tmp_path / "b" / f"{lenet_run.path.name}_mine_float16.tflite").exists()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("of", ["lone file", "run"])
def test_logits_are_held_against_a_file_with_the_same_head(
    of: str, lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained = lenet_run.model()
    logits = keras.Model(trained.inputs[0], trained.get_layer("logits").output, name="lenet5")
    source: list[str | Path] = [tmp_path / "mine.keras", "--run", lenet_run.path]
    if of == "run":
        source = [tmp_path / "run"]
        shutil.copytree(lenet_run.path, tmp_path / "run")
    else:  # another network than its run's, which is what judges its files later, too
        logits.set_weights([0.8 * weight for weight in logits.get_weights()])
    logits.save(tmp_path / ("run/model.keras" if of == "run" else "mine.keras"))
    recipes = ("--recipes", "float32", "static_wi8_ai8", "--json")
    code, out, _ = run_main(capsys, "export", *source, "--out", tmp_path / "files", *recipes)
    exact, integer = json.loads(out)["files"]
    assert (code, exact["agreement"], exact["audit"]["ops"]["SOFTMAX"]) == (0, 1, 1)
    assert exact["max_abs_error"] < 1e-5
    assert integer["snr_db"] > 20
    if of == "run":
        code, out, _ = run_main(capsys, "evaluate", tmp_path / "run", "--json")
        assert (code, json.loads(out)["loss"] < 0.3) == (0, True)  # of probabilities
        return
    file, repaired = tmp_path / "files" / integer["file"], tmp_path / "repaired.tflite"
    code, out, _ = run_main(capsys, "verify", file, "--repair", repaired, "--json")
    document = json.loads(out)
    assert code == 0
    assert max(layer["lost"] for layer in document["layers"]) < 0.05
    for found in (document, document["repaired"]):
        assert found["snr_db"] == pytest.approx(integer["snr_db"])


def test_a_full_disk_leaves_nothing_half_written(lenet_run: Run, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk: writing the first one fails midway."""
    program = (
        "import resource, sys; from export.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = ["export", str(lenet_run.path), "--out", str(tmp_path), "--recipes", "float32"]
    done = subprocess.run(
        [sys.executable, "-c", program, *command], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].endswith("_float32.tflite: File too large.")
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


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
def test_bad_input_is_said_in_one_line(
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


@pytest.mark.parametrize("name", ["file", "file/new"])
def test_a_folder_that_takes_no_files_is_named_as_it_was_given(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file") as caught:
        _require_writable(tmp_path / name)
    assert one_line(caught.value).startswith(f"{tmp_path / name}: ")
