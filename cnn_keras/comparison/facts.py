"""The facts of a comparison as text: cells of its tables, summary and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..experiments.estimates import Estimate
from ..report.formatting import DASH, enumerate_names, keep_units, or_dash, plural
from .differences import Setting, compare_settings, differ_only_in_seed, seed_groups
from .entries import Entry
from .figures import ERROR, LOSS, SPEED, has_curve

RESULT_COLUMNS = (
    "network",
    "status",
    "epochs",
    "test accuracy, %",
    "95 % interval",
    "balanced accuracy, %",
    "validation accuracy, %",
    "best validation (epoch), %",
    "training, s",
    "images/s",
    "parameters",
)


_NAMES = {"adopted": "external model", "contents": "data files", "memory_gib": "memory, GiB"}
_MAX_NAMES = 3  # of runs or networks in a sentence


def result_cells(entry: Entry) -> list[str]:
    """Return the results of a run in the order of `RESULT_COLUMNS`."""
    found = entry.results
    interval = found["test_accuracy_interval"]
    best = _percent(found["best_validation_accuracy"])
    if found["best_epoch"] is not None:
        best += f" ({found['best_epoch']})"
    return [
        found["network"],
        found["status"],
        or_dash(found["epochs"], ",d"),
        _percent(found["test_accuracy"]),
        f"{_percent(interval[0])} – {_percent(interval[1])}" if interval else DASH,
        _percent(found["balanced_accuracy"]),
        _percent(found["validation_accuracy"]),
        best,
        or_dash(found["train_seconds"], ",.0f"),
        or_dash(found["images_per_second"], ",.0f"),
        or_dash(found["num_parameters"], ",d"),
    ]


def _percent(fraction: float | None) -> str:
    return DASH if fraction is None else f"{100 * fraction:.2f}"


def setting_text(value: Any) -> str:
    """Return a value of a setting as text.

    Example:
        >>> setting_text([0.5, 0.75]), setting_text(None), setting_text(0.1)
        ('0.5, 0.75', '—', '0.1')
    """
    match value:
        case None:
            return DASH
        case []:
            return "none"
        case bool() | str() | int():
            return str(value)
        case float():
            return f"{value:.6g}"
        case list():
            return ", ".join(map(setting_text, value))
        case dict():
            return ", ".join(f"{name} {setting_text(each)}" for name, each in value.items())
    return str(value)


def setting_name(setting: Setting) -> str:
    """Return the name of a setting, with its group where it would be unclear.

    Example:
        >>> setting_name(Setting("input", "mean", [])), setting_name(Setting("recipe", "flip", []))
        ('input: mean', 'flip')
    """
    if setting.group in ("training", "recipe", "hardware", "versions"):
        return _NAMES.get(setting.name, setting.name.replace("_", " "))
    return f"{setting.group}: {setting.name}"


def title(entries: Sequence[Entry]) -> str:
    """Return the heading of a comparison."""
    networks, data = (
        list(dict.fromkeys(entry.run.config[key] for entry in entries))
        for key in ("network", "data")
    )
    if len(networks) > _MAX_NAMES or len(data) > 1:
        return f"Comparison of {len(entries)} runs"
    return f"{len(entries)} runs of {enumerate_names(networks)} on {data[0]}"


def summary(entries: Sequence[Entry]) -> list[str]:
    """Return the result of the comparison as sentences."""
    if differ_only_in_seed(entries):
        sentences = ["The runs differ only in the seed."]
    else:
        sentences = [_best(entries), _differences(entries)]
    sentences += [
        f"The mean test accuracy over the seeds of {_some(group.entries)} is "
        f"{_estimate(group.accuracy)}."
        for group in seed_groups(entries)
    ]
    sentences += [
        f"{entry.name} is not finished: {entry.status}."
        for entry in entries
        if entry.status.startswith("epoch ")
    ]
    return [keep_units(sentence) for sentence in sentences if sentence]


def _some(entries: Sequence[Entry]) -> str:
    """Name runs, the first ones of many."""
    names = [entry.name for entry in entries]
    if len(names) > _MAX_NAMES:
        names = [*names[: _MAX_NAMES - 1], f"{len(names) - _MAX_NAMES + 1} others"]
    return enumerate_names(names)


def _best(entries: Sequence[Entry]) -> str:
    """Name the runs with the highest test accuracy, and those whose intervals overlap theirs."""
    finished = [entry for entry in entries if entry.is_finished]
    if len({entry.run.config["data"] for entry in finished}) > 1:
        return "The runs are of different data sets, so that their accuracies do not compare."
    if len(finished) < 2:
        return ""
    highest = max(entry.results["test_accuracy"] for entry in finished)
    best = [entry for entry in finished if entry.results["test_accuracy"] == highest]
    low, high = best[0].results["test_accuracy_interval"]
    near = [
        entry
        for entry in finished
        if entry not in best and entry.results["test_accuracy_interval"][1] > low
    ]
    text = (
        f"{_some(best)} {'has' if len(best) == 1 else 'have'} the highest test accuracy, "
        f"{_percent(highest)} % of {plural(best[0].results['num_test_images'], 'image')} "
        f"(95 % interval {_percent(low)} to {_percent(high)})"
    )
    if near:
        is_one = len(near) == 1
        text += f"; the interval{'s' * (not is_one)} of {_some(near)} overlap{'s' * is_one} it"
    elif len(best) < len(finished):
        text += ", and no other interval overlaps it"
    return f"{text}."


def _differences(entries: Sequence[Entry]) -> str:
    """Say which settings differ."""
    different, _ = compare_settings(entries)
    names = [setting_name(s) for s in different if s.group in ("training", "recipe")]
    if not names:
        return "The runs have the same configuration."
    return f"The runs differ in {enumerate_names(names)}."


def _estimate(found: Estimate) -> str:
    low, high = found.interval or (found.value, found.value)
    return (
        f"{_percent(found.value)} % (95 % interval {_percent(max(low, 0.0))} to "
        f"{_percent(min(high, 1.0))})"
    )


def notes(entries: Sequence[Entry]) -> list[str]:
    """Return what a reader must know to compare the results."""
    found = []
    different, _ = compare_settings(entries)
    if any(setting.group == "hardware" for setting in different):
        found.append("The runs were trained on different hardware: seconds do not compare.")
    if missing := [entry.name for entry in entries if not has_curve(entry, ERROR)]:
        found.append(
            f"Without curves, because there is no history.csv: {enumerate_names(missing)}."
        )
    return found


MEANINGS = (
    (
        "95 % interval",
        "Wilson's interval for the number of test images. It does not cover the variation between "
        "seeds, and only runs on the same test images compare.",
    ),
    ("balanced accuracy", "The mean accuracy of the classes on the test images."),
    ("validation accuracy", "That of the final network, or after the latest epoch."),
    ("training, s", "All epochs with validation and saving."),
    ("images/s", "Training steps only; the median of the epochs."),
    ("mean over seeds", "With Student's t interval over the seeds."),
)


def figure_captions(entries: Sequence[Entry]) -> list[tuple[str, Any, str]]:
    """Return heading, panels and caption of each figure on the page that has curves."""
    figures = [
        (
            "Error",
            ERROR,
            "The training error is counted during the epoch, while the weights change, and on "
            "augmented images if the recipe augments; it can exceed the validation error.",
        ),
        (
            "Loss",
            LOSS,
            "With label smoothing, mixup, CutMix or class weights, the training loss is that of "
            "other labels or weights and does not compare with the rest.",
        ),
        ("Learning rate and speed", SPEED, "The learning rate after each epoch."),
    ]
    return [each for each in figures if any(has_curve(entry, each[1]) for entry in entries)]
