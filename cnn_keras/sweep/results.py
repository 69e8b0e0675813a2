"""The results of a sweep: its table, its CSV file, and the best recipe."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from ..command import write_together
from ..errors import Error
from ..tables import table
from ..training.recipe_file import recipe_toml
from .trials import Trial, value_text, values_text


def best_trial(trials: Sequence[Trial]) -> Trial:
    """Return the complete trial with the highest validation accuracy, of equal ones the first.

    Raises:
        Error: No trial is complete.
    """
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        raise Error(f"No trial is complete: {trials[-1].name}: {trials[-1].reason}")
    return max(complete, key=Trial.accuracy)


def document(trials: Sequence[Trial], out: Path) -> dict[str, Any]:
    """Return the results for `--json`.

    Args:
        trials: Trials, none of which is running.
        out: Folder of the run folders.
    """
    best = best_trial(trials)
    return {
        "out": str(out),
        "trials": [_row(trial) for trial in trials],
        "best": {
            **_row(best),
            "test_accuracy": mean(run.metrics["test"]["accuracy"] for run in best.runs),
            "recipe": str(out / "best_recipe.toml"),
        },
    }


def _row(trial: Trial) -> dict[str, Any]:
    accuracies = trial.accuracies() if trial.epochs else []
    return {
        "values": dict(trial.values),
        "state": trial.state,
        **({"reason": trial.reason} if trial.state == "failed" else {}),
        "epochs": trial.epochs,
        "validation_accuracy": mean(accuracies) if accuracies else None,
        "validation_accuracy_of_seeds": accuracies,
        "runs": [str(run.path) for run in trial.runs],
    }


def write_results(results: dict[str, Any], trials: Sequence[Trial], out: Path) -> None:
    """Write trials.csv, a row for each trial, and best_recipe.toml.

    Args:
        results: See `document`.
        trials: The trials.
        out: The folder.
    """
    rows = [
        {
            **{key: value_text(value) for key, value in row["values"].items()},
            **{key: row[key] for key in ("state", "epochs", "validation_accuracy")},
            **{
                f"validation_accuracy_seed_{task.training.seed}": accuracy
                for task, accuracy in zip(
                    trials[0].tasks, row["validation_accuracy_of_seeds"], strict=False
                )
            },
        }
        for row in results["trials"]
    ]
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    recipe = best_trial(trials).tasks[0].training.recipe
    write_together(
        {out / "trials.csv": text.getvalue(), out / "best_recipe.toml": recipe_toml(recipe)}
    )


def results_table(results: dict[str, Any]) -> Any:
    """Return the trials as a table, the best first."""
    order = {"complete": 0, "pruned": 1, "failed": 2}
    ranked = sorted(
        results["trials"],
        key=lambda row: (order[row["state"]], -(row["validation_accuracy"] or 0)),
    )
    names = list(ranked[0]["values"])
    rows = [
        (
            *map(value_text, row["values"].values()),
            "–" if row["validation_accuracy"] is None else f"{row['validation_accuracy']:.4f}",
            row["epochs"],
            row["state"],
        )
        for row in ranked
    ]
    remarks = [
        f"{values_text(row['values'])} failed: {row['reason']}"
        for row in ranked
        if row["state"] == "failed"
    ]
    best = results["best"]
    remarks.append(
        f"The best recipe is in {best['recipe']}; its test accuracy is "
        f"{best['test_accuracy']:.4f}, which was not used to choose it."
    )
    columns = (*(name.replace("_", " ") for name in names), "validation accuracy", "epochs", "")
    return table(columns, rows, remarks=remarks)
