from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest

import cnn_keras
from cnn_keras.command import one_line
from cnn_keras.machine import host
from cnn_keras.training.run_folder import Run
from export.cli import main
from export.pipeline import require_writable
from export.recipes import DEFAULT
from export.report.facts import Entry
from export.report.render import render_html, render_markdown
from export.studies import recipes as study
from export.tflite import metadata
from export.verification.exported_file import find_provenance
from tests.fixtures.command_line import run_main
from tests.fixtures.interruptions import copies_before_each_rename


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


def write_run_in(policy: str, run: Run, out: Path) -> None:
    """Copy a run, with a network of another dtype policy."""
    shutil.copytree(run.path, out)
    model = cnn_keras.build("lenet5", dtype=policy)
    model.set_weights(run.model().get_weights())
    model.save(out / "model.keras")


def test_files_hold_labels_and_preprocessing(exported: Path, lenet_run: Run) -> None:
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


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_run_in_mixed_precision_is_exported_to_the_files_of_its_float32_rebuild(
    policy: str,
    exported: Path,
    lenet_run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_run_in(policy, lenet_run, tmp_path / lenet_run.path.name)
    code, _, err = run_main(
        capsys, "export", tmp_path / lenet_run.path.name, "--out", tmp_path / "files"
    )
    assert code == 0
    assert f"computes in {policy}: rebuilt in float32 with the same weights" in err
    files = {path.name: path.read_bytes() for path in exported.glob("*.tflite")}
    assert len(files) == len(DEFAULT)
    assert {path.name: path.read_bytes() for path in tmp_path.glob("files/*.tflite")} == files


def test_a_run_in_half_precision_is_exported(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = "float16"
    write_run_in(policy, lenet_run, tmp_path / "run")
    options = ("--out", tmp_path / "files", "--recipes", "float32", "--json")
    code, out, err = run_main(capsys, "export", tmp_path / "run", *options)
    (row,) = json.loads(out)["files"]
    assert (code, row["top1_file"] > 0.95) == (0, True)
    assert f"computes in {policy}: rebuilt in float32 with the same weights" in err


def test_a_network_no_better_than_chance_is_remarked(
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


def test_layers_of_keep_float_stay_in_floating_point(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("export", lenet_run.path, "--out", tmp_path, "--recipes", "static_wi8_ai8")
    code, out, _ = run_main(capsys, *command, "--keep-float", ".*/logits_.*", "--json")
    row = json.loads(out)["files"][0]
    assert code == 0
    assert any("logits" in island for island in row["audit"]["float_islands"])
    code, _, _ = run_main(capsys, "verify", tmp_path / row["file"])
    assert code == 0  # export.json states the layers
    code, _, err = run_main(capsys, *command, "--keep-float", "(")
    assert (code, err.count("\n")) == (2, 1)


def test_layers_of_int4_have_4_bit_weights(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("export", lenet_run.path, "--out", tmp_path, "--int4", "/(c5|f6)_")
    code, _, err = run_main(capsys, *command)  # all default recipes
    assert (code, err.count("\n")) == (2, 1)
    code, out, _ = run_main(capsys, *command, "--recipes", "static_wi8_ai8", "--json")
    row = json.loads(out)["files"][0]
    assert (code, row["int4_layers"], row["audit"]["dtypes"]["int4"]) == (0, "/(c5|f6)_", 2)
    code, out, _ = run_main(capsys, "verify", tmp_path / row["file"], "--json")
    assert code == 0  # by the limits of 4-bit recipes
    assert find_provenance(tmp_path / row["file"]).recipe.limits.max_drop_points == 2.0


def test_a_bad_file_is_refused_and_removed(
    ruined: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("export.app_models.APP", tmp_path)
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
        code, table, err = run_main(capsys, "export", ruined.path, *options)
    assert f"removed from the app, because it is refused: {app / stale.name}" in err
    assert sorted(path.name for path in app.iterdir()) == [others.name, "ruined_float32.tflite"]
    # A kill leaves no file beside another export's manifest.
    new, before = "ruined_float32.tflite", earlier.name
    assert not [s for s in states if (s / new).exists() and (s / before).exists()]
    assert [s for s in states if (s / new).exists()]
    assert code == 1
    assert "refused" in table
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
    """Export a network whose integer file LiteRT cannot load, and whose layers tf_keras lacks."""
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


def test_a_recipe_that_fails_does_not_stop_the_others(failing: tuple[Path, int, str]) -> None:
    folder, code, table = failing
    document = json.loads((folder / "files" / "export.json").read_text())
    float32, static, aware, float16 = document["files"]
    assert code == 1
    assert {"rnn_float32.tflite", "rnn_float16.tflite"} == {
        path.name for path in (folder / "files").glob("*.tflite")
    }
    assert float32["accepted"]
    assert float16["accepted"]
    for row, cause in ((static, "cannot be loaded"), (aware, "counterpart in tf_keras")):
        assert set(row) == set(float32)
        assert (row["accepted"], row["file"], row["sha256"], row["audit"]) == (False, *3 * [None])
        assert row["top1_float"] == float32["top1_float"]
        [reason] = row["reasons"]
        assert reason.startswith("cannot be made: ")
        assert cause in reason
        assert " ".join(reason.split()[:3]) in " ".join(table.split())


def test_the_study_and_the_report_accept_rows_of_failures(
    failing: tuple[Path, int, str], lenet_run: Run
) -> None:
    document = json.loads((failing[0] / "files" / "export.json").read_text())
    rows = [{"network": "lenet5", **row} for row in document["files"]]
    claims = {claim.claim: claim for claim in study._claims(rows, "digits")}
    assert claims["all 4 files are accepted"].value == 2
    assert claims["no file needs a Flex operation"].holds
    assert study._figure(rows)
    entry = Entry(lenet_run, document, [])
    machine = host()._asdict()
    for text in (render_html([entry], machine, "c"), render_markdown([entry], machine, "c")):
        assert "cannot be made" in text
        assert "None" not in text


def test_a_single_recipe_that_does_not_suit_the_network_is_wrong_usage(
    failing: tuple[Path, int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    files = failing[0] / "files"
    command = ("export", files / "rnn", "--out", files, "--recipes", "aware_wi8_ai8")
    code, out, err = run_main(capsys, *command)
    assert (code, out) == (2, "")
    assert "counterpart in tf_keras" in err


def test_a_full_disk_leaves_nothing_half_written(lenet_run: Run, tmp_path: Path) -> None:
    """A limit on the size of files replaces the full disk: writing the first one fails midway."""
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


@pytest.mark.parametrize("name", ["file", "file/new"])
def test_a_folder_that_cannot_be_written_is_named_as_given(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file") as caught:
        require_writable(tmp_path / name)
    assert one_line(caught.value).startswith(f"{tmp_path / name}: ")
