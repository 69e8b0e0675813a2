"""The demo: train two networks, export, verify and benchmark them, and report.

Beside each stands the trained network of the package on the same data set, if there is one.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnn_keras.command import log, write_together
from cnn_keras.data.sources import MissingDataError
from cnn_keras.experiments.record import command_line
from cnn_keras.machine import host
from cnn_keras.trained.table import TRAINED
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train
from cnn_keras.unpack import unpack

from .benchmark.measurements import MeasurementOptions, measure_files
from .pipeline import export
from .recipes import DEFAULT
from .report.facts import Entry
from .report.render import render_html, render_markdown
from .source_model import SourceModel

LENET = Training.of("lenet5", "digits", recipe={})
# 165,000 images at about 1,300 images/s on two cores take about two minutes. The 14 epochs of the
# recipe take ten.
RESNET = Training.of("resnet20", "fashion_mnist", recipe={"epochs": 3}, base_recipe="fast")
RESNET_FALLBACK = Training.of("resnet20", "digits", recipe={}, base_recipe="fast")

BENCHMARK = MeasurementOptions()


def demo(out: Path, data_dir: Path | None, threads: Sequence[int]) -> dict[str, Any]:
    """Train both networks, export and measure them, and write `report.html` and `report.md`.

    The trained networks of the package on the same data sets are exported and measured, too.

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
        train_or_fall_back(RESNET, out, data_dir, RESNET_FALLBACK),
    ]
    entries = []
    for run in runs:
        entries.append(_entry(run, out / "files", data_dir, tuple(threads)))
        if trained := TRAINED.get(f"{run.config['network']}:{run.config['data']}"):
            log(f"Export and measure {trained.name} of the package")
            folder = out / "files" / "package"
            entry = _entry(Run(unpack(trained)), folder, data_dir, tuple(threads))
            entries.append(entry._replace(package_name=trained.name))
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
    training: Training, out: Path, data_dir: Path | None, fallback: Training | None = None
) -> Run:
    """Train a network in the demo's folder, in another way if its data set is not available.

    Args:
        training: The training.
        out: Folder of the demo.
        data_dir: Folder in which data sets are looked for first.
        fallback: The training on another data set; None raises the error.

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
        log(f"{error} Continue with {fallback.data}.")
    return train_or_fall_back(fallback, out, data_dir)


def _entry(run: Run, files: Path, data_dir: Path | None, threads: tuple[int, ...]) -> Entry:
    folder = files / run.path.name
    source = SourceModel.of_run(run, data_dir)
    document = export(source, folder, list(DEFAULT.values()))
    accepted = tuple(folder / row["file"] for row in document["files"] if row["accepted"])
    options = BENCHMARK._replace(threads=threads, run=run.path, data_dir=data_dir)
    return Entry(run, document, measure_files(accepted, options).documents)
