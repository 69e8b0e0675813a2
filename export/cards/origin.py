"""Where a run's network comes from: its data, its training, the command that repeats it.

Paths of the machine that trained it are reduced to their last part, because cards are public.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from pathlib import PurePath
from typing import Literal, NamedTuple

from cnn_keras.data.sources import SOURCES
from cnn_keras.errors import Error
from cnn_keras.training.config import public_config
from cnn_keras.training.recipe_file import recipe_toml, shown_values
from cnn_keras.training.recipes import UNUSED, Recipe
from cnn_keras.training.run_folder import Run

Kind = Literal["training", "ensemble", "published weights", "external model"]

RECIPE_FILE = "recipe.toml"

_PUBLISHED_SIZE = 224  # the default of `import-weights --image-size`


class DataFacts(NamedTuple):
    """A data set as a card describes it.

    Attributes:
        title: Its name.
        page: Web page that describes it; None for images of the user.
        license: Name of its license; None if none is known.
        hub_name: Name on the Hugging Face Hub; None if it is not there.
        kind: ``"named"``, or the prefix of the data set's name: ``"folder"``, ``"csv"``, ``"npz"``,
            ``"tfds"``; ``"photographs"`` for the images without labels.
    """

    title: str
    page: str | None
    license: str | None
    hub_name: str | None
    kind: str


def kind_of(run: Run) -> Kind:
    """Return where the network of a run comes from."""
    if run.is_ensemble:
        return "ensemble"
    if "imported" in run.config:
        return "published weights"
    return "external model" if "adopted" in run.config else "training"


def data_facts(name: str) -> DataFacts:
    """Describe a data set.

    Args:
        name: See `datasets.load`.

    Example:
        >>> data_facts("folder:/home/ada/flowers").title
        'flowers'
    """
    if source := SOURCES.get(name):
        return DataFacts(source.title, source.page, source.license, source.hub_name, "named")
    kind, colon, rest = name.partition(":")
    if not colon:  # `photographs`
        return DataFacts(name, None, None, None, name)
    if kind == "tfds":
        base = rest.partition("/")[0].partition(":")[0]
        page = f"https://www.tensorflow.org/datasets/catalog/{base}"
        return DataFacts(rest, page, None, None, kind)
    return DataFacts(PurePath(rest).name, None, None, None, kind)


def recipe_of(run: Run) -> Recipe:
    """Return the training recipe of a run.

    Raises:
        Error: `config.json` has no recipe, or a broken one.
    """
    try:
        return Recipe.from_dict(run.config["recipe"])
    except (KeyError, TypeError, ValueError) as error:
        raise Error(f"The recipe in {run.path / 'config.json'} is broken: {error!r}.") from error


def recipe_text(run: Run) -> str:
    """Return the content of a run's `recipe.toml`, which early versions did not write."""
    path = run.path / RECIPE_FILE
    return path.read_text(encoding="utf-8") if path.is_file() else recipe_toml(recipe_of(run))


def command(run: Run) -> str:
    """Return the command that makes the run again, with `recipe.toml` in the current folder.

    For an ensemble, it is the training of the first member. An external model has no command,
    because its options are known only as they were applied.
    """
    config = public_config(run.config)
    out = run_name(run)
    if imported := config.get("imported"):
        words = ["import-weights", imported["name"], imported["file"]]
        if config["data"] != "photographs":
            words += ["--data", config["data"]]
        if run.preprocessing.height != _PUBLISHED_SIZE:
            words += ["--image-size", str(run.preprocessing.height)]
        return shlex.join(["cnn-keras", *words, "--out", out])
    words = ["train", config["network"], "--data", config["data"], "--recipe", RECIPE_FILE]
    words += ["--seed", str(config["seed"])]
    if options := config["options"]:
        words += ["--options", *(f"{name}={value}" for name, value in options.items())]
    for name in (
        "train_images",
        "image_size",
        "weights",
        "freeze_until",
        "class_weights",
        "validation_images",
    ):
        if config.get(name) is not None:
            words += [f"--{name.replace('_', '-')}", str(config[name])]
    if config.get("skipped_files"):
        words.append("--skip-broken")
    return shlex.join(["cnn-keras", *words, "--out", out])


def run_name(run: Run) -> str:
    """Return a name for a run: its network, and the data set that it was trained on."""
    network: str = run.config["network"]
    if kind_of(run) in ("published weights", "external model"):
        return network
    data = run.config["data"]
    stem = data if data in SOURCES else PurePath(data.partition(":")[2]).stem
    return re.sub(r"[^\w.-]", "_", f"{network}_{stem}")


def recipe_summary(recipe: Recipe) -> str:
    """Return the values of a recipe as one line, without defaults and values without effect."""
    defaults = {field.name: field.default for field in fields(Recipe)}
    return ", ".join(
        f"{name.replace('_', ' ')} {text}"
        for name, text in shown_values(recipe).items()
        if getattr(recipe, name) != defaults[name] and name not in UNUSED[recipe.schedule]
    )
