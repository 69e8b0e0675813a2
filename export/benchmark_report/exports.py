"""The `export.json` that a measured file belongs to, which has its recipe and its accuracy."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.errors import Error
from cnn_keras.experiments.estimates import wilson

from ..benchmark.results_files import Result
from ..provenance import EXPORT_JSON


class Exported(NamedTuple):
    """What `export.json` has about a file. None stands for what it lacks.

    Attributes:
        network: Name of the network.
        data: Name of its data set.
        input: Shape of an image, for example ``"32×32×1"``.
        recipe: Name of the recipe.
        accuracy: Top-1 accuracy of the file on held-out images.
        accuracy_low: Lower end of its 95 % interval (Wilson).
        accuracy_high: Upper end.
        num_images: Number of held-out images.
        drop_points: Accuracy of the Keras model minus that of the file, in percentage points.
    """

    network: str | None = None
    data: str | None = None
    input: str | None = None
    recipe: str | None = None
    accuracy: float | None = None
    accuracy_low: float | None = None
    accuracy_high: float | None = None
    num_images: int | None = None
    drop_points: float | None = None


def find_exports(results: Sequence[Result], folders: Sequence[Path]) -> dict[str, Exported]:
    """Find the exports of measured files by the hash of their content.

    An `export.json` is looked for in `folders`, beside the measured file, beside the JSONL file and
    in the folders beside the JSONL file.

    Args:
        results: The measurements.
        folders: Further folders of exports.

    Returns:
        What is known of a file by its SHA-256.

    Raises:
        Error: One of `folders` has no valid `export.json`.
    """
    read = cache(_read)
    given: dict[str, Exported] = {}
    for folder in folders:
        rows = read(folder)
        if rows is None:
            raise Error(f"{folder / EXPORT_JSON} is missing or broken: name a folder of an export.")
        given = {**rows, **given}
    found: dict[str, Exported] = {}
    candidates = cache(_beside)
    for path, row in results:
        sha256 = row["sha256"]
        if sha256 in given:
            found[sha256] = given[sha256]
        elif sha256 not in found:
            measured = Path(row["file"]).parent
            for folder in (measured, path.parent / measured, *candidates(path.parent)):
                if exported := (read(folder) or {}).get(sha256):
                    found[sha256] = exported
                    break
    return found


def _beside(folder: Path) -> list[Path]:
    """Return a folder, and those in it that have an `export.json`."""
    return [folder, *sorted(path.parent for path in folder.glob(f"*/{EXPORT_JSON}"))]


def _read(folder: Path) -> dict[str, Exported] | None:
    """Return the files of an export by hash; None if there is no valid `export.json`."""
    path = folder / EXPORT_JSON
    try:
        if not path.is_file():
            return None
        document = json.loads(path.read_bytes())
        return dict(_files(document))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _files(document: Mapping[str, Any]) -> Iterator[tuple[str, Exported]]:
    for row in document["files"]:
        if row.get("sha256"):
            yield row["sha256"], _exported(document, row)


def _exported(document: Mapping[str, Any], row: Mapping[str, Any]) -> Exported:
    accuracy, images = _number(row.get("top1_file")), row.get("num_images")
    if accuracy is not None and not 0 <= accuracy <= 1:
        accuracy = None
    if type(images) is not int or images < 1:
        images = None
    shape = ((row.get("audit") or {}).get("input") or {}).get("shape") or []
    interval = wilson(accuracy, images) if accuracy is not None and images else (None, None)
    return Exported(
        network=_text(document.get("network")),
        data=_text(document.get("data")),
        input="×".join(map(str, shape[1:])) or None,
        recipe=_text(row.get("recipe")),
        accuracy=accuracy,
        accuracy_low=interval[0],
        accuracy_high=interval[1],
        num_images=images,
        drop_points=_number(row.get("drop_points")),
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: object) -> float | None:
    """Return a finite number; NaN and infinity are not JSON, but Python reads them."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None
