"""Files of known speed: equal ones, and slower ones whose last layer is wider."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.command import log, start_keras, write_atomic

from ...benchmark.comparison.latency_ratio import Ratio
from ...benchmark.comparison.rounds import Repetitions, time_rounds
from ...benchmark.runner import LoadOptions, TimingOptions

CLASSES = 10
TILE = 16  # columns of XNNPACK's kernels; other numbers of classes cost more

Measure = Callable[[Path, Path], Ratio]
"""Returns the latency of the first file over that of the second."""


class Size(NamedTuple):
    """A network of 3×3 convolutions, every second of which halves the maps.

    Attributes:
        latency: About what one inference takes with one thread on an x86 server.
        image: Height and width of its images.
        filters: Of each convolution.
        wider: Classes of the file that shows what a class costs.
    """

    latency: str
    image: int
    filters: tuple[int, ...]
    wider: int


SIZES = {
    "10us": Size("10 µs", 32, (8, 16, 64), 512),
    "500us": Size("0.5 ms", 96, (32, 64, 64), 4_000),
    "50ms": Size("50 ms", 320, (64, 128, 128, 256, 256), 20_000),
}


def slower_classes(size: Size, ratio: float, slowdown: float) -> int:
    """Return the number of classes that makes a network slower by a fraction.

    Args:
        size: The network.
        ratio: Latency of the network with `Size.wider` classes over that with `CLASSES`.
        slowdown: The fraction.

    Example:
        >>> slower_classes(SIZES["10us"], 1.1, 0.05)
        256
    """
    return TILE * round((CLASSES + (size.wider - CLASSES) * slowdown / (ratio - 1)) / TILE)


def measure(first: Path, second: Path) -> Ratio:
    """Measure a ratio with twice as many processes as `benchmark` at least starts."""
    loads = [LoadOptions(str(file)) for file in (first, second)]
    return time_rounds(loads, TimingOptions(min_secs=2.0), Repetitions(16, 16)).ratios[0, 1]


def write_files(
    folder: Path, name: str, slowdowns: tuple[float, ...], measure: Measure = measure
) -> dict[str, Any]:
    """Write a file, its copy, one of the same speed and slower ones, unless they are there.

    Args:
        folder: Where to; the files are ``NAME.tflite``, ``NAME_copy.tflite``,
            ``equal/NAME.tflite`` and, for 5 %, ``slower_5/NAME.tflite``.
        name: Of `SIZES`.
        slowdowns: How much slower, as fractions.
        measure: Measures how much slower they are.

    Returns:
        By file, the number of classes and, for the slower ones, the measured ratio.
    """
    about = folder / f"{name}.json"
    if about.exists():
        known: dict[str, Any] = json.loads(about.read_text(encoding="utf-8"))
        return known
    log(f"write the files of {name}")
    size, file = SIZES[name], folder / f"{name}.tflite"
    content = _content(size, CLASSES)
    write_atomic(file, content)
    write_atomic(folder / f"{name}_copy.tflite", content)
    _write(folder / "equal" / file.name, content + b"\0")  # another hash, and nothing else
    wider = folder / f"{name}_wider.tflite"
    write_atomic(wider, _content(size, size.wider))
    ratio = measure(wider, file)
    written = {
        file.name: {"classes": CLASSES},
        wider.name: {"classes": size.wider, **_json(ratio)},
    }
    for slowdown in slowdowns:
        classes = slower_classes(size, ratio.value, slowdown)
        path = folder / slower_folder(slowdown) / file.name
        _write(path, _content(size, classes))
        measured = measure(path, file)
        written[f"{path.parent.name}/{path.name}"] = {"classes": classes, **_json(measured)}
    write_atomic(about, json.dumps(written, indent=2))
    return written


def slower_folder(slowdown: float) -> str:
    """Return the folder of the files that are slower by this fraction.

    Example:
        >>> slower_folder(0.05)
        'slower_5'
    """
    return f"slower_{round(100 * slowdown)}"


def _json(ratio: Ratio) -> dict[str, Any]:
    return {"ratio": ratio.value, "interval": [ratio.low, ratio.high]}


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, content)


def _content(size: Size, classes: int) -> bytes:
    """Return a network with random weights as a float32 file."""
    start_keras()
    import keras
    from keras import layers

    from ...conversion.convert import convert

    keras.utils.set_random_seed(0)
    x = image = keras.Input((size.image, size.image, 3), name="image")
    for index, filters in enumerate(size.filters, 1):
        strides = 2 if index % 2 else 1
        conv = layers.Conv2D(filters, 3, strides, "same", activation="relu", name=f"conv{index}")
        x = conv(x)
    x = layers.Dense(classes, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x))
    return convert(keras.Model(image, layers.Softmax(name="probabilities")(x)))
