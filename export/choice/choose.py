"""Choose the best file of a run within limits, and write it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cnn_keras.command import log, progress, write_atomic
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.data.splits import stratified_indices
from cnn_keras.report.figure_file import write_figure
from cnn_keras.training.evaluate import Probabilities

from ..benchmark import inputs
from ..benchmark.places.place import Place
from ..pipeline import ExportJob, calibrated, prepare, require_writable, write_files
from ..recipes import Recipe
from ..source_model import SourceModel
from . import sensitivity
from .layers import LayerType, layers_of
from .results import document, figure, progress_line
from .rule import TOLERANCE, Limits, Tried, best
from .search import LayerCosts, Search
from .timing import Timer
from .trials import FOLDER, Trials

CHOICE_JSON, FIGURE = "choice.json", "choice.svg"

_CONTENDERS, _ROUNDS = 8, 5


def choose(
    source: SourceModel,
    out: Path,
    limits: Limits,
    recipes: Sequence[Recipe],
    place: Place,
    num_threads: int = 1,
    split: str = "validation",
    max_files: int = 36,
) -> dict[str, Any]:
    """Try recipes and mixes of types by layer, and write the best file within limits.

    The file is written with its `export.json`, `choice.json` and a figure. If no file keeps the
    limits, none is written.

    Args:
        source: The model and its run.
        out: Folder for the file, and for those that were tried.
        limits: The limits.
        recipes: Recipes that store all layers alike.
        place: Where the files are timed.
        num_threads: Threads that LiteRT may use there.
        split: Held-out images that accuracy is measured on.
        max_files: Number of files to try at most.

    Returns:
        The content of `choice.json`; under ``"file"`` the path of the file, or None.

    Raises:
        Error: The model cannot be converted, or there is no such split.
        PlaceError: The place fails.
        OSError: `out` cannot be written.
    """
    require_writable(out)
    job = prepare(source, split)
    with opened_trials(job, place, num_threads, out / FOLDER) as trials:
        search, chosen = find_best(job, trials, limits, recipes, max_files)
    file = None
    if chosen:
        exported = write_files(job, out, [trials.recipe_of(chosen)])
        file = out / exported["files"][0]["file"]
    found = document(job, trials, limits, search.costs, chosen, file)
    write_figure(figure(trials.files, limits, chosen), out / FIGURE)
    write_atomic(out / CHOICE_JSON, json.dumps(found, indent=2) + "\n")
    return found


@contextmanager
def opened_trials(job: ExportJob, place: Place, num_threads: int, folder: Path) -> Iterator[Trials]:
    """Connect to a place, and yield the trials of a network there; see `Trials` and `Timer`.

    Raises:
        PlaceError: The place cannot be reached.
    """
    images, _ = _sample(job, inputs.NUM_IMAGES)
    with Timer(place, num_threads, images) as timer:
        yield Trials(job, layers_of(job.float32.model), timer, folder)


def find_best(
    job: ExportJob,
    trials: Trials,
    limits: Limits,
    recipes: Sequence[Recipe],
    max_files: int,
) -> tuple[Search, Tried | None]:
    """Search the best file within limits, and time the best ones again, in turn.

    Returns:
        The search, and the best of all files in `trials`; None if no file keeps the limits.
    """

    def report(file: Tried) -> None:
        log(progress_line(file, trials.layers, limits, len(search.files), max_files))

    search = Search(trials, trials.layers, limits, max_files, report)
    search.run(recipes, lambda pure: measure_costs(job, trials, pure))
    contenders = _contenders(trials.files, limits)
    if len(contenders) > 1:
        log(f"time the {len(contenders)} best files in turn")
        trials.time(contenders, _ROUNDS, again=True)
    return search, best(trials.files, limits)


def measure_costs(job: ExportJob, trials: Trials, pure: Mapping[LayerType, Tried]) -> LayerCosts:
    """Measure what each type of each layer costs.

    Args:
        job: The network.
        trials: Its files.
        pure: The files with the same type in all layers that can have it.
    """

    def divergences() -> list[dict[LayerType, float]]:
        float32 = job.float32
        ranges = calibrated(job, float32)
        count = sensitivity.affordable_images(float32.content, trials.layers, job.images[:5])
        images, reference = _sample(job, count)
        total = sum(len(layer.types) - 1 for layer in trials.layers)
        with progress("sensitivity of the layers", total) as advance:
            return sensitivity.sensitivities(
                float32.content, trials.layers, ranges, images, reference, advance
            )

    ms = {of: trials.profile(file) for of, file in pure.items()}
    return LayerCosts(
        trials.remember("divergences", divergences),
        [
            {of: ms[of][at] for of in layer.types if of in ms}
            for at, layer in enumerate(trials.layers)
        ],
    )


def _contenders(files: Sequence[Tried], limits: Limits) -> list[Tried]:
    """Return the best file and those whose latencies leave open whether they are better."""
    first = best(files, limits)
    if first is None:
        return []
    most = first.value("latency") * (1 + TOLERANCE["latency"])
    most = min(most, limits.max_ms or most)
    others = [
        file for file in limits.within(files) if file is not first and file.value("latency") <= most
    ]
    return [first, *sorted(others, key=lambda file: file.value("latency"))[: _CONTENDERS - 1]]


def _sample(job: ExportJob, count: int) -> tuple[Float32Images, Probabilities]:
    """Return held-out images of all classes, and the Keras model's probabilities for them."""
    classes = job.reference.argmax(axis=1) if job.labels is None else job.labels
    indices = stratified_indices(classes, count, seed=0)
    return job.images[indices], job.reference[indices]
