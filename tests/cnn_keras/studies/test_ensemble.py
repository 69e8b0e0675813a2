from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_keras.cli import main
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.layer_weights import read_weights
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from export.cli import COMMANDS
from export.studies.cli import EnsembleStudy
from export.tflite import metadata
from export.tflite.interpreter import Interpreter
from export.verification.audit import audit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, lenet_run: Run) -> Path:
    """Three trained LeNets that differ, as if by their seeds and 640 images."""
    folder: Path = tmp_path_factory.mktemp("ensemble")
    model = lenet_run.model()
    trained = model.get_weights()
    for seed in range(3):
        run = Run(Path(shutil.copytree(lenet_run.path, folder / "runs" / f"lenet5_digits_{seed}")))
        run.write_json("config.json", lenet_run.config | {"seed": seed, "train_images": 640})
        rng = np.random.default_rng(seed)
        model.set_weights([weight + rng.normal(0, 0.15, weight.shape) for weight in trained])
        model.save(run.path / "model.keras")
    return folder


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    """Of the LeNets, against the same ones by themselves; as files, too."""
    study = EnsembleStudy(
        data="digits",
        epochs=6,
        batch_size=None,
        learning_rate=None,
        train_images=640,
        image_size=0,
        network="lenet5",
        seeds=(0, 1, 2),
        against="lenet5",
        runs=folder / "runs",
        out=folder,
        export=folder / "files",
        recipes=("float32", "static_wi8_ai8"),
    )
    assert study().exit_code == 0
    return json.loads((folder / "ensemble_lenet5_digits.json").read_text())


@pytest.fixture(scope="module")
def saved(record: dict[str, Any]) -> Run:
    return Run.open(Path(record["run"]))


def test_claims_follow_from_the_members_predictions(record: dict[str, Any], saved: Run) -> None:
    split = saved.dataset().test
    runs = [Run(saved.path / member) for member in saved.config["members"]]
    answers = np.stack([run.predict(split.images) for run in runs])

    def error(*members: int) -> float:
        return float((answers[list(members)].mean(axis=0).argmax(axis=1) != split.labels).mean())

    one = [error(i) for i in range(3)]
    two = [error(0, 1), error(0, 2), error(1, 2)]
    drops = [np.mean(one) - np.mean(two), np.mean(two) - error(0, 1, 2)]
    expected = [
        *drops,
        min(drops),
        drops[0] - drops[1],
        min(one) - error(0, 1, 2),
        max(two) - error(0, 1, 2),
        0,  # one alone against itself
    ]
    claims = record["claims"]
    assert [claim["value"] for claim in claims] == pytest.approx(expected, abs=1e-12)
    for claim in claims[:2]:
        low, high = claim["interval"]
        assert low < claim["value"] < high
        assert claim["holds"] == (low > 0)
    assert not claims[-1]["holds"]
    assert "1.00 times its multiply-adds" in claims[-1]["claim"]
    assert record["errors_without_one"] == pytest.approx(two[::-1])
    assert [size["ensembles"] for size in record["sizes"]] == [3, 3, 1]
    assert [size["macs"] for size in record["sizes"]] == [416_520, 833_040, 1_249_560]


def test_members_may_have_seen_other_images(record: dict[str, Any]) -> None:
    assert 640 < record["budget"]["train_images_of_all"] <= 1257
    assert record["budget"]["recipe"]["learning_rate"] == 0.05


def test_the_ensemble_is_a_run(
    record: dict[str, Any], saved: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv=["evaluate", str(saved.path), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] == saved.metrics["test"]["accuracy"]
    assert found["accuracy"] == pytest.approx(1 - record["sizes"][-1]["error"])
    assert found["confusion_matrix"] == saved.metrics["confusion_matrix"]


def test_a_training_neither_starts_from_an_ensemble_nor_overwrites_it(
    saved: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = saved.path / "model.keras"
    for weights in (saved.path, model):
        with pytest.raises(UsageError, match="is an ensemble; a training starts from one of its"):
            Training.of("lenet5", "digits", recipe={}, weights=weights)
    with pytest.raises(Error, match="has several layers 'c1'"):
        read_weights(model)
    assert main(argv=["train", "lenet5", "--data", "digits", "--out", str(saved.path)]) == 2
    assert "has an ensemble" in capsys.readouterr().err


def test_the_ensemble_is_one_file(record: dict[str, Any], saved: Run, folder: Path) -> None:
    images = saved.dataset().test.images[:50]
    members = [Run(saved.path / member) for member in saved.config["members"]]
    expected = np.mean([member.predict(images) for member in members], axis=0)
    # float32: sums in another order; int8: as in `export.recipes`
    for recipe, tolerance in (("float32", 1e-5), ("static_wi8_ai8", 0.06)):
        path = folder / "files" / f"lenet5_ensemble_digits_{recipe}.tflite"
        found = audit(path)
        assert (found.partitions, found.delegated_nodes, found.flex_ops) == (1, found.nodes, ())
        assert main(COMMANDS, ["verify", str(path), "--split", "test"]) == 0  # it finds the run
        answers = Interpreter(path.read_bytes())(saved.preprocessing(images))
        np.testing.assert_allclose(answers, expected, atol=tolerance)
        assert "ensemble of 3 lenet5 trained on digits" in str(metadata.read(path.read_bytes()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seeds": (3,)}, "two --seeds or more, not 3 alone"),
        ({"seeds": (1, 1)}, "different numbers of at least 0"),
        ({"network": "lenet"}, "Did you mean 'lenet5'?"),
        ({"rivals": 0}, "rivals"),
        ({"against": "resnet57"}, "Did you mean 'resnet50'?"),
        ({"save": Path(__file__).parent}, "is not an ensemble"),
        ({"recipes": ("float32",)}, "Name a folder for the files with --export"),
        ({"export": Path("files"), "recipes": ("flot32",)}, "Did you mean 'float32'?"),
    ],
)
def test_wrong_options_are_refused_before_any_training(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    study = EnsembleStudy(**{"runs": tmp_path, "out": tmp_path, **options})
    with pytest.raises(UsageError) as caught:
        study()
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == []
