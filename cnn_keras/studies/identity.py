"""The identity: hard to learn for stacks of plain layers, easy for residual ones.

Stacks of the paper's own modules, two 3×3 convolutions each, learn to put out the maps that they
get. The maps are real ones, of the residual network's last stage, and are scaled so that putting
out each channel's mean costs 1. Optimizer and learning rate are the paper's. Kernels are judged
with the normalization that follows them folded in, and in units of a Dirac kernel's norm: zero
kernels are at distance 1 from Dirac ones.

Trained networks are judged by how much their layers put out, and by how much a module changes what
it gets.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, sections
    3.1 and 3.2, Fig. 2 and Fig. 7.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.preprocessing import Float32Images
from ..experiments import estimates, training_runs
from ..experiments.cache import kept
from ..experiments.record import Claim, write_record
from ..training.config import Training
from ..training.predict import predict, uses_xla
from ..training.run_folder import Run
from ..training.schedule import keras_weight_decay

if TYPE_CHECKING:
    import keras
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..blocks import Shortcut

Maps: TypeAlias = NDArray[np.float32]

FORMS: dict[str, Shortcut] = {"plain": "none", "residual": "A"}

# The penalty's coefficient: none, and about what the paper's 1e-4 does in its 64,000 steps.
DECAYS = (0.0, 0.01)

BATCH, EPOCH = 8, 16  # maps a step, and steps that a point of a curve is the mean of
TRAIN_MAPS, HELD_OUT_MAPS = 1024, 256
RESPONSE_IMAGES = 128

NO_WORSE = 0.01  # of the maps' variance: an error that is not greater by more is no worse


class Stack(NamedTuple):
    """A stack of modules that learned the identity, by seed.

    Attributes:
        form: ``"plain"`` or ``"residual"``.
        layers: Convolutions, two a module.
        decay: Coefficient of the L2 penalty.
        errors: Squared error in learning, as a share of the maps' variance, `(seeds, points)`.
        held_out: The same of other images' maps, at the end, as the stack predicts.
        distances: At the end, of plain kernels from Dirac kernels, or of a residual module's second
            kernels from zero: means over kernels.
        peaks: Share of a filter's squares that its greatest weight has, 1 in a Dirac kernel also
            where channels change places: means over the same kernels.
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
        """Each seed's error in its last steps."""
        return [errors[-1] for errors in self.errors]


class Responses(NamedTuple):
    """How much a trained network's layers put out and its modules change, by seed.

    Attributes:
        network: Row of the zoo.
        layers: Names of the 3×3 convolutions.
        deviations: Of each one's responses, normalized and not yet rectified or added, `(seeds,
            layers)`.
        modules: Rows of the modules that keep the shape.
        changes: Norm of what each module adds to its input, as a share of the input's norm, before
            rectification, `(seeds, modules)`; of a plain one, what it puts out less its input.
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
    runs: Path,
    out: Path,
    *,
    layers: Sequence[int] = (2, 4, 8, 16),
    steps: int = 256,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Let stacks learn the identity, look into trained networks, and record both.

    Finished runs are skipped, and what was found about them is kept.

    Args:
        plain: Two networks or more, the shallowest first; their seeds are replaced.
        residual: Their twins. The maps are of the first one.
        seeds: One run of each network and one stack of each form for each.
        runs: Folder of the run folders.
        out: Folder of the record and its figure, named after the last residual network and data.
        layers: Convolutions of the stacks, the fewest first; even numbers.
        steps: Of a stack's training, a multiple of `EPOCH`.
        data_dir: Where the data set may lie.

    Returns:
        The record; intervals are over seeds, of differences and ratios within a seed.
    """
    trainings = {"plain": plain, "residual": residual}
    seeds, failed = training_runs.train_all([*plain, *residual], seeds, runs, data_dir)
    finished = {
        form: [training_runs.finished(training, seeds, runs) for training in networks]
        for form, networks in trainings.items()
    }
    stacks = _stacks(finished["residual"][0], layers, steps, data_dir)
    responses = {
        form: [_responses(network, data_dir) for network in networks]
        for form, networks in finished.items()
    }
    return write_record(
        out / f"identity_{training_runs.name(residual[-1])}.json",
        "study",
        "identity",
        [*stack_claims(stacks), *response_claims(**responses)],
        seeds=seeds,
        budget={
            "steps": steps,
            "batch_size": BATCH,
            "maps": TRAIN_MAPS,
            "networks": training_runs.budget(plain[0]),
        },
        details={
            "stacks": [stack._asdict() for stack in stacks],
            "responses": {
                form: [found._asdict() for found in networks]
                for form, networks in responses.items()
            },
        },
        figure=_figure(stacks, responses),
        failed=failed,
    )


