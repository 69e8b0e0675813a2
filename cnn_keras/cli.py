"""The command line: a table of commands, its parser and `main`.

`cnn_keras.cli.main` serves the commands of this package; `export.cli` adds its own to the table.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import Annotated, Any, NamedTuple, Union

import tyro

from . import __version__
from .command import Command, interruption, log, one_line, terminable
from .comparison.cli import Compare
from .data.check.cli import DatasetCheck
from .errors import Error, UsageError, unknown
from .inspection.cli import List, Summary
from .options import SHOWN_DEFAULTS
from .packing.cli import PackWeights
from .sweep.cli import Sweep
from .training.cli import Evaluate, Predict, Train
from .training.recipe_file import named_recipe, shown_values
from .training.recipes import recipe
from .weights.cli import ImportWeights
from .zoo import ZOO


class Group(NamedTuple):
    """Commands under one name: `cnn-keras study accuracy`."""

    summary: str
    commands: Mapping[str, type[Command] | Group]


COMMANDS: dict[str, type[Command] | Group] = {
    "list": List,
    "summary": Summary,
    "dataset": Group("Check a data set.", {"check": DatasetCheck}),
    "train": Train,
    "sweep": Sweep,
    "import-weights": ImportWeights,
    "pack-weights": PackWeights,
    "evaluate": Evaluate,
    "predict": Predict,
    "compare": Compare,
}


def parse(commands: Mapping[str, type[Command] | Group], argv: Sequence[str], prog: str) -> Command:
    """Parse a command line.

    Raises:
        UsageError: The command line is wrong; the message is one line.
        SystemExit: Help was requested and is printed.
    """
    top = Group("Classic convolutional networks, from the paper to the phone.", commands)
    named, rest = _find(top, argv)
    prog = " ".join([prog, *argv[: len(argv) - len(rest)]])
    stderr = io.StringIO()
    before = SHOWN_DEFAULTS.set(_recipe_values(argv))
    try:
        with redirect_stderr(stderr):
            command: Command = tyro.cli(
                _union(named.commands) if isinstance(named, Group) else named,
                prog=prog,
                description=named.summary if isinstance(named, Group) else None,
                args=list(rest),
                config=(tyro.conf.FlagCreatePairsOff,),
            )
            return command
    except SystemExit as stop:
        if not stop.code:
            raise
        raise UsageError(f"{_message(stderr.getvalue())} (see {prog} --help)") from None
    finally:
        SHOWN_DEFAULTS.reset(before)


def _message(printed: str) -> str:
    """Return an error that tyro printed as one line, without its box and the help of options."""
    texts = (line[2:] for line in printed.splitlines()[1:])
    # tyro indents the help by eight. Where a terminal shows only ASCII, its boxes are of hyphens.
    shown = (text.strip("╭╮╰╯│─ ") for text in texts if not text.startswith(8 * " "))
    line = " ".join(text for text in shown if text.strip("-"))
    return re.split(" For full helptext| Argument helptext", line)[0]


def _find(group: Group, argv: Sequence[str]) -> tuple[type[Command] | Group, Sequence[str]]:
    """Return the command, or the group, that the first words name, and the words after them.

    Raises:
        UsageError: There is no such command.
    """
    if not argv or argv[0].startswith("-"):
        return group, argv
    name, *rest = argv
    if name not in group.commands:
        raise unknown("command", name, group.commands)
    command = group.commands[name]
    return _find(command, rest) if isinstance(command, Group) else (command, rest)


def _recipe_values(argv: Sequence[str]) -> dict[str, str]:
    """Describe the values of a recipe, for the help of a command line that names a network."""
    network = next((word for word in argv if word in ZOO), None)
    if network is None or not {"-h", "--help"} & {*argv}:
        return {}
    base = argv[[*argv].index("--recipe") + 1] if "--recipe" in argv[:-1] else "paper"
    try:
        arrays, files = (
            shown_values(named_recipe(base, recipe(ZOO[network].recipe, image_files=image_files)))
            for image_files in (False, True)
        )
    except (Error, UsageError):  # which the training reports
        return {}
    which = "recipe" if base == "paper" else f"recipe {base}"
    return {
        name: f"{text or 'none'}, of {network}'s {which}"
        if text == files[name]
        else f"{files[name]} for image files, else {text}, of {network}'s {which}"
        for name, text in arrays.items()
    }


def _union(commands: Mapping[str, type[Command] | Group]) -> Any:
    """Return the union type from which tyro makes subcommands."""
    members: list[Any] = []
    for name, command in commands.items():
        summary, subcommands = command if isinstance(command, Group) else (None, None)
        kind = _union(subcommands) if subcommands else command
        named = tyro.conf.subcommand(name, description=summary, prefix_name=False)
        members.append(Annotated[kind, named])
    if len(members) == 1:  # a union of one type is that type, which is no subcommand
        members.append(Annotated[None, tyro.conf.Suppress])
    return Union[tuple(members)]  # noqa: UP007 (made at run time)


def main(
    commands: Mapping[str, type[Command] | Group] = COMMANDS,
    argv: Sequence[str] | None = None,
    prog: str = "cnn-keras",
) -> int:
    """Run one command and return its exit code.

    Results go to stdout, progress and errors to stderr.

    Args:
        commands: Commands by name.
        argv: Arguments; those of the process by default.
        prog: Name of the program in help and errors.

    Returns:
        0 done, 1 the work failed or a check refused, 2 wrong usage, 130 interrupted, 143 terminated
        by SIGTERM.
    """
    _open_output()
    arguments = sys.argv[1:] if argv is None else argv
    if list(arguments) == ["--version"]:
        print(f"{prog} {__version__}")  # noqa: T201
        return 0
    try:
        command = parse(commands, arguments, prog)
        with terminable():
            outcome = command()
        if command.json:
            print(json.dumps(outcome.document, indent=2))  # noqa: T201
        elif isinstance(outcome.text, str):
            print(outcome.text, end="\n" if outcome.text else "")  # noqa: T201
        else:
            from rich.console import Console

            # A pipe or a file has no width: 160 columns suffice for all tables.
            width = None if sys.stdout.isatty() else 160
            Console(highlight=False, width=width).print(outcome.text)
        sys.stdout.flush()
    except KeyboardInterrupt as error:
        how, exit_code = interruption(error)
        log(f"{prog}: {how}")
        return exit_code
    except ModuleNotFoundError as error:  # a board has only the packages that `benchmark` needs
        package = (error.name or "").partition(".")[0]
        return _fail(Error(f"This needs the package '{package}', which is not installed."), prog)
    except Exception as error:
        # Errors that a user can fix have an exit code.
        if not isinstance(error, OSError) and not hasattr(error, "exit_code"):
            raise
        return _fail(error, prog)
    return int(outcome.exit_code)


def _open_output() -> None:
    """Make output never fail: escape what the encoding lacks, and discard it if it is closed."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the parent process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _fail(error: Exception, prog: str) -> int:
    # The reader of stdout has exited, as in `cnn-keras list | head -1`.
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    log(f"{prog}: {one_line(error)}")
    return getattr(error, "exit_code", 1)
