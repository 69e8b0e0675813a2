"""Check a data set: the document with all that was found, and its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...command import write_atomic
from ...tables import escape, table
from ..gray_levels import looks_inverted, training_background
from ..preprocessing import Preprocessing, UInt8Images
from .contact_sheet import class_rows, draw, group_rows
from .duplicates import SIMILARITY, exact_groups, near_groups
from .facts import Facts, measure
from .samples import Samples, list_samples

if TYPE_CHECKING:
    from rich.console import RenderableType

_MAX_SHOWN = 100  # groups of duplicates in the text; the document has all
_MAX_NAMED = 5  # small images in the text


def check(
    data: str,
    data_dir: Path | None = None,
    *,
    input_size: tuple[int, int] | None = None,
    preprocessing: Preprocessing | None = None,
    similarity: float = SIMILARITY,
    sheet: Path | None = None,
) -> dict[str, Any]:
    """Read all images of a data set and return what was found, as JSON types.

    Args:
        data: Name of the data set; see `datasets.load`.
        data_dir: Folder to search first.
        input_size: Height and width of a network's input, to find images that are smaller.
        preprocessing: Of a run, to find gray images that are inverted.
        similarity: The least correlation of near duplicates; 1 for none.
        sheet: Contact sheet to write, a PNG file.

    Raises:
        UsageError: There is no such data set.
        Error: It is missing, or a folder is no data set.
    """
    samples = list_samples(data, data_dir)
    facts = measure(samples.images)
    readable = facts.readable
    exact = _in_all(readable, exact_groups(facts.digests[readable]))
    near = []
    if similarity < 1:
        groups = near_groups(facts.thumbnails[readable], facts.digests[readable], similarity)
        near = _in_all(readable, groups)
    document = {
        "data": data,
        "images": len(samples.images),
        **_class_counts(samples),
        **_image_kinds(facts, readable),
        "broken": [
            _describe(samples, index) | {"error": facts.errors[index]}
            for index in sorted(facts.errors)
        ],
        "exact_duplicates": [_group(samples, group) for group in exact],
        "near_duplicates": [_group(samples, group) for group in near],
    }
    if input_size is not None:
        height, width = input_size
        small = (facts.sizes[readable] < (width, height)).any(axis=1)
        names = [samples.images[index].name for index in readable[small].tolist()]
        document["smaller_than_input"] = {"height": height, "width": width, "images": names}
    if preprocessing is not None:
        document["inverted"] = _inverted(
            facts.thumbnails[readable[facts.gray[readable]]], preprocessing
        )
    document["leaks"] = sum(
        group["across_splits"]
        for kind in ("exact_duplicates", "near_duplicates")
        for group in document[kind]
    )
    if sheet is not None:
        rows = class_rows(samples.images, samples.classes, readable.tolist())
        rows += group_rows("exact", samples.images, exact)
        rows += group_rows("near", samples.images, near)
        write_atomic(sheet, draw(rows))
        document["sheet"] = str(sheet)
    return document


def _in_all(readable: np.ndarray, groups: list[list[int]]) -> list[list[int]]:
    """Return groups of indices into the readable images as indices into all images."""
    return [readable[group].tolist() for group in groups]


def _class_counts(samples: Samples) -> dict[str, Any]:
    """Return the number of images of each class in each split, and the imbalance of each split."""
    splits: dict[str, dict[str, int]] = {}
    for sample in samples.images:
        counts = splits.setdefault(sample.split, dict.fromkeys(samples.classes, 0))
        counts[samples.classes[sample.label]] += 1
    imbalance = {
        split: round(max(counts.values()) / smallest, 3)
        if (smallest := min(counts.values()))
        else None
        for split, counts in splits.items()
    }
    return {"classes": splits, "imbalance": imbalance}


def _image_kinds(facts: Facts, readable: np.ndarray) -> dict[str, Any]:
    """Return sizes, modes and formats of the images that can be read."""
    sizes = facts.sizes[readable]
    frequent = Counter(map(tuple, sizes.tolist())).most_common(_MAX_NAMED)
    return {
        "sizes": {
            name: {
                "min": int(values.min()),
                "median": float(np.median(values)),
                "max": int(values.max()),
            }
            for name, values in (("width", sizes[:, 0]), ("height", sizes[:, 1]))
            if len(values)
        }
        | {
            "most_frequent": [
                {"width": width, "height": height, "images": count}
                for (width, height), count in frequent
            ]
        },
        "modes": _counts(facts.modes[readable].tolist()),
        "formats": _counts(filter(None, facts.formats[readable].tolist())),
        "gray_images": int(facts.gray[readable].sum()),
    }


def _inverted(thumbnails: UInt8Images, preprocessing: Preprocessing) -> dict[str, Any] | None:
    """Count the inverted gray images.

    Returns:
        None if the run's images have no known background.
    """
    if training_background(preprocessing) is None:
        return None
    count = int(looks_inverted(thumbnails[..., None], preprocessing).sum())
    return {
        "images": count,
        "gray_images": len(thumbnails),
        "likely": 2 * count > len(thumbnails),
    }


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())


def _describe(samples: Samples, index: int) -> dict[str, Any]:
    name, split, label, _ = samples.images[index]
    return {"image": name, "split": split, "class": samples.classes[label]}


def _group(samples: Samples, group: Sequence[int]) -> dict[str, Any]:
    """Describe a group of duplicates."""
    images = [_describe(samples, index) for index in group]
    return {
        "across_splits": len({image["split"] for image in images}) > 1,
        "across_classes": len({image["class"] for image in images}) > 1,
        "images": images,
    }


def render(document: dict[str, Any]) -> RenderableType:
    """Return the tables and remarks that describe the document of `check`."""
    from rich.console import Group

    parts = [_class_table(document)]
    if broken := document["broken"]:
        rows = [(each["split"], each["error"]) for each in broken]
        parts.append(table(("split", "error"), rows, title=f"Broken files: {len(broken):,}"))
    parts += [
        _duplicates_table(kind, groups)
        for kind in ("exact", "near")
        if (groups := document[f"{kind}_duplicates"])
    ]
    return Group(*parts, *map(escape, _kind_lines(document) + _remarks(document)))


def _class_table(document: dict[str, Any]) -> Any:
    splits = document["classes"]
    rows: list[tuple[object, ...]] = [
        (name, *(counts[name] for counts in splits.values()))
        for name in next(iter(splits.values()))
    ]
    rows.append(("all", *(sum(counts.values()) for counts in splits.values())))
    return table(("class", *splits), rows, title=document["data"])


def _kind_lines(document: dict[str, Any]) -> list[str]:
    def listed(counts: dict[str, int]) -> str:
        return ", ".join(f"{count:,} {name}" for name, count in counts.items())

    lines = [
        "largest class to smallest: "
        + ", ".join(
            f"{split} {'a class is missing' if ratio is None else f'{ratio:g}'}"
            for split, ratio in document["imbalance"].items()
        )
    ]
    if sizes := document["sizes"]["most_frequent"]:
        width, height = document["sizes"]["width"], document["sizes"]["height"]
        most = ", ".join(f"{s['images']:,} {s['width']}×{s['height']}" for s in sizes)
        lines += [
            f"width {width['min']} to {width['max']} (median {width['median']:g}), height "
            f"{height['min']} to {height['max']} (median {height['median']:g}); most: {most}",
            f"modes: {listed(document['modes'])}; {document['gray_images']:,} gray images",
        ]
    if formats := document["formats"]:
        lines.append(f"formats: {listed(formats)}")
    return lines


def _duplicates_table(kind: str, groups: list[dict[str, Any]]) -> Any:
    # Those across splits first: they matter most.
    shown = sorted(groups, key=lambda group: not group["across_splits"])[:_MAX_SHOWN]
    rows = [
        (
            "across" if group["across_splits"] else "within",
            ", ".join(f"{image['split']}: {image['image']}" for image in group["images"])
            + (" (different classes)" if group["across_classes"] else ""),
        )
        for group in shown
    ]
    more = len(groups) - len(shown)
    remarks = [f"and {more} more groups, which --json lists"] if more else []
    return table(
        ("splits", "images"), rows, f"Groups of {kind} duplicates: {len(groups):,}", remarks
    )


def _remarks(document: dict[str, Any]) -> list[str]:
    remarks = []
    if small := document.get("smaller_than_input"):
        names = small["images"]
        remarks.append(
            f"images smaller than the input of {small['height']}×{small['width']}: {len(names):,}"
            + (f", for example {', '.join(names[:_MAX_NAMED])}" if names else "")
        )
    if "inverted" in document:
        found = document["inverted"]
        if found is None:
            remarks.append("the training images of the run have no known background, dark or light")
        else:
            remarks.append(
                f"gray images inverted against those of the run: {found['images']:,} of "
                f"{found['gray_images']:,}{', invert them' if found['likely'] else ''}"
            )
    if document.get("sheet"):
        remarks.append(f"contact sheet: {document['sheet']}")
    problems = [
        text
        for count, text in (
            (len(document["broken"]), f"broken files: {len(document['broken']):,}"),
            (
                document["leaks"],
                f"groups of duplicates in more than one split: {document['leaks']:,}",
            ),
        )
        if count
    ]
    return [*remarks, "; ".join(problems) if problems else "no broken files, no leaks"]