def stack(shape: tuple[int, int, int], layers: int, form: str) -> keras.Model:
    """Return the paper's modules one after the other, from maps to maps of the same shape."""
    import keras

    from ..models.cifar_resnet import module

    x = y = keras.Input(shape)
    for place in range(layers // 2):
        y = module(y, shape[-1], 1, FORMS[form], f"module{place + 1}")
    return keras.Model(x, y)


def learn(
    maps: Maps, held_out: Maps, layers: int, form: str, decay: float, steps: int, seed: int
) -> dict[str, Any]:
    """Let a stack learn to put out what it gets, and return what becomes of it: see `Stack`.

    Args:
        maps: `(n, height, width, channels)` to learn with.
        held_out: Other ones.
        layers: Convolutions.
        form: ``"plain"`` or ``"residual"``.
        decay: Coefficient of the L2 penalty.
        steps: Of the training.
        seed: Of the first weights and of the order.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = stack(maps.shape[1:], layers, form)
    model.compile(
        keras.optimizers.SGD(0.1, 0.9, weight_decay=keras_weight_decay(decay, 0.9)),
        "mse",
        jit_compile=uses_xla(),
    )
    learned = model.fit(
        _batches(maps, seed),
        epochs=steps // EPOCH,
        steps_per_epoch=EPOCH,
        shuffle=False,  # they come at random
        verbose=0,
    )
    error = float(np.square(model.predict(held_out, BATCH, verbose=0) - held_out).mean())
    kernels = folded_kernels(model)
    if form == "residual":
        kernels = {name: kernel for name, kernel in kernels.items() if name.endswith("_b")}
    target = dirac(maps.shape[-1]) if form == "plain" else 0
    return {
        "errors": learned.history["loss"],
        "held_out": error,
        "distance": float(np.mean([distance(kernel, target) for kernel in kernels.values()])),
        "peak": float(np.mean([peak(kernel) for kernel in kernels.values()])),
    }


def _batches(maps: Maps, seed: int) -> Iterator[tuple[Maps, Maps]]:
    random = np.random.default_rng(seed)
    while True:
        batch = maps[random.integers(len(maps), size=BATCH)]
        yield batch, batch


def folded_kernels(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    """Return each convolution's kernel, times what the normalization after it multiplies with.

    Returns:
        Kernels `(height, width, inputs, filters)` by the convolution's name.
    """
    import keras

    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            name = layer.name.removesuffix("_bn")
            scale, _, _, variance = layer.get_weights()
            (kernel,) = model.get_layer(name).get_weights()
            found[name] = kernel * scale / np.sqrt(variance + layer.epsilon)
    return found


def dirac(channels: int) -> NDArray[np.float32]:
    """Return the 3×3 kernel that changes nothing, `(3, 3, channels, channels)`."""
    kernel = np.zeros((3, 3, channels, channels), np.float32)
    kernel[1, 1] = np.eye(channels)
    return kernel


def distance(kernel: NDArray[np.float32], target: NDArray[np.float32] | float) -> float:
    """Return the distance of a kernel from another, or from zero, by the norm of a Dirac kernel."""
    return float(np.linalg.norm(kernel - target) / np.sqrt(kernel.shape[-1]))


def peak(kernel: NDArray[np.float32]) -> float:
    """Return the share of a filter's squares that its greatest weight has, mean over filters."""
    squares = np.square(kernel).reshape(-1, kernel.shape[-1])
    return float((squares.max(axis=0) / np.maximum(squares.sum(axis=0), 1e-30)).mean())


def _stacks(
    runs: Sequence[Run], layers: Sequence[int], steps: int, data_dir: Path | None
) -> list[Stack]:
    maps = {run.path: cache(partial(last_maps, run, data_dir)) for run in runs}
    stacks = []
    for decay, count, form in product(DECAYS, layers, FORMS):
        found = [
            kept(
                run,
                f"identity_{form}_{count}_layers_decay_{decay:g}",
                {"steps": steps, "batch": BATCH, "maps": [TRAIN_MAPS, HELD_OUT_MAPS]},
                partial(_learn, maps[run.path], count, form, decay, steps, run.config["seed"]),
            )
            for run in runs
        ]
        values = {key: [row[key] for row in found] for key in found[0]}
        stacks.append(
            Stack(
                form, count, decay, values["errors"], values["held_out"],
                values["distance"], values["peak"],
            )
        )  # fmt: skip
    return stacks


def _learn(
    maps: Callable[[], tuple[Maps, Maps]],
    layers: int,
    form: str,
    decay: float,
    steps: int,
    seed: int,
) -> dict[str, Any]:
    return learn(*maps(), layers, form, decay, steps, seed)


def last_maps(run: Run, data_dir: Path | None = None) -> tuple[Maps, Maps]:
    """Return what a residual network's last module gets, of training and of validation images.

    Both are scaled alike: the former's variance about their channels' means is 1.
    """
    import keras

    dataset = run.dataset(data_dir)
    model = run.model()
    add = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)][-1]
    _, shortcut = add.input  # the identity
    trunk = keras.Model(model.input, shortcut)
    train, held_out = (
        predict(trunk, run.preprocessing, split.sample(count).images)
        for split, count in ((dataset.train, TRAIN_MAPS), (dataset.validation, HELD_OUT_MAPS))
    )
    scale = np.sqrt(train.var(axis=(0, 1, 2)).mean())
    return train / scale, held_out / scale


