"""The command line: commands are frozen dataclasses, their fields are the options.

`main` serves this package's commands; `export` adds its own to the same table.
"""

from __future__ import annotations

import io
import json as json_module
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union

import tyro

from . import __version__
from .command import Outcome, log, one_line, printable, start_keras
from .errors import Error, UsageError

Command = Callable[[], Outcome]

NetworkName = Annotated[str, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True)
class List:
    """List the networks of the zoo."""

    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .zoo import ZOO

        rows = [
            {
                "name": name,
                "depth": row.depth,
                "parameters": row.parameters,
                "macs": row.macs,
                "input_shape": row.input_shape,
                "num_classes": row.num_classes,
                "top5_error": row.top5_error,
                "paper": row.paper,
            }
            for name, row in ZOO.items()
        ]
        columns = ("name", "depth", "parameters", "MACs", "input", "classes", "top-5 error, %")
        lines = [
            (
                *(name, row.depth, row.parameters, row.macs),
                "×".join(map(str, row.input_shape)),
                row.num_classes,
                "" if row.top5_error is None else row.top5_error,
                row.paper,
            )
            for name, row in ZOO.items()
        ]
        return Outcome(rows, table((*columns, "paper"), lines))


@dataclass(frozen=True)
class Summary:
    """Show a network's rows beside its paper's numbers.

    Output, receptive field, parameters, multiply-adds, neurons and activation memory, with a note
    wherever the paper prints something else.
    """

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels; the paper's by default."""
    num_classes: int | None = None
    """Number of classes; the paper's by default."""
    options: tuple[str, ...] = ()
    """The family's own choices, for example form=1998 or shortcut=B."""
    markdown: bool = False
    """Print a table for a page on GitHub."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .zoo import network

        network(self.name)  # a wrong name is said before Keras is imported
        start_keras()
        from .inspection import summary

        options = parse_options(self.options)
        found = summary.summarize(self.name, self.input_shape, self.num_classes, options)
        text = summary.markdown(found) if self.markdown else summary.table(found)
        return Outcome(summary.document(found), text)


@dataclass(frozen=True, kw_only=True)
class RecipeValues:
    """What to replace in a network's own training recipe."""

    epochs: int | None = None
    """Passes over the training images; the schedule is stretched to them."""
    batch_size: int | None = None
    """Images a step."""
    learning_rate: float | None = None
    """Rate before the first milestone."""
    momentum: float | None = None
    """Momentum of the gradient."""
    weight_decay: float | None = None
    """Coefficient of the L2 penalty."""
    milestones: tuple[float, ...] | None = None
    """Parts of the training after which the rate falls, for example 0.5 0.75."""
    factor: float | None = None
    """What the rate is multiplied with at a milestone."""
    shift: float | None = None
    """Largest random shift, as a part of the picture's width and height; 0 for none."""
    rotation: float | None = None
    """Largest random rotation, in degrees; 0 for none."""
    flip: bool | None = None
    """Mirror pictures at random; never where it would change the class of a known data set."""
    warmup_steps: int | None = None
    """Steps at another rate before the schedule's own; 0 for none. Left out where the
    rate falls before they are over."""
    warmup_rate: float | None = None
    """Rate of those steps."""

    def recipe(self) -> dict[str, Any]:
        """Return what was given, by the recipe's names."""
        given = {field.name: getattr(self, field.name) for field in fields(RecipeValues)}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True)
class Train(RecipeValues):
    """Train a network by its paper's recipe.

    The same command resumes a training that was interrupted or killed.
    """

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""
    data: str
    """Data set: digits, fashion_mnist, mnist, cifar10, cifar100; or folder:PATH, pictures in
    train/ and val/ or test/ with a sub-folder for each class, or such sub-folders, which are then
    split."""
    out: Path
    """Run folder to write."""
    seed: int = 0
    """Decides initial weights, order and distortions."""
    train_images: int | None = None
    """Train on this many images, seeded and stratified."""
    image_size: int | None = None
    """Side of the network's input; by default that of the weights, the data set or the paper."""
    weights: Path | None = None
    """Start from this run folder, .keras or .weights.h5 file of the same network. A run's options,
    input and normalization come with it."""
    freeze_until: str | None = None
    """Leave the rows up to this one, as `summary` names them, as the weights have them."""
    options: tuple[str, ...] = ()
    """The family's own choices, for example form=1998 or shortcut=B."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    tensorboard: bool = False
    """Also write logs for TensorBoard."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .training.train import Training, train

        training = Training.of(
            self.name,
            self.data,
            recipe=self.recipe(),
            seed=self.seed,
            options=parse_options(self.options),
            train_images=self.train_images,
            image_size=self.image_size,
            weights=self.weights,
            freeze_until=self.freeze_until,
        )
        if self.tensorboard:
            require("tensorboard")
        start_keras()
        try:
            run = train(training, self.out, self.data_dir, self.tensorboard)
        except KeyboardInterrupt:
            log(f"Interrupted; the same command resumes {self.out} after its last whole epoch.")
            return Outcome({"run": str(self.out), "interrupted": True}, "", exit_code=130)
        metrics = run.metrics
        text = (
            f"{self.out}: test accuracy {metrics['test']['accuracy']:.4f} on "
            f"{metrics['test']['num_images']} images, validation "
            f"{metrics['validation']['accuracy']:.4f}, {metrics['train_seconds']:.0f} s of training"
        )
        return Outcome({"run": str(self.out), **metrics}, text)


