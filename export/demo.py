"""The demo: train, export, verify and benchmark two networks, and report."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnn_keras.command import log, write_together
from cnn_keras.data.sources import MissingDataError
from cnn_keras.experiments.record import command_line
from cnn_keras.machine import host
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train

from .benchmark.measurements import MeasurementOptions, measure_files
from .pipeline import export
from .recipes import DEFAULT
from .report.facts import Entry
from .report.render import render_html, render_markdown
from .source_model import SourceModel

# About two minutes of training on two cores. ResNet-20 is trained for a few epochs on a part of
# Fashion-MNIST; the paper's recipe on all of it is some points better (docs/results/).
LENET = Training.of("lenet5", "digits", recipe={})
RESNET = Training.of(
    "resnet20",
    "fashion_mnist",
    recipe={"epochs": 4, "batch_size": 64, "learning_rate": 0.05},
    train_images=9_000,
)

BENCHMARK = MeasurementOptions()


def demo(out: Path, data_dir: Path | None, threads: Sequence[int]) -> dict[str, Any]:
    """Take both networks through the chain and write `report.html` and `report.md`.

    Args:
        out: Folder for runs, files and report; a demo that was interrupted resumes there.
        data_dir: Folder in which data sets are looked for first.
        threads: Numbers of threads to benchmark with.

    Returns:
        Paths of the reports, all exports and all benchmark rows.
    """
    start = time.perf_counter()
    runs = [
        train_or_fall_back(LENET, out, data_dir),
        train_or_fall_back(RESNET, out, data_dir, fallback="digits"),
    ]
    entries = [_entry(run, out, data_dir, tuple(threads)) for run in runs]
    machine, command = host()._asdict(), command_line()
    write_together(
        {
            out / "report.md": render_markdown(entries, machine, command),
            out / "report.html": render_html(entries, machine, command),
        }
    )
    return {
        "report": str(out / "report.html"),
        "markdown": str(out / "report.md"),
        "seconds": round(time.perf_counter() - start, 1),
        "exports": [entry.export for entry in entries],
        "benchmarks": [row for entry in entries for row in entry.benchmarks],
    }


def train_or_fall_back(
    training: Training, out: Path, data_dir: Path | None, fallback: str | None = None
) -> Run:
    """Train a network in the demo's folder, on another data set if its own is not available.

    Args:
        training: The training.
        out: Folder of the demo.
        data_dir: Folder in which data sets are looked for first.
        fallback: The other data set; None raises the error.

    Raises:
        Error: The training fails for another reason than a missing data set.
    """
    log(f"Train {training.network} on {training.data}")
    name = f"{training.network}_{training.data}"
    try:
        return train(training, out / "runs" / name, data_dir)
    except MissingDataError as error:
        if fallback is None:
            raise
        log(f"{error} Continue with {fallback}.")
    training = replace(training, data=fallback, train_images=None)
    return train_or_fall_back(training, out, data_dir)


def _entry(run: Run, out: Path, data_dir: Path | None, threads: tuple[int, ...]) -> Entry:
    name = run.path.name
    folder = out / "files" / name
    source = SourceModel.of_run(run, data_dir)
    document = export(source, folder, list(DEFAULT.values()))
    files = tuple(folder / row["file"] for row in document["files"] if row["accepted"])
    options = BENCHMARK._replace(threads=threads, run=run.path, data_dir=data_dir)
    return Entry(run, document, measure_files(files, options).documents)
