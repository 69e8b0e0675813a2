from pathlib import Path
from typing import Any

from cnn_keras.training.run_folder import Run
from export.report import overview
from export.report.facts import Entry


def file(recipe: str, size_bytes: int, accepted: bool = True) -> dict[str, Any]:
    return {
        "recipe": recipe,
        "sha256": recipe,
        "size_bytes": size_bytes,
        "accepted": accepted,
    }


def row(sha256: str, num_threads: int, latency: float) -> dict[str, Any]:
    return {"sha256": sha256, "num_threads": num_threads, "latency_p50_ms": latency}


def entry(folder: Path, *files: dict[str, Any], benchmarks: list[dict[str, Any]]) -> Entry:
    run = Run(folder)
    test = {"accuracy": 0.9, "num_images": 100}
    run.write_json("config.json", {"network": "lenet5", "data": "digits"})
    run.write_json("metrics.json", {"num_train_images": 1257, "test": test})
    (folder / "history.csv").write_text("epoch,loss\n1,0.5\n2,0.4\n")
    return Entry(run, {"files": list(files)}, benchmarks)


def cells(entry: Entry) -> list[str]:
    return [text.replace("\N{NO-BREAK SPACE}", " ") for text in overview.cells(entry)]


def test_a_row_has_the_interval_the_smallest_and_the_fastest_accepted_file(tmp_path: Path) -> None:
    files = file("float32", 2000), file("float16", 1234), file("static_wi8_ai8", 500, False)
    latencies = [row("float32", 1, 0.5), row("float32", 2, 0.25), row("float16", 1, 0.3)]
    own = entry(tmp_path, *files, benchmarks=latencies)
    shipped = own._replace(package_name="lenet5:digits")
    # Wilson 1927, as R's prop.test(90, 100, correct = FALSE) gives it: 0.8256 to 0.9448.
    figures = ["2 epochs of 1,257 images", "90.00 % (82.6–94.5)"]
    figures += ["float16, 1.2 kB", "float32, 0.250 ms with 2 threads"]
    assert cells(own) == ["lenet5 on digits", "trained now", *figures]
    assert cells(shipped) == ["lenet5:digits", "from the package", *figures]
    assert len(overview.HEADINGS) == len(cells(own))


def test_a_row_has_dashes_without_accepted_or_measured_files(tmp_path: Path) -> None:
    refused = entry(tmp_path, file("float32", 2000, False), benchmarks=[])
    assert cells(refused)[-2:] == ["—", "—"]
    bare = entry(tmp_path, file("float32", 2000), benchmarks=[])
    assert cells(bare)[-2:] == ["float32, 2.0 kB", "—"]


def test_networks_from_the_package_are_explained_if_there_are_any(tmp_path: Path) -> None:
    own = entry(tmp_path, benchmarks=[])
    shipped = own._replace(package_name="lenet5:digits")
    assert "package" not in overview.explanation([own])
    assert "A network from the package was trained before" in overview.explanation([own, shipped])