@dataclass(frozen=True)
class ImportWeights:
    """Make a run folder of weights that keras.applications or torchvision publishes.

    Every tensor is used and every layer filled, or nothing is written; no code in the file is run.
    """

    name: tyro.conf.Positional[NetworkName]
    """The weights' name there: vgg16, vgg16_bn, resnet50, googlenet, ..."""
    file: tyro.conf.Positional[Path]
    """.h5 or .keras of keras.applications; of torchvision .safetensors, or what `torch.save` wrote
    (.pth, .pt, .ckpt, .tar): the state dict, or a checkpoint that has it."""
    out: Path
    """Run folder to write."""
    labels: Path | None = None
    """Class names, one a line; by default ImageNet's if there are 1,000 classes, else numbers."""
    image_size: int = 224
    """Side of the pictures that the weights were trained on; 224 of all published ones."""
    data: str = "photographs"
    """Data set that exports are judged on: folder:PATH, with sub-folders named like labels. By
    default two photographs, without labels: files are then held against the Keras model alone."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .weights.published import find, import_weights

        find(self.name, self.file)  # a wrong name is said before Keras is imported
        start_keras()
        imported = import_weights(
            self.name,
            self.file,
            self.out,
            labels=self.labels,
            image_size=self.image_size,
            data_name=self.data,
            data_dir=self.data_dir,
        )
        config = imported.run.config
        document = {
            "run": str(self.out),
            **config,
            "num_classes": len(imported.run.classes),
            "guesses": {name: guess._asdict() for name, guess in imported.guesses.items()},
        }
        options = ", ".join(f"{key}={value}" for key, value in config["options"].items())
        sees = ", ".join(
            f"{guess.label} ({guess.probability:.2f}) in {name}"
            for name, guess in imported.guesses.items()
        )
        text = (
            f"{self.out}: {config['network']}{f' with {options}' if options else ''} and the "
            f"weights of {imported.weights.publisher.name}, {document['num_classes']} classes; "
            f"sees {sees}"
        )
        return Outcome(document, text)


@dataclass(frozen=True)
class Evaluate:
    """Evaluate a run's network on a split of its data set."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    split: str = "test"
    """train, validation or test."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .training.evaluate import confusion_matrix, scores
        from .training.run_folder import Run

        run = Run.open(self.run)
        start_keras()
        dataset = run.dataset(self.data_dir)
        split = dataset.split(self.split)
        if not dataset.labeled:
            raise UsageError(
                f"Nobody has labeled the {dataset.name} of {self.run}: import its weights, or "
                "export its model, with --data folder:PATH."
            )
        probabilities = run.predict(split.images)
        found = scores(probabilities, split.labels)
        confusion = confusion_matrix(probabilities, split.labels)
        document = {
            "run": str(self.run),
            "split": self.split,
            **found,
            "confusion_matrix": confusion.tolist(),
        }
        lines = [
            (name, int(row.sum()), f"{row[i] / max(row.sum(), 1):.4f}")
            for i, (name, row) in enumerate(zip(run.classes, confusion, strict=True))
            if row.any()  # a network may tell more classes than its data set has
        ]
        lines.append(("all", found["num_images"], f"{found['accuracy']:.4f}"))
        columns = ("class", "images", "accuracy")
        return Outcome(document, table(columns, lines, title=f"{self.run}, {self.split} split"))


@dataclass(frozen=True)
class Predict:
    """Say what a run's network sees in pictures."""

    run: tyro.conf.Positional[Path]
    """Run folder."""
    images: tyro.conf.Positional[tuple[Path, ...]]
    """Pictures in any format, mode, orientation and size that Pillow reads."""
    top: int = 3
    """How many classes to name."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .data import image_folder
        from .training.evaluate import top_k
        from .training.run_folder import Run

        if not self.images:
            raise UsageError("Name one image or more.")
        if self.top < 1:
            raise UsageError(f"--top is 1 or more, not {self.top}.")
        run = Run.open(self.run)
        seen = run.preprocessing
        pixels = image_folder.decode(self.images, (seen.height, seen.width, seen.channels))
        start_keras()
        answers = [top_k(row, run.classes, self.top) for row in run.predict(pixels)]
        document = [
            {"image": str(path), "top": [guess._asdict() for guess in guesses]}
            for path, guesses in zip(self.images, answers, strict=True)
        ]
        lines = [
            (str(path), ", ".join(f"{g.label} {g.probability:.3f}" for g in guesses))
            for path, guesses in zip(self.images, answers, strict=True)
        ]
        return Outcome(document, table(("image", "classes"), lines))


class Group(NamedTuple):
    """Commands under one name: `cnn-keras study accuracy`."""

    summary: str
    commands: Mapping[str, type]


COMMANDS: dict[str, type] = {
    "list": List,
    "summary": Summary,
    "train": Train,
    "import-weights": ImportWeights,
    "evaluate": Evaluate,
    "predict": Predict,
}


def parse_options(pairs: Sequence[str]) -> dict[str, str]:
    """Turn `["depth=20", "form=1998"]` into a builder's options, which `zoo` reads.

    Raises:
        UsageError: A pair without `=`.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"An option is KEY=VALUE, not '{pair}'.")
        options[key] = value
    return options


