"""Time the training of networks with Keras and with a plain torch loop, and where the time goes.

Both sides train the same network (`torch_networks`) in float32, with SGD of the recipe's momentum
and weight decay, on batches of the same size that are augmented in the same way. They run in
processes of their own, with the default number of threads, and take turns in each round, so that
other load on the machine affects all alike. torch has its channels first in memory or last, and is
compared where it is faster.

Three things are timed on each side, in steps of training:

- `fit`: training as a user does, here with `compile_model`, `training_batches` and `model.fit`;
- `compute`: the same on one repeated batch, here by the compiled training step alone;
- `input`: loading and augmenting the batches alone.

What `fit` takes beyond the sum of the other two is Python and the library's overhead. It can be
below zero: batches are prepared while the step before computes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from cnn_keras import zoo
from cnn_keras.command import log, progress
from cnn_keras.errors import Error
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.estimates import ratio
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host, versions
from cnn_keras.training.recipes import recipe

from ...worker import Worker, WorkerError
from .trainer import Case

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OURS = "keras"
TORCH = ("torch, channels first", "torch, channels last")
METHODS = {"fit": "fit", "compute": "compute", "input": "load"}
PARTS = ("compute", "input", "overhead")
TIMEOUT_SECS = 600.0  # for one answer; the first one includes the import and the compilation


class Plan(NamedTuple):
    """A row of the study: what is trained, and for how many steps in a turn."""

    network: str
    image_size: int
    channels: int
    num_classes: int
    batch_size: int
    steps: int

    @property
    def name(self) -> str:
        """Name of the row."""
        return f"{self.network} at {self.image_size}×{self.image_size}"

    @property
    def case(self) -> Case:
        """What the processes train: augmentation and optimizer are the recipe's."""
        row = zoo.network(self.network)
        values = recipe(row.recipe)
        return Case(
            *self[:5],
            shift=values.shift,
            flip=values.flip,
            learning_rate=0.001,
            momentum=values.momentum,
            weight_decay=values.weight_decay,
            auxiliary_weight=row.loss_weights[-1],
        )


# Batches are the recipes' at the small sizes, where resnet18 has that of resnet20. At 224×224 they
# are smaller, so that a turn takes a few seconds on two cores.
# fmt: off
PLANS = (
    Plan("resnet20",   28, 1,   10, 128, 10),
    Plan("resnet20",   32, 3,   10, 128, 10),
    Plan("resnet18",   32, 3,   10, 128, 10),
    Plan("googlenet", 224, 3, 1000,  16,  2),
    Plan("resnet50",  224, 3, 1000,  16,  1),
)
# fmt: on


class Turns(NamedTuple):
    """The turns of one side: seconds a step, by round, and the peak memory.

    Attributes:
        fit: Seconds of a step of training.
        compute: Seconds of a step on one repeated batch.
        input: Seconds to load and augment a batch.
        peak_mib: Peak memory of the process after its first turn of training.
    """

    fit: list[float]
    compute: list[float]
    input: list[float]
    peak_mib: float


class Side(NamedTuple):
    """One side of a row.

    Attributes:
        images_per_s: Median over the rounds.
        ms_per_step: Median over the rounds of ``"total"``, ``"compute"`` and ``"input"``;
            ``"overhead"`` is what remains.
        peak_mib: Peak memory of the process after its first turn of training.
        rounds_images_per_s: Each round.
    """

    images_per_s: float
    ms_per_step: dict[str, float]
    peak_mib: float
    rounds_images_per_s: list[float]


class Row(NamedTuple):
    """The training of a network on all sides.

    Attributes:
        name: Network and image size.
        batch_size: Images per step.
        steps: Steps of a turn.
        parameters: Number of trainable parameters, on all sides.
        faster_torch: The side of torch with more images/s.
        ratio: Images/s of Keras relative to it, geometric mean over the rounds.
        interval: Its 95 % interval; None for a single round.
        sides: By name: `OURS` and `TORCH`.
    """

    name: str
    batch_size: int
    steps: int
    parameters: int
    faster_torch: str
    ratio: float
    interval: tuple[float, float] | None
    sides: dict[str, Side]


