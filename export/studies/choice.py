"""Test whether `choose` finds the best of all mixes, and none worse than the recipes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_keras.command import log, progress
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host
from cnn_keras.training.run_folder import Run
from cnn_keras.unpack import trained_name

from ..benchmark.places.local import Local
from ..choice.choose import find_best, measure_costs, opened_trials
from ..choice.layers import combinations, uniform
from ..choice.results import label, show_latency
from ..choice.rule import Limits, Tried, best, best_in
from ..choice.search import Search
from ..choice.trials import Trials
from ..pipeline import ExportJob, prepare
from ..recipes import Recipe
from ..source_model import SourceModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_FILES = 40  # that a search tries fewer than
PROCESSES = 3  # that time each file
MAX_DROP = 0.3  # points


class Budget(NamedTuple):
    """What a search finds within limits.

    Attributes:
        limits: The limits.
        tried: The files that it tried.
        found: The file that it chose.
        rival: The best file without it: of all mixes, or of the recipes.
        no_worse: Whether the found file is as good as the rival, by the rule of `choose`.
    """

    limits: Limits
    tried: Sequence[Tried]
    found: Tried | None
    rival: Tried | None
    no_worse: bool


class Network(NamedTuple):
    """The budgets of a network.

    Attributes:
        name: The trained network, or the run folder.
        trials: Its files.
        budgets: What the searches find.
    """

    name: str
    trials: Trials
    budgets: Sequence[Budget]


def choice(
    out: Path,
    *,
    enumerated: Path,
    searched: Sequence[Path],
    recipes: Sequence[Recipe],
    runs: Path,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Compare the choices within several limits with the best of all mixes, and of the recipes.

    Args:
        out: Folder of the record and its figure.
        enumerated: A run whose mixes are all made and timed. The searches read these measurements,
            so that noise does not make a difference.
        searched: Runs of larger networks, whose choices are compared with the best recipe.
        recipes: Recipes that store all layers alike.
        runs: Folder for the files; those that were measured are kept.
        data_dir: Folder in which data sets are looked for first.

    Returns:
        The record.
    """
    networks = [
        _network(run, recipes, runs, data_dir, whole=run == enumerated)
        for run in (enumerated, *searched)
    ]
    return write_record(
        out / "choice.json",
        "benchmark",
        "choice",
        [claim for index, each in enumerate(networks) for claim in claims(each, whole=not index)],
        seeds=[0],
        budget={"max_files": MAX_FILES - 1, "processes": PROCESSES, "threads": 1},
        details={
            "host": host()._asdict(),
            "networks": [_details(each) for each in networks],
        },
        figure=_figure(networks),
    )


def _network(
    path: Path, recipes: Sequence[Recipe], runs: Path, data_dir: Path | None, whole: bool
) -> Network:
    run = Run.open(path)
    name = trained_name(run.path) or f"{run.config['network']}:{run.config['data']}"
    job = prepare(SourceModel.of_run(run, data_dir))
    with opened_trials(job, Local(), 1, runs / f"choice_{name.replace(':', '_')}") as trials:
        if whole:
            _time_all(trials, recipes, name)
        budgets = [
            (_compare_with_all if whole else _compare_with_recipes)(job, trials, limits, recipes)
            for limits in limits_of(trials, whole)
        ]
    return Network(name, trials, budgets)


def _time_all(trials: Trials, recipes: Sequence[Recipe], name: str) -> None:
    """Make all mixes of a network and the files of recipes, and time them in turn."""
    mixes = list(combinations(trials.layers))
    with progress(f"{name}: make the mixes", len(mixes)) as advance:
        for types in mixes:
            trials.make(types)
            advance()
    for row in recipes:
        trials.make_recipe(row)
    log(f"{name}: time {len(trials.files)} files")
    trials.time(trials.files, PROCESSES)


def limits_of(trials: Trials, whole: bool) -> list[Limits]:
    """Return limits between the files that have the same type in all layers.

    Args:
        trials: The files.
        whole: Whether all mixes are measured, so that searches take no time.
    """
    int8, int4 = (trials.try_types(uniform(trials.layers, of)) for of in ("int8", "int4"))
    most, least = (file.value("size") for file in (int8, int4))
    half, tight = (least + most) / 2, least + (most - least) / 50
    limits = [
        Limits(max_drop=MAX_DROP),
        Limits(max_kb=half),
        Limits(max_kb=half, max_drop=MAX_DROP),
        Limits(max_ms=2 * int8.value("latency"), max_kb=half, max_drop=MAX_DROP),
    ]
    if whole:
        max_ms = 1.25 * int8.value("latency")
        limits += [
            Limits(max_ms=max_ms),
            Limits(max_ms=max_ms, max_kb=half),
            Limits(max_ms=max_ms, max_drop=MAX_DROP),
            Limits(max_kb=tight),
            Limits(max_kb=tight, max_drop=0.0),
        ]
    return limits


