"""Test whether the identity is hard to learn for plain layers and easy for residual ones.

Stacks of the paper's modules, two 3×3 convolutions each, learn to output their input. The inputs
are feature maps from the last stage of a trained residual network, scaled so that predicting each
channel's mean has an error of 1.

In trained networks, the study measures the responses of the layers, and how much each module
changes its input.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, sections
    3.1 and 3.2, Fig. 2 and Fig. 7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..experiments import estimates, training_runs
from ..experiments.cache import cached_result
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
from ..inspection.responses import module_changes, response_deviations
from ..training.config import Training
from ..training.run_folder import Run
from .identity_stacks import (
    BATCH_SIZE,
    FORMS,
    HELD_OUT_MAPS,
    STEPS_PER_EPOCH,
    TRAIN_MAPS,
    Maps,
    last_module_inputs,
    train_stack,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Coefficients of the L2 penalty: none, and about the effect of the paper's 1e-4 in 64,000 steps.
DECAYS = (0.0, 0.01)

RESPONSE_IMAGES = 128

TOLERANCE = 0.01  # of the maps' variance, within which an error counts as no worse


class Stack(NamedTuple):
    """Stacks trained to output their input, by seed.

    Attributes:
        form: ``"plain"`` or ``"residual"``.
        layers: Number of convolutions, two in each module.
        decay: Coefficient of the L2 penalty.
        errors: Squared error during training, as a share of the maps' variance,
            `(seeds, epochs)`.
        held_out: Squared error at the end on the maps of other images.
        distances: Distance at the end between plain kernels and Dirac kernels, or between a
            residual module's second kernel and zero: means over kernels.
        peaks: See `identity_stacks.peak`: means over the same kernels.
    """

    form: str
    layers: int
    decay: float
    errors: list[list[float]]
    held_out: list[float]
    distances: list[float]
    peaks: list[float]

    @property
    def last(self) -> list[float]:
        """Error of each seed in its last epoch."""
        return [errors[-1] for errors in self.errors]


class Responses(NamedTuple):
    """Responses of a trained network's layers and changes of its modules, by seed.

    Attributes:
        network: Row of the zoo.
        layers: Names of the 3×3 convolutions.
        deviations: Standard deviation of each layer's response, see `response_deviations`,
            `(seeds, layers)`.
        modules: Rows of the modules that keep the shape.
        changes: Relative change of each module's input, see `module_changes`, `(seeds, modules)`.
    """

    network: str
    layers: list[str]
    deviations: list[list[float]]
    modules: list[str]
    changes: list[list[float]]


def identity(
    plain: Sequence[Training],
    residual: Sequence[Training],
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    layers: Sequence[int] = (2, 4, 8, 16),
    steps: int = 256,
) -> dict[str, Any]:
    """Train stacks on the identity, inspect trained networks, and record both.

    Finished runs are skipped, and their results are cached.

    Args:
        plain: Two networks or more, the shallowest first; their seeds are replaced.
        residual: Residual networks of the same depths. The first one gives the maps.
        seeds: Each network, and each kind of stack, is trained once for each seed.
        workspace: Where to train and to write; the record is named after the last residual
            network and the data.
        layers: Numbers of convolutions of the stacks, ascending and even.
        steps: Training steps of a stack, a multiple of `STEPS_PER_EPOCH`.

    Returns:
        The record; intervals are over seeds, of differences and ratios within a seed.
    """
    trainings = {"plain": plain, "residual": residual}
    seeds, failed = training_runs.train_all([*plain, *residual], seeds, workspace)
    finished = {
        form: [training_runs.finished_runs(training, seeds, workspace.runs) for training in group]
        for form, group in trainings.items()
    }
    stacks = _train_stacks(finished["residual"][0], layers, steps, workspace.data_dir)
    responses = {
        form: [_responses(network, workspace.data_dir) for network in group]
        for form, group in finished.items()
    }
    return workspace.write_record(
        f"identity_{training_runs.run_name(residual[-1])}",
        "identity",
        [*stack_claims(stacks), *response_claims(**responses)],
        seeds=seeds,
        budget={
            "steps": steps,
            "batch_size": BATCH_SIZE,
            "maps": TRAIN_MAPS,
            "networks": training_runs.budget(plain[0]),
        },
        details={
            "stacks": [stack._asdict() for stack in stacks],
            "responses": {
                form: [each._asdict() for each in group] for form, group in responses.items()
            },
        },
        figure=_figure(stacks, responses),
        failed=failed,
    )


def _train_stacks(
    runs: Sequence[Run], layers: Sequence[int], steps: int, data_dir: Path | None
) -> list[Stack]:
    maps = {run.path: cache(partial(last_module_inputs, run, data_dir)) for run in runs}
    settings = {"steps": steps, "batch": BATCH_SIZE, "maps": [TRAIN_MAPS, HELD_OUT_MAPS]}
    stacks = []
    for decay, count, form in product(DECAYS, layers, FORMS):
        name = f"identity_{form}_{count}_layers_decay_{decay:g}"
        kind = {"layers": count, "form": form, "decay": decay, "steps": steps}
        trained = [
            cached_result(
                run,
                name,
                settings,
                partial(_train_stack, maps[run.path], **kind, seed=run.config["seed"]),
            )
            for run in runs
        ]
        values = {key: [row[key] for row in trained] for key in trained[0]}
        stacks.append(
            Stack(
                form,
                count,
                decay,
                values["errors"],
                values["held_out"],
                values["distance"],
                values["peak"],
            )
        )
    return stacks


def _train_stack(maps: Callable[[], tuple[Maps, Maps]], **settings: Any) -> dict[str, Any]:
    return train_stack(*maps(), **settings)


def _responses(runs: Sequence[Run], data_dir: Path | None) -> Responses:
    settings = {"images": RESPONSE_IMAGES}
    measured = [
        cached_result(run, "responses", settings, partial(_measure_responses, run, data_dir))
        for run in runs
    ]
    first = measured[0]
    return Responses(
        runs[0].config["network"],
        list(first["deviations"]),
        [list(row["deviations"].values()) for row in measured],
        list(first["changes"]),
        [list(row["changes"].values()) for row in measured],
    )


def _measure_responses(run: Run, data_dir: Path | None) -> dict[str, dict[str, float]]:
    validation = run.dataset(data_dir).validation
    images = run.preprocessing(validation.sample(RESPONSE_IMAGES).read())
    model = run.model()
    return {
        "deviations": response_deviations(model, images),
        "changes": module_changes(model, images),
    }


def stack_claims(stacks: Sequence[Stack]) -> list[Claim]:
    """Return the claims of the lecture and the paper about the stacks."""
    claims = []
    for decay in DECAYS:
        plain, residual = (
            [stack for stack in stacks if (stack.form, stack.decay) == (form, decay)]
            for form in FORMS
        )
        condition = f"with weight decay {decay:g}" if decay else "without weight decay"
        claims += _stack_claims(plain, residual, condition)
    deepest = {(stack.form, stack.decay): stack for stack in stacks}
    for form, verb in (("plain", "does not make"), ("residual", "makes")):
        without, with_decay = (deepest[form, decay] for decay in DECAYS)
        decrease = estimates.difference(without.last, with_decay.last)
        claims.append(
            Claim(
                f"weight decay {verb} the identity easier to learn for {form} stacks of "
                f"{without.layers} layers (decrease of the error)",
                decrease.above(0) == (verb == "makes"),
                *decrease,
            )
        )
    return claims


def _stack_claims(plain: Sequence[Stack], residual: Sequence[Stack], condition: str) -> list[Claim]:
    few, many = plain[0].layers, plain[-1].layers
    plain_increase, residual_increase = (
        estimates.difference(stacks[-1].last, stacks[0].last) for stacks in (plain, residual)
    )
    gaps = [
        estimates.difference(one.last, other.last)
        for one, other in zip(plain, residual, strict=True)
    ]
    smallest_gap = min(gaps, key=lambda gap: gap.value)
    nearest = min((estimates.mean(stack.distances) for stack in plain), key=lambda d: d.value)
    sharpest = max((estimates.mean(stack.peaks) for stack in plain), key=lambda p: p.value)
    farthest = max((estimates.mean(stack.distances) for stack in residual), key=lambda d: d.value)
    return [
        Claim(
            f"{condition}, plain stacks of {many} layers learn the identity worse than those of "
            f"{few} (difference of the errors, as shares of the maps' variance)",
            plain_increase.above(0),
            *plain_increase,
        ),
        Claim(
            f"{condition}, residual stacks of {many} layers learn the identity no worse than those "
            f"of {few}, within {TOLERANCE:g} of the variance",
            residual_increase.below(TOLERANCE),
            *residual_increase,
        ),
        Claim(
            f"{condition}, plain stacks of each number of layers learn the identity worse than "
            "residual ones (smallest difference)",
            all(gap.above(0) for gap in gaps),
            *smallest_gap,
        ),
        Claim(
            f"{condition}, trained plain kernels are farther from Dirac kernels than kernels of "
            "zeros are, whose distance is 1 (distance of the nearest stack)",
            nearest.above(1),
            *nearest,
        ),
        Claim(
            f"{condition}, no single weight of a plain filter makes half of the sum of squares, "
            "while it makes all of it in a Dirac kernel, in any order of the channels (mean share "
            "of the sharpest stack)",
            sharpest.below(0.5),
            *sharpest,
        ),
        Claim(
            f"{condition}, the trained kernels before the addition are nearer to zero than half of "
            "a Dirac kernel's norm (norm of the farthest stack)",
            farthest.below(0.5),
            *farthest,
        ),
    ]


def response_claims(plain: Sequence[Responses], residual: Sequence[Responses]) -> list[Claim]:
    """Return the claims of the paper's Fig. 7 and those of the lecture about the changes."""

    def means(rows: Sequence[Sequence[float]]) -> list[float]:
        return [float(np.mean(row)) for row in rows]

    claims = []
    for one, other in zip(residual, plain, strict=True):
        ratio = estimates.ratio(means(one.deviations), means(other.deviations))
        claims.append(
            Claim(
                f"{one.network} has smaller responses than {other.network} (ratio of the mean "
                "standard deviations)",
                ratio.below(1),
                *ratio,
            )
        )
    for one, other in zip(residual, plain, strict=True):
        ratio = estimates.ratio(means(one.changes), means(other.changes))
        claims.append(
            Claim(
                f"a module of {one.network} changes its input less than one of {other.network} "
                "(ratio of the mean changes)",
                ratio.below(1),
                *ratio,
            )
        )
    shallow, deep = residual[0], residual[-1]
    for what, values in (("responses", "deviations"), ("changes by module", "changes")):
        ratio = estimates.ratio(means(getattr(deep, values)), means(getattr(shallow, values)))
        claims.append(
            Claim(
                f"{deep.network} has smaller {what} than {shallow.network} (ratio of the means)",
                ratio.below(1),
                *ratio,
            )
        )
    return claims


