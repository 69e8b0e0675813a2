"""Every figure on a card, derived again from the network, the images and the files."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import binomtest

from cnn_keras.training.run_folder import Run
from export.tflite.classifier import classify
from tests.fixtures.command_line import read_json_lines, run_main

_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?")


def rows_of(text: str, heading: str) -> list[list[str]]:
    """Return the cells of the table whose first heading is given, without its headings."""
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith(f"| {heading} |")) + 2
    end = next(i for i, line in enumerate(lines[start:], start) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines[start:end]]


def percent(fraction: float) -> str:
    return f"{100 * fraction:.2f}"


def interval(correct: int, count: int) -> str:
    low, high = binomtest(correct, count).proportion_ci(method="wilson")
    return f"{percent(low)} to {percent(high)}"


def three_digits(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")


def test_every_figure_is_derived_from_the_files(carded: Path) -> None:
    text = (carded / "README.md").read_text(encoding="utf-8")
    _, header, body = text.split("---\n", 2)
    run = Run(carded)
    dataset = run.dataset()
    explained: list[str] = []

    # The network itself, on the images of both splits.
    expected = []
    for name, split in (("validation", dataset.validation), ("test", dataset.test)):
        probabilities, count = run.predict(split), len(split.labels)
        right = probabilities.argmax(axis=1) == split.labels
        recall = [right[split.labels == label].mean() for label in np.unique(split.labels)]
        loss = -np.log(probabilities[np.arange(count), split.labels]).mean()
        accuracy, bounds = percent(right.mean()), interval(int(right.sum()), count)
        expected.append(
            [name, str(count), accuracy, bounds, percent(float(np.mean(recall))), f"{loss:.4f}"]
        )
    assert rows_of(body, "split | images | accuracy, %") == expected
    counts = [["train", f"{len(dataset.train.labels):,}"], *(row[:2] for row in expected)]
    assert rows_of(body, "split | images") == counts
    explained += [accuracy, str(count), *bounds.split(" to "), "95"]
    (model,) = yaml.safe_load(header)["model-index"]
    assert model["results"][0]["metrics"][0]["value"] == right.mean()

    # Its classes and its confusions.
    predicted = probabilities.argmax(axis=1)
    classes = []
    for label, name in enumerate(run.classes):
        hits = predicted[split.labels == label] == label
        bounds = interval(int(hits.sum()), len(hits))
        classes.append([name, str(len(hits)), percent(hits.mean()), bounds])
    assert rows_of(body, "class | test images") == classes
    weakest = min(classes, key=lambda row: float(row[2]))
    assert f"least accurate class is {weakest[0]}: {weakest[2]} % of {weakest[1]} images" in body
    explained += [weakest[0], weakest[2], weakest[1]]
    pairs = list(zip(split.labels.tolist(), predicted.tolist(), strict=True))
    matrix = [
        [name, *(str(pairs.count((true, other))) for other in range(10))]
        for true, name in enumerate(run.classes)
    ]
    assert rows_of(body, f" | {' | '.join(run.classes)}") == matrix
    confusions = [
        [run.classes[true], run.classes[other], str(pairs.count((true, other)))]
        for true, other in sorted(set(pairs), key=lambda pair: (-pairs.count(pair), pair))
        if true != other
    ]
    shown = rows_of(body, "class | taken for")
    assert [row[:3] for row in shown] == confusions[:10]
    for true, _, number, share in shown:
        assert share == f"{100 * int(number) / int(classes[int(true)][1]):.1f}"

    # The files: run again in LiteRT on the validation images.
    split = dataset.validation
    reference = run.predict(split).argmax(axis=1)
    measurements = read_json_lines(carded / "files" / "benchmarks.jsonl")
    keras, *files = rows_of(body, "file | recipe")
    size = (carded / "model.keras").stat().st_size
    accuracy = (reference == split.labels).mean()
    assert keras == ["model.keras", "—", f"{size / 1000:,.1f}", percent(accuracy), *["—"] * 4]
    assert {row[0] for row in files} == {path.name for path in carded.glob("files/*.tflite")}
    for name, recipe, size, top1, drop, agreement, *latencies in files:
        path = carded / "files" / name
        assert path.stem == f"lenet5_digits_{recipe}"
        assert size == f"{path.stat().st_size / 1000:,.1f}"
        found = classify(path, run.preprocessing(split.read())).argmax(axis=1)
        assert top1 == percent((found == split.labels).mean())
        points = 100 * (accuracy - (found == split.labels).mean())
        assert float(drop.replace("−", "-")) == pytest.approx(points, abs=0.005)
        assert agreement == percent((found == reference).mean())
        medians = [r["latency_p50_ms"] for r in measurements if Path(r["file"]).name == name]
        assert latencies == ([three_digits(each) for each in medians] or ["—"] * 2)
        assert bool(medians) == (recipe in ("float32", "static_wi8_ai8"))
    explained.append(str(len(split.labels)))

    # What the sentences say.
    with (carded / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    metrics = json.loads((carded / "metrics.json").read_bytes())
    versions = [part for each in metrics["versions"].values() for part in numbers(each)]
    explained += [str(len(history)), f"{sum(float(row['seconds']) for row in history):,.0f}"]
    explained += [
        *versions,
        *numbers(metrics["hardware"]["cpu"]),
        str(metrics["hardware"]["cores"]),
    ]
    recipe = tomllib.loads((carded / "recipe.toml").read_text())
    listed = re.search(r"- Recipe: (.*)\n", body)
    assert listed is not None
    for each in listed[1].split(", "):
        name, *values = re.split(r" (?=[\d.Tfna])", each)
        key = name.replace(" ", "_")
        value = recipe[key] if isinstance(recipe[key], list) else [recipe[key]]
        assert values == [f"{v:.4g}" if isinstance(v, float) else str(v) for v in value]
        explained += values
    explained += [f"{run.model().count_params():,}", str(len(run.classes)), *run.classes, "255"]
    explained += [part for side in run.preprocessing.shape[:2] for part in [str(side)]]
    explained += [f"{v:.6g}" for v in (*run.preprocessing.mean, *run.preprocessing.std)]
    host = measurements[-1]["host"]
    explained += [*numbers(host["cpu"]), *numbers(host["architecture"]), str(host["cores"])]
    prose = re.sub(r"^\|.*\n|^```.*?^```$", "", body, flags=re.DOTALL | re.MULTILINE)
    prose = re.sub(r"<!--.*?-->|\(https:[^)]*\)|CC BY 4\.0|\(LeCun.*?\)|^# .*", "", prose)
    assert sorted(set(numbers(prose)) - set(explained)) == []


def numbers(text: str) -> list[str]:
    return _NUMBER.findall(text)


def test_the_card_has_the_recipe_and_the_license(carded: Path) -> None:
    text = (carded / "README.md").read_text(encoding="utf-8")
    assert f"```toml\n{(carded / 'recipe.toml').read_text()}```" in text
    command = "cnn-keras train lenet5 --data digits --recipe recipe.toml --seed 0"
    assert f"{command} --out lenet5_digits\n" in text
    assert "License of the images: CC BY 4.0." in text
    assert "[Optical Recognition of Handwritten Digits](https://archive.ics.uci.edu" in text


def test_the_header_is_that_of_the_hub(carded: Path) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard.load(carded / "README.md").data
    assert data.library_name == "keras"
    assert data.pipeline_tag == "image-classification"
    assert {"cnn-keras", "lenet5", "tflite"} <= set(data.tags)
    (result,) = data.eval_results
    assert (result.task_type, result.metric_type) == ("image-classification", "accuracy")
    assert (result.dataset_name, result.dataset_split) == (
        "Optical Recognition of Handwritten Digits",
        "test",
    )


def test_hostile_names_do_not_break_the_card(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["a|b", "<script>", "`c`", "*d*", "[e](f)", *"56789"]
    (folder / "labels.txt").write_text("\n".join(names) + "\n")
    config = json.loads((folder / "config.json").read_bytes())
    data = 'folder:/home/ada/it\'s "mine": yes'
    (folder / "config.json").write_text(json.dumps(config | {"data": data}))
    assert run_main(capsys, "card", folder, "--overwrite")[0] == 0
    text = (folder / "README.md").read_text()
    assert "/home/ada" not in text
    assert "<script>" not in text
    (model,) = yaml.safe_load(text.split("---\n")[1])["model-index"]
    assert model["results"][0]["dataset"]["name"] == 'it\'s "mine": yes'
    row = next(line for line in text.splitlines() if line.startswith("| a\\|b |"))
    assert len(re.findall(r"(?<!\\)\|", row)) == 5