def require(package: str) -> None:
    """Check that an optional package is there.

    Raises:
        Error: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise Error(f"This needs {package}: pip install {package}.")


def table(
    columns: Sequence[str],
    lines: Sequence[Sequence[object]],
    title: str = "",
    remarks: Sequence[str] = (),
) -> Any:
    """Return a rich table; whole numbers are right-aligned with thousands separators.

    Args:
        columns: Their heads.
        lines: A cell for each of them.
        title: Stands above.
        remarks: Stand below, one a line.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    result = Table(*columns, title=shown(title) or None, title_justify="left", box=SIMPLE_HEAD)
    result.caption, result.caption_justify = "\n".join(map(shown, remarks)) or None, "left"
    for index, column in enumerate(result.columns):
        column.overflow = "fold"
        if all(isinstance(line[index], int | float) for line in lines):
            column.justify = "right"
    for line in lines:
        result.add_row(*(f"{cell:,}" if isinstance(cell, int) else shown(cell) for cell in line))
    return result


def shown(value: object) -> str:
    """Return a value as rich shows it, whose brackets are no markup."""
    from rich.markup import escape

    return escape(printable(str(value)))


def parse(commands: Mapping[str, type | Group], argv: Sequence[str], prog: str) -> Any:
    """Parse a command line; a wrong one is said in one line.

    Raises:
        UsageError: The command line is wrong.
        SystemExit: Help was asked for.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.cli(
                _union(commands),
                prog=prog,
                description="The classic convolutional networks, from the paper to the phone.",
                args=list(argv),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
    except SystemExit as stop:
        if not stop.code:
            raise
        words = (line.strip("╭╮╰╯│─ ") for line in said.getvalue().splitlines()[1:])
        # Where a terminal shows only ASCII, its lines are drawn with hyphens.
        line = " ".join(word for word in words if word.strip("-")).split(" For full helptext")[0]
        raise UsageError(f"{line} (see {prog} --help)") from None


def _union(commands: Mapping[str, type | Group]) -> Any:
    """Return commands as the union of types that tyro parses subcommands from."""
    members = []
    for name, command in commands.items():
        summary, members_of = command if isinstance(command, Group) else (None, None)
        kind = _union(members_of) if members_of else command
        named = tyro.conf.subcommand(name, description=summary, prefix_name=False)
        members.append(Annotated[kind, named])
    return Union[tuple(members)]  # noqa: UP007 (made at run time)


def main(
    commands: Mapping[str, type | Group] = COMMANDS,
    argv: Sequence[str] | None = None,
    prog: str = "cnn-keras",
) -> int:
    """Run one command and return its exit code.

    Results go to stdout, progress and errors to stderr.

    Args:
        commands: Name to command.
        argv: Arguments; those of the process by default.
        prog: Name in help and errors.

    Returns:
        0 done, 1 the work failed or a check refused, 2 wrong usage, 130 interrupted.
    """
    _open_output()
    arguments = sys.argv[1:] if argv is None else argv
    if list(arguments) == ["--version"]:
        print(f"{prog} {__version__}")  # noqa: T201
        return 0
    try:
        command = parse(commands, arguments, prog)
        outcome = command()
        if command.json:
            print(json_module.dumps(outcome.document, indent=2))  # noqa: T201
        elif isinstance(outcome.text, str):
            print(outcome.text, end="\n" if outcome.text else "")  # noqa: T201
        else:
            from rich.console import Console

            # A pipe or a file has no width of its own: 160 columns fold nothing.
            width = None if sys.stdout.isatty() else 160
            Console(highlight=False, width=width).print(outcome.text)
        sys.stdout.flush()
    except KeyboardInterrupt:
        log(f"{prog}: interrupted")
        return 130
    except ModuleNotFoundError as error:  # a board has only what the benchmark needs
        package = (error.name or "").partition(".")[0]
        return _fail(Error(f"This needs the package '{package}', which is not installed."), prog)
    except Exception as error:
        # Errors that a user can mend carry their exit code, here and in `export`.
        if not isinstance(error, OSError) and not hasattr(error, "exit_code"):
            raise
        return _fail(error, prog)
    return int(outcome.exit_code)


def _open_output() -> None:
    """Let no work end because its results cannot be shown: escape them, or drop them."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who started this process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(error: Exception, prog: str) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of stdout left: `cnn-keras list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    log(f"{prog}: {one_line(error)}")
    return getattr(error, "exit_code", 1)