class TrainingProcess(Worker):
    """A network that is trained in its own process.

    Args:
        module: Module of this package that the process runs.
        request: Its first request.
        python: See `Worker`.

    Attributes:
        num_parameters: Number of trainable parameters.
        version: Name and version of its library.

    Raises:
        Error: The network cannot be built; the message is that of the process.
    """

    def __init__(self, module: str, request: Mapping[str, Any], python: Path | None = None) -> None:
        super().__init__(f"{__package__}.{module}", python)
        try:
            self.num_parameters, self.version = self._ask(request)
        except BaseException:
            self.close()
            raise

    def run(self, method: str, steps: int) -> tuple[float, float]:
        """Return the seconds of steps of a method of `trainer.Trainer`, and the peak memory."""
        seconds, peak = self._ask([method, steps])
        return seconds, peak

    def _ask(self, request: object) -> Any:
        self.send(request)
        try:
            return self.receive(TIMEOUT_SECS)
        except TimeoutError:
            raise Error(f"A training did not answer in {TIMEOUT_SECS:.0f} s.") from None
        except WorkerError as error:
            raise Error(f"A training failed: {error.last_line}", details=error.stderr) from None


def require_torch(python: Path | None) -> None:
    """Check that a Python has torch.

    Args:
        python: The Python; None for that of this process.

    Raises:
        Error: It has no torch, or does not run.
    """
    name = python or Path(sys.executable)
    hint = "name a Python that has it with --torch-python, as `pip install torch` makes one."
    if python is not None and not python.is_file():
        raise Error(f"{python} does not exist: {hint}")
    try:
        with Worker(f"{__package__}.torch_networks", python) as worker:
            worker.end_requests()
            worker.receive(TIMEOUT_SECS)
    except WorkerError as error:
        if error.exit_code:
            reason = error.last_line
            if "No module named 'torch'" in reason:
                raise Error(f"{name} has no torch: {hint}") from None
            raise Error(f"{name} cannot import torch: {reason}", details=error.stderr) from None


def throughput(
    plans: Sequence[Plan], out: Path, *, rounds: int = 5, torch_python: Path | None = None
) -> dict[str, Any]:
    """Time trainings alternately with Keras and torch, and record the ratios.

    Args:
        plans: Rows of the study, such as `PLANS`.
        out: Folder of the record and its figure.
        rounds: Number of rounds; each side has one turn in each.
        torch_python: Python that has torch; by default that of this process.

    Returns:
        The record.

    Raises:
        Error: No row could be measured, or torch is missing.
    """
    require_torch(torch_python)
    load_before = host().load_average
    rows: list[Row] = []
    libraries: dict[str, str] = {}
    failed: list[training_runs.FailedRun] = []
    for plan in plans:
        with training_runs.continue_on_error(plan.name, failed):
            rows.append(_measure(plan, rounds, torch_python, libraries))
            log(describe(rows[-1]))
    training_runs.require_any(rows, failed)
    return write_record(
        out / "throughput.json",
        "benchmark",
        "training throughput",
        claims(rows),
        seeds=[0],
        budget={"rounds": rounds, "steps": {plan.name: plan.steps for plan in plans}},
        details={
            "versions": versions() | libraries,
            "host": host()._asdict(),
            "load_average_before": load_before,
            "images": "random, in memory",
            "rows": [row._asdict() | {"sides": _documents(row)} for row in rows],
        },
        figure=_figure(rows),
        failed=failed,
    )


def _documents(row: Row) -> dict[str, Any]:
    return {name: side._asdict() for name, side in row.sides.items()}


def _measure(plan: Plan, rounds: int, torch_python: Path | None, libraries: dict[str, str]) -> Row:
    """Start the processes of a row and let them take turns."""
    request = plan.case._asdict()
    with ExitStack() as stack:
        log(f"{plan.name}: starting")
        processes = {OURS: stack.enter_context(TrainingProcess("keras_training", request))}
        for name, channels_last in zip(TORCH, (False, True), strict=True):
            processes[name] = stack.enter_context(
                TrainingProcess(
                    "torch_training", request | {"channels_last": channels_last}, torch_python
                )
            )
        counts = {name: process.num_parameters for name, process in processes.items()}
        if len(set(counts.values())) > 1:
            raise Error(f"The networks have different numbers of parameters: {counts}.")
        libraries.update([process.version for process in processes.values()])
        turns = _take_turns(plan, processes, rounds)
    return row(plan, counts[OURS], turns)