def _responses(runs: Sequence[Run], data_dir: Path | None) -> Responses:
    found = [
        kept(
            run,
            "responses",
            {"images": RESPONSE_IMAGES},
            partial(_responses_of, run, data_dir),
        )
        for run in runs
    ]
    first = found[0]
    return Responses(
        runs[0].config["network"],
        list(first["deviations"]),
        [list(row["deviations"].values()) for row in found],
        list(first["changes"]),
        [list(row["changes"].values()) for row in found],
    )


def _responses_of(run: Run, data_dir: Path | None) -> dict[str, dict[str, float]]:
    validation = run.dataset(data_dir).validation
    images = run.preprocessing(validation.sample(RESPONSE_IMAGES).images)
    model = run.model()
    return {"deviations": deviations(model, images), "changes": changes(model, images)}


def deviations(model: keras.Model, images: Float32Images) -> dict[str, float]:
    """Return the deviation of what each 3×3 convolution puts out, normalized but not rectified.

    Args:
        model: Of the residual family for 32×32 images, or a plain twin.
        images: `(n, height, width, channels)`.

    Returns:
        Deviations over images, places and channels by the convolution's name.
    """
    import keras

    names = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (3, 3)
    ]
    outputs = [model.get_layer(f"{name}_bn").output for name in names]
    found = keras.Model(model.input, outputs).predict_on_batch(images)
    return {name: float(maps.std()) for name, maps in zip(names, found, strict=True)}


