"""The list of the trained networks of the package."""

from __future__ import annotations

import json
from typing import Any

from ..data.sources import SOURCES
from ..experiments.estimates import wilson
from ..tables import table as make_table
from ..trained.table import FOLDER, TRAINED, WEIGHTS, TrainedNetwork
from ..training.recipes import OMITTED, recipe
from ..zoo import ZOO


def documents() -> list[dict[str, Any]]:
    """Return what is known about each trained network, as JSON types.

    Accuracies are fractions, and the interval is that of a sample of the size of the test split.
    """
    return [_document(trained) for trained in TRAINED.values()]


def _document(trained: TrainedNetwork) -> dict[str, Any]:
    config, metrics = trained.read_json("config.json"), trained.read_json("metrics.json")
    test = metrics["test"]
    return {
        "name": trained.name,
        "network": trained.network,
        "data": trained.data,
        "options": config["options"],
        "input_shape": list(trained.input_shape),
        "num_classes": trained.num_classes,
        "test_accuracy": test["accuracy"],
        "test_accuracy_interval": list(wilson(test["accuracy"], test["num_images"])),
        "num_test_images": test["num_images"],
        "size_bytes": (trained.folder / WEIGHTS).stat().st_size,
        "license": SOURCES[trained.data].license,
        "recipe": str(trained.folder / "recipe.toml"),
        "recipe_changes": _changes(config["recipe"], trained.network),
        "train_images": config["train_images"],
        "validation_images": config.get("validation_images"),
        "seed": config["seed"],
        "weights": config["weights"],
        "sha256": trained.sha256,
        "remarks": metrics.get("remarks", []),
    }


def _changes(values: dict[str, Any], network: str) -> dict[str, Any]:
    """Return the values of a recipe that are not those of the network's paper."""
    paper = json.loads(json.dumps(recipe(ZOO[network].recipe).to_dict()))  # with lists for tuples
    theirs = OMITTED | paper
    return {name: value for name, value in (OMITTED | values).items() if value != theirs[name]}


def table(rows: list[dict[str, Any]]) -> Any:
    """Return a rich table of the documents."""
    columns = ("name", "test accuracy, %", "95 % interval", "images", "size, kB")
    return make_table(
        (*columns, "license of the data", "recipe", "SHA-256"),
        [
            (
                row["name"],
                f"{100 * row['test_accuracy']:.2f}",
                "{:.2f} to {:.2f}".format(*(100 * v for v in row["test_accuracy_interval"])),
                row["num_test_images"],
                round(row["size_bytes"] / 1000, 1),
                row["license"] or "none stated",
                _describe(row["recipe_changes"]),
                row["sha256"][:12],
            )
            for row in rows
        ],
        remarks=(
            *(f"{row['name']}: {remark}" for row in rows for remark in row["remarks"]),
            f"The recipes are the files recipe.toml in the folders of {FOLDER}.",
        ),
    )


def _describe(changes: dict[str, Any]) -> str:
    if not changes:
        return "the paper's"
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changes.items())