def _take_turns(
    plan: Plan, processes: Mapping[str, TrainingProcess], rounds: int
) -> dict[str, Turns]:
    names = list(processes)
    turns = {}
    for name, process in processes.items():
        _, peak = process.run("fit", plan.steps)  # compiles, and fills caches
        process.run("compute", plan.steps)
        turns[name] = Turns([], [], [], peak)
    with progress(plan.name, rounds) as advance:
        for turn in range(rounds):
            # Each side comes first, second and last in turn.
            order = names[turn % len(names) :] + names[: turn % len(names)]
            for part, method in METHODS.items():
                for name in order:
                    seconds, _ = processes[name].run(method, plan.steps)
                    getattr(turns[name], part).append(seconds / plan.steps)
            advance()
    return turns


def row(plan: Plan, parameters: int, turns: Mapping[str, Turns]) -> Row:
    """Return the row of the record for the turns of all sides."""
    sides = {name: _side(plan, each) for name, each in turns.items()}
    faster = max(TORCH, key=lambda name: sides[name].images_per_s)
    estimate = ratio(sides[OURS].rounds_images_per_s, sides[faster].rounds_images_per_s)
    return Row(
        plan.name,
        plan.batch_size,
        plan.steps,
        parameters,
        faster,
        estimate.value,
        estimate.interval,
        sides,
    )


def _side(plan: Plan, turns: Turns) -> Side:
    total, compute, load = (
        median(seconds) * 1000 for seconds in (turns.fit, turns.compute, turns.input)
    )
    parts = {
        "total": total,
        "compute": compute,
        "input": load,
        "overhead": total - compute - load,
    }
    rates = [plan.batch_size / seconds for seconds in turns.fit]
    return Side(median(rates), parts, turns.peak_mib, rates)


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Return a claim for each row: Keras trains at least as fast as torch, with its interval."""
    return [
        Claim(
            f"{row.name}, {row.batch_size} images per step: training is at least as fast as with "
            f"{row.faster_torch} (ratio of images/s)",
            (row.interval or (row.ratio,))[0] >= 1,
            row.ratio,
            row.interval,
        )
        for row in rows
    ]


def describe(row: Row) -> str:
    """Return a row as one line: images/s, ratio, and where the time goes."""
    ours, torch = row.sides[OURS], row.sides[row.faster_torch]
    parts = ", ".join(f"{part} {ours.ms_per_step[part]:.1f}" for part in PARTS)
    return (
        f"{row.name}: {ours.images_per_s:.1f} images/s, {row.ratio:.2f} times {row.faster_torch} "
        f"({torch.images_per_s:.1f}); ms of a step: {parts}; peak {ours.peak_mib:,.0f} MiB, torch "
        f"{torch.peak_mib:,.0f}"
    )


def _figure(rows: Sequence[Row]) -> Figure:
    """Draw the time of a step on both sides, relative to torch's, divided into its parts."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1 + 0.9 * len(rows)), layout="constrained")
    axes = figure.subplots()
    labels: list[str] = []
    for place, each in enumerate(rows):
        scale = each.sides[each.faster_torch].ms_per_step["total"]
        for offset, name in enumerate((OURS, each.faster_torch)):
            y, left = 3 * place + offset, 0.0
            for color, part in zip(("C0", "C1", "C7"), PARTS, strict=True):
                width = max(0.0, each.sides[name].ms_per_step[part] / scale)
                legend = part if not labels else None
                axes.barh(y, width, 0.9, left, color=color, label=legend)
                left += width
            labels.append(f"{each.name}\n{name}")
    axes.set_yticks([3 * (i // 2) + i % 2 for i in range(len(labels))], labels, fontsize="x-small")
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=0.5)
    axes.set_xlabel("time of a training step, relative to torch")
    axes.legend(fontsize="small")
    return figure