def changes(model: keras.Model, images: Float32Images) -> dict[str, float]:
    """Return how much each module that keeps the shape changes what it gets, before rectification.

    Args:
        model: See `deviations`.
        images: `(n, height, width, channels)`.

    Returns:
        Norm of the change by norm of the input, mean over images, by the module's row.
    """
    import keras

    rows = [
        layer.name.removesuffix("_b_bn") for layer in model.layers if layer.name.endswith("_b_bn")
    ]
    ends = {
        row: (model.get_layer(f"{row}_a").input, model.get_layer(f"{row}_b_bn").output)
        for row in rows
    }
    ends = {row: (x, y) for row, (x, y) in ends.items() if x.shape == y.shape}
    tensors = [tensor for pair in ends.values() for tensor in pair]
    found = keras.Model(model.input, tensors).predict_on_batch(images)
    residual = any(isinstance(layer, keras.layers.Add) for layer in model.layers)

    def share(x: Maps, y: Maps) -> float:
        change = y if residual else y - x
        sizes = [np.linalg.norm(maps.reshape(len(maps), -1), axis=1) for maps in (change, x)]
        return float((sizes[0] / sizes[1]).mean())

    return {
        row: share(*pair)
        for row, pair in zip(ends, zip(found[::2], found[1::2], strict=True), strict=True)
    }


def stack_claims(stacks: Sequence[Stack]) -> list[Claim]:
    """Return what the lecture and the paper say of the stacks."""
    found = []
    for decay in DECAYS:
        plain, residual = (
            [stack for stack in stacks if (stack.form, stack.decay) == (form, decay)]
            for form in FORMS
        )
        found += _stack_claims(
            plain, residual, f"with weight decay {decay:g}" if decay else "without weight decay"
        )
    last = {(stack.form, stack.decay): stack for stack in stacks}  # the deepest ones
    for form, word in (("plain", "does not make"), ("residual", "makes")):
        none, some = (last[form, decay] for decay in DECAYS)
        gain = estimates.difference(none.last, some.last)
        found.append(
            Claim(
                f"weight decay {word} the identity easier for {form} stacks of {none.layers} "
                "layers: what it takes from the error",
                gain.above(0) == (word == "makes"),
                *gain,
            )
        )
    return found


def _stack_claims(plain: Sequence[Stack], residual: Sequence[Stack], how: str) -> list[Claim]:
    few, many = plain[0].layers, plain[-1].layers
    worse, as_well = (
        estimates.difference(stacks[-1].last, stacks[0].last) for stacks in (plain, residual)
    )
    gaps = [
        estimates.difference(ours.last, theirs.last)
        for ours, theirs in zip(plain, residual, strict=True)
    ]
    least = min(gaps, key=lambda gap: gap.value)
    away = min((estimates.mean(stack.distances) for stack in plain), key=lambda d: d.value)
    sharp = max((estimates.mean(stack.peaks) for stack in plain), key=lambda p: p.value)
    near = max((estimates.mean(stack.distances) for stack in residual), key=lambda d: d.value)
    return [
        Claim(
            f"{how}, plain stacks of {many} layers learn the identity worse than those of {few}: "
            "error, as a share of the maps' variance, less the other one",
            worse.above(0),
            *worse,
        ),
        Claim(
            f"{how}, residual stacks of {many} layers learn it no worse than those of {few}, to "
            f"{NO_WORSE:g} of the variance",
            as_well.below(NO_WORSE),
            *as_well,
        ),
        Claim(
            f"{how}, plain stacks of any number of layers learn it worse than residual ones: the "
            "least difference",
            all(gap.above(0) for gap in gaps),
            *least,
        ),
        Claim(
            f"{how}, plain kernels end farther from Dirac kernels than kernels of zeros are (1): "
            "the nearest stack's",
            away.above(1),
            *away,
        ),
        Claim(
            f"{how}, no weight has half of the squares of a plain filter, whose Dirac form has all "
            "in one, whatever the order of the channels: the sharpest stack's mean share",
            sharp.below(0.5),
            *sharp,
        ),
        Claim(
            f"{how}, the kernels before the addition end nearer to zero than half a Dirac kernel's "
            "norm: the farthest stack's",
            near.below(0.5),
            *near,
        ),
    ]


