"""Time input pipelines over JPEG files: this package's, torch's, Keras' and tf.data's.

All decode the same files, crop them at the center to a square, resize it to 224×224 and make
shuffled batches of 32. They run in processes of their own on the same two cores, with two workers,
and take turns in each round, so that other load on the machine affects all alike.

Resizing without a filter is faster because it reads four pixels for each result and skips the
others, which aliases. How far the pixels of a pipeline are from those of this package shows what
its filter is.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cnn_keras.command import progress
from cnn_keras.data import photographs
from cnn_keras.errors import Error
from cnn_keras.experiments.estimates import ratio
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host, versions

from ...worker import Worker, WorkerError
from .passes import BATCH, SIDE, WORKERS
from .throughput import require_torch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMEOUT_SECS = 600.0  # for one pass, and for the start
QUALITY = 90  # of the JPEG files


class Contestant(NamedTuple):
    """A pipeline of the study.

    Attributes:
        label: Name in claims and the figure.
        module: Module of this package that its process runs.
        filters: How pixels are filtered when an image is made smaller; None for not at all.
    """

    label: str
    module: str
    filters: str | None


OURS, PIXELS = "threads", "antialiased bilinear"
CONTESTANTS = {
    "threads": Contestant("cnn-keras, threads", "pipelines", PIXELS),
    "workers": Contestant("cnn-keras, worker processes", "pipelines", PIXELS),
    "training": Contestant("cnn-keras, threads, normalized tensors", "pipelines", PIXELS),
    "torch": Contestant("torch DataLoader with Pillow", "torch_pipeline", PIXELS),
    "tf_data": Contestant("tf.data, antialias=True", "pipelines", PIXELS),
    "keras": Contestant("Keras, interpolation area", "pipelines", "area"),
    "tf_data_unfiltered": Contestant("tf.data, unfiltered", "pipelines", None),
    "keras_unfiltered": Contestant("Keras, unfiltered", "pipelines", None),
}


class Row(NamedTuple):
    """The speed of a pipeline.

    Attributes:
        name: Row of `CONTESTANTS`.
        label: See `Contestant`.
        filters: See `Contestant`.
        images_per_s: Median over the rounds.
        ratio: Images/s of this package relative to it, geometric mean over the rounds.
        interval: Its 95 % interval; None for a single round.
        pixel_difference: Root mean square of the difference to the pixels of this package, in gray
            levels.
        rounds_images_per_s: Each round.
    """

    name: str
    label: str
    filters: str | None
    images_per_s: float
    ratio: float
    interval: tuple[float, float] | None
    pixel_difference: float
    rounds_images_per_s: list[float]


class PipelineProcess(Worker):
    """A pipeline in its own process.

    Args:
        name: Row of `CONTESTANTS`.
        folder: Folder of the files.
        output: File to which the first images are saved.
        torch_python: Python that has torch; by default that of this process.

    Attributes:
        version: Name and version of its library.

    Raises:
        Error: The pipeline fails; the message is that of the process.
    """

    def __init__(self, name: str, folder: Path, output: Path, torch_python: Path | None) -> None:
        module = CONTESTANTS[name].module
        super().__init__(f"{__package__}.{module}", torch_python if name == "torch" else None)
        try:
            self.version: tuple[str, str] = self._ask([name, str(folder), str(output)])
        except BaseException:
            self.close()
            raise

    def images_per_second(self) -> float:
        """Make a pass over all files, and return its rate."""
        rate: float = self._ask(None)
        return rate

    def _ask(self, request: object) -> Any:
        self.send(request)
        try:
            return self.receive(TIMEOUT_SECS)
        except TimeoutError:
            raise Error(f"A pipeline did not answer in {TIMEOUT_SECS:.0f} s.") from None
        except WorkerError as error:
            raise Error(f"A pipeline failed: {error.last_line}", details=error.stderr) from None


def loader(
    out: Path, *, images: int = 5_000, rounds: int = 5, torch_python: Path | None = None
) -> dict[str, Any]:
    """Time the pipelines alternately, and record the ratios.

    Args:
        out: Folder of the record and its figure.
        images: Number of JPEG files, which are written to a temporary folder.
        rounds: Number of rounds; each pipeline makes a pass over all files in each.
        torch_python: Python that has torch; by default that of this process.

    Returns:
        The record.

    Raises:
        Error: A pipeline fails, or torch is missing.
    """
    require_torch(torch_python)
    load_before = host().load_average
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        folder = Path(temporary)
        write_jpegs(folder / "images", images)
        stack.enter_context(_two_cores())
        processes = {
            name: stack.enter_context(
                PipelineProcess(name, folder / "images", folder / f"{name}.npy", torch_python)
            )
            for name in CONTESTANTS
        }
        pixels = {name: np.load(folder / f"{name}.npy") for name in processes}
        rates: dict[str, list[float]] = {name: [] for name in processes}
        with progress("passes", rounds * len(processes)) as advance:
            for _ in range(rounds):
                for name, process in processes.items():
                    rates[name].append(process.images_per_second())
                    advance()
        libraries = dict(process.version for process in processes.values())
    found = rows(rates, pixels)
    return write_record(
        out / "loader.json",
        "benchmark",
        "input pipelines",
        claims(found),
        seeds=[0],
        budget={"rounds": rounds, "images": images},
        details={
            "versions": versions() | libraries,
            "host": host()._asdict(),
            "load_average_before": load_before,
            "workers": WORKERS,
            "batch_size": BATCH,
            "image_size": SIDE,
            "jpeg_quality": QUALITY,
            "rows": [row._asdict() for row in found],
        },
        figure=_figure(found),
    )


def write_jpegs(folder: Path, count: int, seed: int = 0) -> None:
    """Write JPEG files of about 500×400 pixels: parts of scikit-learn's photographs.

    Their sides are even numbers, so that all pipelines crop the same pixels.

    Args:
        folder: Gets a sub-folder for each photograph.
        count: Number of files.
        seed: Seed of their parts and sizes.
    """
    originals = {name: Image.fromarray(pixels) for name, pixels in photographs.originals().items()}
    names = list(originals)
    for name in names:
        (folder / name).mkdir(parents=True)

    def write(index: int) -> None:
        random = np.random.default_rng((seed, index))
        name = names[index % len(names)]
        image = originals[name]
        size = 2 * int(random.integers(220, 281)), 2 * int(random.integers(175, 226))
        width, height = (length * random.uniform(0.5, 1) for length in image.size)
        left, top = random.uniform(0, image.width - width), random.uniform(0, image.height - height)
        box = (left, top, left + width, top + height)
        part = image.resize(size, Image.Resampling.BICUBIC, box)
        part.save(folder / name / f"{index:06}.jpg", quality=QUALITY)

    with ThreadPoolExecutor() as pool, progress("write images", count) as advance:
        for _ in pool.map(write, range(count)):
            advance()


@contextmanager
def _two_cores() -> Iterator[None]:
    """Let processes that are started here use two cores, as many as they have workers."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:WORKERS])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def rows(rates: Mapping[str, list[float]], pixels: Mapping[str, NDArray[np.float32]]) -> list[Row]:
    """Return the rows of the record.

    Args:
        rates: Images/s of each round, by name.
        pixels: The same images of each pipeline, by name.
    """
    found = []
    for name, each in rates.items():
        estimate = ratio(rates[OURS], each)
        difference = float(np.sqrt(np.mean(np.square(pixels[name] - pixels[OURS]))))
        contestant = CONTESTANTS[name]
        found.append(
            Row(
                name,
                contestant.label,
                contestant.filters,
                median(each),
                estimate.value,
                estimate.interval,
                round(difference, 3),
                each,
            )
        )
    return found


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Return a claim for each peer: this package is at least as fast, if the peer filters."""
    result = []
    for row in rows:
        if row.label.startswith("cnn-keras"):
            continue
        low, high = row.interval or (row.ratio, row.ratio)
        if row.filters:
            text = f"The loader is at least as fast as {row.label} ({row.filters} filter)"
            result.append(Claim(f"{text}: ratio of images/s", low >= 1, row.ratio, row.interval))
        else:
            text = f"{row.label[0].upper()}{row.label[1:]}, is faster than the loader"
            result.append(Claim(f"{text}: ratio of images/s", high < 1, row.ratio, row.interval))
    return result


def _figure(rows: Sequence[Row]) -> Figure:
    """Draw the images/s of each pipeline, with each round as a point."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.6 + 0.45 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for place, row in enumerate(rows):
        ours = row.label.startswith("cnn-keras")
        color = "C0" if ours else "C1" if row.filters else "C7"
        axes.barh(place, row.images_per_s, 0.7, color=color)
        rounds = row.rounds_images_per_s
        axes.plot(rounds, [place] * len(rounds), "k.", markersize=3)
    labels = [f"{row.label}\n{row.filters or 'no filter'}" for row in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xlabel(f"images/s, JPEG of about 500×400 to {SIDE}×{SIDE}, {WORKERS} workers")
    return figure