def _compare_with_all(
    job: ExportJob, trials: Trials, limits: Limits, recipes: Sequence[Recipe]
) -> Budget:
    search = Search(trials, trials.layers, limits, MAX_FILES - 1)
    search.run(recipes, lambda pure: measure_costs(job, trials, pure))
    return budget(limits, search.files, best(search.files, limits), trials.files)


def _compare_with_recipes(
    job: ExportJob, trials: Trials, limits: Limits, recipes: Sequence[Recipe]
) -> Budget:
    search, found = find_best(job, trials, limits, recipes, MAX_FILES - 1)
    measured = {file.name: file for file in trials.files}  # the best were timed again
    tried = [measured[file.name] for file in search.files]
    return budget(limits, tried, found, [file for file in tried if file.is_recipe])


def budget(
    limits: Limits, tried: Sequence[Tried], found: Tried | None, others: Sequence[Tried]
) -> Budget:
    """Compare what a search has found with the best of other files."""
    rival = best(others, limits)
    no_worse = rival is None
    if found and rival:
        left = best_in(limits.within([found, *others]), limits.order)
        no_worse = any(file.name == found.name for file in left)
    return Budget(limits, tried, found, rival, no_worse)


def claims(network: Network, whole: bool) -> list[Claim]:
    """Return a claim for each budget; its value is the number of files that were tried."""
    rivals = f"all {len(network.trials.files)} files" if whole else "the recipes"
    return [
        Claim(
            f"within {_in_words(each.limits)}, the file that is chosen for {network.name} is as "
            f"good as the best of {rivals}, after fewer than {MAX_FILES} files (files tried)",
            each.no_worse and len(each.tried) < MAX_FILES,
            len(each.tried),
        )
        for each in network.budgets
    ]


def _in_words(limits: Limits) -> str:
    parts = (
        (limits.max_ms, "{:.4g} ms"),
        (limits.max_kb, "{:.4g} kB"),
        (limits.max_drop, "a drop of {:.4g} points"),
    )
    return " and ".join(text.format(value) for value, text in parts if value is not None)


def _details(network: Network) -> dict[str, Any]:
    layers = network.trials.layers

    def summary(file: Tried | None) -> dict[str, Any] | None:
        if file is None:
            return None
        known = {"file": label(file, layers), "kb": (file.size_bytes or 0) / 1000}
        if not file.usable:
            return {**known, "refused": file.reasons}
        return {**known, "drop_points": file.drop_points, "ms": file.value("latency")}

    return {
        "network": network.name,
        "budgets": [
            {
                "limits": each.limits.__dict__,
                "order": each.limits.order,
                "files_tried": len(each.tried),
                "chosen": summary(each.found),
                "best_of_the_others": summary(each.rival),
                "same_file": bool(each.found and each.rival and each.found.name == each.rival.name),
                "no_worse": each.no_worse,
            }
            for each in network.budgets
        ],
        "files": [summary(file) for file in network.trials.files],
    }


def _figure(networks: Sequence[Network]) -> Figure:
    """Draw the files of each network, and those that are chosen."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5 * len(networks), 4.2), layout="constrained")
    panels = figure.subplots(1, len(networks), squeeze=False)[0]
    for axes, network in zip(panels, networks, strict=True):
        files = [file for file in network.trials.files if file.usable]
        chosen = [each.found for each in network.budgets if each.found]
        for shown, style, text in (
            ([f for f in files if not f.is_recipe], {"c": "0.6", "s": 12}, "mix of types by layer"),
            ([f for f in files if f.is_recipe], {"c": "C0", "marker": "s"}, "recipe"),
            (
                chosen,
                {"facecolors": "none", "edgecolors": "C3", "s": 120},
                "chosen within one of the limits",
            ),
        ):
            axes.scatter(
                [file.value("latency") for file in shown],
                [file.value("size") for file in shown],
                label=text,
                **style,
            )
        show_latency(axes)
        axes.set_ylabel("size, kB")
        axes.set_title(network.name)
        axes.legend(fontsize="small")
    return figure
