import shutil
from pathlib import Path
from typing import Any

from cnn_keras.training.run_folder import Run
from export.report import facts
from export.report.facts import Entry

HOST: dict[str, Any] = {
    "cpu": "A processor",
    "architecture": "x86_64",
    "cores": 1,
    "instructions": ["AVX2"],
    "governor": None,
    "load_average": 0.5,
    "memory_mb": 2048,
    "os": "Linux",
    "kernel": "6.1",
}


def entry(*recipes: str, benchmarks: list[dict[str, Any]] | None = None, **export: Any) -> Entry:
    files = [{"recipe": name, "sha256": name, "file": f"{name}.tflite"} for name in recipes]
    document = {"files": files, "num_images": 200, "split": "validation", **export}
    return Entry(Run(Path("run")), document, benchmarks or [])


def row(sha256: str, num_threads: int, inputs: str = "validation") -> dict[str, Any]:
    host = {"load_average": float(num_threads)}
    return {"sha256": sha256, "num_threads": num_threads, "inputs": inputs, "host": host}


def test_the_latest_row_of_a_file_counts_and_rows_of_other_files_do_not() -> None:
    first, latest, other = row("float32", 1), row("float32", 1), row("another file", 4)
    found = entry("float32", "float16", benchmarks=[first, latest, other])
    assert found.threads == [1]
    float32, float16 = found.export["files"]
    assert found.measured(float32, 1) is latest
    assert found.measured(float32, 2) is None
    assert found.measured(float16, 1) is None
    assert [file for file, _ in found.rows] == [float32]


def test_limits_are_those_of_the_recipe() -> None:
    texts = dict(facts.recipe_limits([entry("float16", "aware_wi8_ai8"), entry("float16")]))
    assert list(texts) == ["float16", "aware_wi8_ai8"]
    assert "drop at most 0.1 points, agreement at least 99 %, error" in texts["float16"]
    assert "agreement at least 95 % with the network after" in texts["aware_wi8_ai8"]
    assert "error of a probability" not in texts["aware_wi8_ai8"]


def test_conditions_name_the_images_of_each_number() -> None:
    text = facts.conditions(entry("float32")).replace("\N{NO-BREAK SPACE}", " ")
    assert text == "Accuracy is measured on 200 validation images; one image is 0.5 points."
    rows = [row("float32", 1), row("float32", 2, "random")]
    calibrated = entry("float32", benchmarks=rows, calibration={"num_images": 100})
    text = facts.conditions(calibrated)
    assert "Static recipes are calibrated on 100 training images." in text
    assert "Latency is measured on random and validation images." in text


def test_machine_facts_give_the_span_of_the_load() -> None:
    measured = entry("float32", benchmarks=[row("float32", 1), row("float32", 2)])
    found = dict(facts.machine_facts([measured], HOST))
    assert found["processor"] == "A processor, x86_64, 1 core"
    assert found["load average"] == "1 to 2 before each measurement"
    assert found["frequency governor"] == "not available"
    assert dict(facts.machine_facts([], HOST))["load average"] == "0.5 before each measurement"


def test_a_file_that_was_not_written_has_its_network_as_name() -> None:
    found = entry("float32", "float16")
    found.export["files"][1]["sha256"] = None
    assert facts.file_hashes([found]) == [("float32.tflite", "float32")]


def test_files_of_a_network_from_the_package_are_in_its_folder() -> None:
    shipped = entry("float32")._replace(package_name="lenet5:digits")
    assert shipped.name == "lenet5:digits"
    assert facts.file_hashes([shipped]) == [("package/float32.tflite", "float32")]


def test_a_smooth_schedule_is_named_and_steps_are_listed(lenet_run: Run, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(lenet_run.path, out, ignore=shutil.ignore_patterns("*.keras"))
    found = entry("float32")._replace(run=Run(out))
    assert dict(facts.network_facts(found))["learning rate"] == "0.05 → 0.01 → 0.002"
    recipe = found.run.config["recipe"] | {"schedule": "one_cycle"}
    found.run.write_json("config.json", found.run.config | {"recipe": recipe})
    smooth = found._replace(run=Run(out))
    assert dict(facts.network_facts(smooth))["learning rate"] == "one cycle, up to 0.05"