def response_claims(plain: Sequence[Responses], residual: Sequence[Responses]) -> list[Claim]:
    """Return what the paper's Fig. 7 says, and the lecture of the changes."""

    def middle(rows: Sequence[Sequence[float]]) -> list[float]:
        return [float(np.mean(row)) for row in rows]

    found = []
    for ours, theirs in zip(residual, plain, strict=True):
        ratio = estimates.ratio(middle(ours.deviations), middle(theirs.deviations))
        found.append(
            Claim(
                f"{ours.network} has smaller responses than {theirs.network}: ratio of their mean "
                "deviations",
                ratio.below(1),
                *ratio,
            )
        )
    for ours, theirs in zip(residual, plain, strict=True):
        ratio = estimates.ratio(middle(ours.changes), middle(theirs.changes))
        found.append(
            Claim(
                f"a module of {ours.network} changes what it gets less than one of "
                f"{theirs.network}: ratio of the mean changes",
                ratio.below(1),
                *ratio,
            )
        )
    shallow, deep = residual[0], residual[-1]
    for what, values in (("responses", "deviations"), ("changes by module", "changes")):
        ratio = estimates.ratio(middle(getattr(deep, values)), middle(getattr(shallow, values)))
        found.append(
            Claim(
                f"{deep.network} has smaller {what} than {shallow.network}: ratio of the means",
                ratio.below(1),
                *ratio,
            )
        )
    return found


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
    panels[0, 2].set_title("error at the end")
    panels[1, 0].set_title("kernels: plain from Dirac, residual from zero")
    for form, color in (("plain", "C3"), ("residual", "C0")):
        for place, network in enumerate(responses[form]):
            style = {"color": color, "linewidth": 1 + place, "label": network.network}
            deviations, changes = (
                np.mean(rows, axis=0) for rows in (network.deviations, network.changes)
            )
            panels[1, 1].plot(np.arange(len(deviations)) + 1, deviations, **style)
            # A module's place in the network, so that short and long ones lie over each other.
            panels[1, 2].plot((np.arange(len(changes)) + 0.5) / len(changes), changes, **style)
    panels[1, 1].set_title("deviation of the responses")
    panels[1, 1].set_xlabel("3×3 convolution, from the image on")
    panels[1, 2].set_title("change by a module, of its input's norm")
    panels[1, 2].set_xlabel("module, from the image (0) to the classes (1)")
    for axes in panels.flat:
        axes.grid(alpha=0.3)
        if axes is not panels[0, 1]:  # has the lines of the first
            axes.legend(fontsize="small")
    return figure


def _draw_learning(axes: Axes, stacks: Sequence[Stack]) -> None:
    """Draw means over seeds; the more layers the darker."""
    from matplotlib import colormaps

    counts = sorted({stack.layers for stack in stacks})
    for stack in stacks:
        shade = 0.4 + 0.6 * counts.index(stack.layers) / max(len(counts) - 1, 1)
        colors = colormaps["Reds" if stack.form == "plain" else "Blues"]
        errors = np.array(stack.errors).mean(axis=0)
        steps = (np.arange(len(errors)) + 1) * EPOCH
        axes.plot(steps, errors, color=colors(shade), label=f"{stack.form}, {stack.layers} layers")
    axes.set_yscale("log")
    axes.set_xlabel("step")
    axes.set_ylabel("squared error / variance")


def _draw_stacks(axes: Axes, stacks: Sequence[Stack], values: str) -> None:
    """Draw what became of the stacks by their layers, with the lowest and the highest seed."""
    for (form, color), (decay, style) in product(
        (("plain", "C3"), ("residual", "C0")), zip(DECAYS, ("-", "--"), strict=True)
    ):
        chosen = [stack for stack in stacks if (stack.form, stack.decay) == (form, decay)]
        counts = [stack.layers for stack in chosen]
        found = np.array([getattr(stack, values) for stack in chosen])
        label = f"{form}, decay {decay:g}"
        axes.plot(counts, found.mean(axis=1), style, marker="o", color=color, label=label)
        axes.fill_between(counts, found.min(axis=1), found.max(axis=1), color=color, alpha=0.15)
    axes.set_xscale("log", base=2)
    axes.set_xticks(counts, [str(count) for count in counts])
    axes.set_xlabel("layers of the stack")
