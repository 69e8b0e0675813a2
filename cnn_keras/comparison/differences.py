"""What differs between runs, what is the same, and which differ only in the seed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..experiments.estimates import Estimate, mean
from ..training.recipes import OMITTED
from .entries import Entry

_CONFIGURATION = ("training", "recipe")  # groups of settings that a user chooses


class Setting(NamedTuple):
    """A setting of all runs.

    Attributes:
        group: Group of settings, for example ``"recipe"``.
        name: Its name in the group.
        values: One value per run; None for a run without it.
    """

    group: str
    name: str
    values: list[Any]


class SeedGroup(NamedTuple):
    """Finished runs that differ only in the seed.

    Attributes:
        entries: At least two.
        accuracy: Mean test accuracy over the seeds.
    """

    entries: list[Entry]
    accuracy: Estimate


def compare_settings(entries: Sequence[Entry]) -> tuple[list[Setting], list[Setting]]:
    """Return the settings that differ between runs, and those that are the same in all.

    A run that lacks a whole group, as an unfinished one lacks the hardware, is not compared in it.
    """
    different, same = [], []
    groups = dict.fromkeys(group for entry in entries for group in entry.settings)
    for group in groups:
        defaults = OMITTED if group == "recipe" else {}  # what config.json leaves out
        rows = [entry.settings.get(group) for entry in entries]
        names = dict.fromkeys(name for row in rows if row is not None for name in row)
        for name in names:
            values = [None if row is None else row.get(name, defaults.get(name)) for row in rows]
            compared = [value for value, row in zip(values, rows, strict=True) if row is not None]
            if any(value != compared[0] for value in compared):
                different.append(Setting(group, name, values))
            elif compared[0] is not None:
                same.append(Setting(group, name, values))
    return different, same


def differ_only_in_seed(entries: Sequence[Entry]) -> bool:
    """Return whether all runs have the same configuration, but not the same seed."""
    names = [
        (setting.group, setting.name)
        for setting in compare_settings(entries)[0]
        if setting.group in _CONFIGURATION
    ]
    return names == [("training", "seed")]


def seed_groups(entries: Sequence[Entry]) -> list[SeedGroup]:
    """Return the groups of finished runs that differ only in the seed."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        configuration = {group: dict(entry.settings.get(group, {})) for group in _CONFIGURATION}
        configuration["training"].pop("seed", None)
        if entry.status == "finished":
            groups.setdefault(json.dumps(configuration, sort_keys=True), []).append(entry)
    return [
        SeedGroup(group, mean([entry.results["test_accuracy"] for entry in group]))
        for group in groups.values()
        if len({entry.run.config["seed"] for entry in group}) == len(group) > 1
    ]