def _figure(stacks: Sequence[Stack], responses: dict[str, list[Responses]]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.5), layout="constrained")
    panels = figure.subplots(2, 3)
    panels[0, 1].sharey(panels[0, 0])
    for axes, decay in zip(panels[0, :2], DECAYS, strict=True):
        _draw_learning(axes, [stack for stack in stacks if stack.decay == decay])
        axes.set_title(f"weight decay {decay:g}" if decay else "without weight decay")
    _draw_stacks(panels[0, 2], stacks, "last")
    _draw_stacks(panels[1, 0], stacks, "distances")
    panels[0, 2].set_yscale("log")
    panels[0, 2].set_title("error in the last epoch")
    panels[1, 0].set_title("kernel distance: plain to Dirac, residual to zero")
    for form, color in (("plain", "C3"), ("residual", "C0")):
        for index, network in enumerate(responses[form]):
            style = {"color": color, "linewidth": 1 + index, "label": network.network}
            deviations, changes = (
                np.mean(rows, axis=0) for rows in (network.deviations, network.changes)
            )
            panels[1, 1].plot(np.arange(len(deviations)) + 1, deviations, **style)
            # Relative depth, so that networks of different depths share one axis.
            panels[1, 2].plot((np.arange(len(changes)) + 0.5) / len(changes), changes, **style)
    panels[1, 1].set_title("standard deviation of the responses")
    panels[1, 1].set_xlabel("3×3 convolution, first to last")
    panels[1, 2].set_title("change by a module, relative to its input")
    panels[1, 2].set_xlabel("relative depth of the module")
    for axes in panels.flat:
        axes.grid(alpha=0.3)
        if axes is not panels[0, 1]:  # shares the legend of the first panel
            axes.legend(fontsize="small")
    return figure


