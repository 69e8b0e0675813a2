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
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union

import tyro

from . import __version__
from .command import Outcome, log, start_keras
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
                "input_shape": row.input_shape,
                "num_classes": row.num_classes,
                "paper": row.paper,
            }
            for name, row in ZOO.items()
        ]
        columns = ("name", "depth", "parameters", "input shape", "classes", "paper")
        return Outcome(rows, table(columns, [tuple(row.values()) for row in rows]))


@dataclass(frozen=True)
class Summary:
    """Show a network's rows: output, parameters, multiply-adds."""

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""
    input_shape: tuple[int, int, int] | None = None
    """Height, width and channels; the paper's by default."""
    num_classes: int | None = None
    """Number of classes; the paper's by default."""
    options: tuple[str, ...] = ()
    """The family's own choices, for example form=1998 or shortcut=B."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .zoo import build, network

        paper = network(self.name).paper
        start_keras()
        from .anatomy import rows

        model = build(self.name, self.input_shape, self.num_classes, **parse_options(self.options))
        found = rows(model)
        parameters, macs = sum(r.parameters for r in found), sum(r.macs for r in found)
        document = {
            "name": self.name,
            "paper": paper,
            "input_shape": list(model.input_shape[1:]),
            "parameters": parameters,
            "macs": macs,
            "rows": [row._asdict() for row in found],
        }
        lines = [
            (r.row, r.layers, "×".join(map(str, r.output_shape)), r.parameters, r.macs)
            for r in found
        ]
        lines.append(("total", "", "", parameters, macs))
        columns = ("row", "layers", "output", "parameters", "MACs")
        return Outcome(document, table(columns, lines, title=f"{self.name}: {paper}"))


@dataclass(frozen=True)
class Train:
    """Train a network by its paper's recipe.

    The same command resumes a training that was interrupted or killed.
    """

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""
    data: str
    """Data set: digits, fashion_mnist, mnist, cifar10, cifar100."""
    out: Path
    """Run folder to write."""
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
    seed: int = 0
    """Decides initial weights, order and distortions."""
    train_images: int | None = None
    """Train on this many images, seeded and stratified."""
    image_size: int | None = None
    """Side of the network's input; the data set's by default."""
    options: tuple[str, ...] = ()
    """The family's own choices, for example form=1998 or shortcut=B."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    tensorboard: bool = False
    """Also write logs for TensorBoard."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .data import SOURCES
        from .errors import unknown
        from .train import Training, train

        training = Training.of(
            self.name,
            self.data,
            recipe={
                "epochs": self.epochs,
                "batch_size": self.batch_size,
                "learning_rate": self.learning_rate,
                "momentum": self.momentum,
                "weight_decay": self.weight_decay,
            },
            seed=self.seed,
            options=parse_options(self.options),
            train_images=self.train_images,
            image_size=self.image_size,
        )
        if self.data not in SOURCES:
            raise unknown("data set", self.data, SOURCES)
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
        from .evaluate import confusion_matrix, scores
        from .runs import Run

        run = Run.open(self.run)
        start_keras()
        split = run.dataset(self.data_dir).split(self.split)
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
        import numpy as np

        from .evaluate import top_k
        from .preprocessing import open_image
        from .runs import Run

        if not self.images:
            raise UsageError("Name one image or more.")
        run = Run.open(self.run)
        pixels = np.stack([run.preprocessing.pixels(open_image(path)) for path in self.images])
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


@dataclass(frozen=True)
class Accuracy:
    """Train a network with several seeds and record its test accuracy.

    Finished runs are skipped, so that the command resumes.
    """

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""
    data: str
    """Data set, as `train` names it."""
    at_least: float
    """Accuracy claimed, between 0 and 1."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """One run each."""
    epochs: int | None = None
    """Passes over the training images; the recipe's by default."""
    max_seconds: float | None = None
    """Also claim that no training takes longer."""
    runs: Path = Path("runs")
    """Folder of the run folders."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .records import claims_table
        from .studies.accuracy import accuracy
        from .train import Training

        training = Training.of(self.name, self.data, recipe={"epochs": self.epochs})
        start_keras()
        document = accuracy(
            training,
            self.seeds,
            self.at_least,
            self.runs,
            self.out,
            max_seconds=self.max_seconds,
            data_dir=self.data_dir,
        )
        return Outcome(document, claims_table(document))


class Group(NamedTuple):
    """Commands under one name: `cnn-keras study accuracy`."""

    summary: str
    commands: Mapping[str, type]


STUDIES: dict[str, type] = {"accuracy": Accuracy}

COMMANDS: dict[str, type] = {
    "list": List,
    "summary": Summary,
    "train": Train,
    "evaluate": Evaluate,
    "predict": Predict,
}


def parse_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Turn `["depth=20", "form=1998"]` into keyword arguments of a builder.

    Raises:
        UsageError: A pair without `=`.
    """
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"An option is KEY=VALUE, not '{pair}'.")
        options[key] = int(value) if key == "depth" and value.isdigit() else value
    return options


def require(package: str) -> None:
    """Check that an optional package is there.

    Raises:
        Error: It is not installed.
    """
    from importlib.util import find_spec

    if find_spec(package) is None:
        raise Error(f"This needs {package}: pip install {package}.")


def table(columns: Sequence[str], lines: Sequence[Sequence[object]], title: str = "") -> Any:
    """Return a rich table; whole numbers are right-aligned with thousands separators."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    result = Table(*columns, title=title or None, title_justify="left", box=SIMPLE_HEAD)
    for index, column in enumerate(result.columns):
        column.overflow = "fold"
        if all(isinstance(line[index], int | float) for line in lines):
            column.justify = "right"
    for line in lines:
        result.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in line))
    return result


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
        line = " ".join(word for word in words if word).split(" For full helptext")[0]
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


def _fail(error: Exception, prog: str) -> int:
    if isinstance(error, BrokenPipeError):  # the reader of stdout left: `cnn-keras list | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename or 'Input or output'}: {error.strerror}."
    log(f"{prog}: {' '.join(message.split())}")
    return getattr(error, "exit_code", 1)