def _draw_learning(axes: Axes, stacks: Sequence[Stack]) -> None:
    """Draw means over seeds; deeper stacks are darker."""
    from matplotlib import colormaps

    counts = sorted({stack.layers for stack in stacks})
    for stack in stacks:
        shade = 0.4 + 0.6 * counts.index(stack.layers) / max(len(counts) - 1, 1)
        colors = colormaps["Reds" if stack.form == "plain" else "Blues"]
        errors = np.array(stack.errors).mean(axis=0)
        steps = (np.arange(len(errors)) + 1) * STEPS_PER_EPOCH
        axes.plot(steps, errors, color=colors(shade), label=f"{stack.form}, {stack.layers} layers")
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("squared error / variance")


def _draw_stacks(axes: Axes, stacks: Sequence[Stack], values: str) -> None:
    """Draw a value of the stacks by their number of layers, mean and range over seeds."""
    for (form, color), (decay, style) in product(
        (("plain", "C3"), ("residual", "C0")), zip(DECAYS, ("-", "--"), strict=True)
    ):
        chosen = [stack for stack in stacks if (stack.form, stack.decay) == (form, decay)]
        counts = [stack.layers for stack in chosen]
        by_seed = np.array([getattr(stack, values) for stack in chosen])
        label = f"{form}, decay {decay:g}"
        axes.plot(counts, by_seed.mean(axis=1), style, marker="o", color=color, label=label)
        axes.fill_between(counts, by_seed.min(axis=1), by_seed.max(axis=1), color=color, alpha=0.15)
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xlabel("layers of the stack")
