"""Degradation: deeper plain networks learn the training images worse, and residual ones do not.

Errors are of the network after its last step: on the training images without the distortions that
it was trained with, and on the test split. The gradients of the loss are those of one mini-batch of
training images, with normalization by that batch, as a training's step has them.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, Fig. 1
    and Fig. 6; on gradients section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..experiments import estimates, training_runs
from ..experiments.cache import kept
from ..experiments.record import Claim, write_record
from ..inspection.gradients import weight_gradients
from ..training.config import Training
from ..training.evaluate import scores
from ..training.predict import predict
from ..training.run_folder import Run
from ..training.train import initial_model

if TYPE_CHECKING:
    import keras
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BATCH = 128  # images a gradient is of: the paper's mini-batch

HEALTHY = 10.0  # times that a gradient's norm may grow or shrink between the first and last layer

MOMENTS = ("start", "end")


class Found(NamedTuple):
    """What was found about one network, by seed.

    Attributes:
        network: Row of the zoo.
        steps: At the end of each epoch.
        curves: Errors by epoch, `(seeds, epochs)`: ``"train"``, of the distorted images while they
            are learned, and ``"validation"``.
        errors: After the last step, a value a seed: ``"train"``, without distortions, and
            ``"test"``.
        images: How many those errors were counted on.
        layers: Names of the convolutions, first to last.
        gradients: Norms of the loss's gradient by each one's kernel, `(seeds, layers)`, at the
            ``"start"`` of the training and at its ``"end"``.
    """

    network: str
    steps: list[int]
    curves: dict[str, list[list[float]]]
    errors: dict[str, list[float]]
    images: dict[str, int]
    layers: list[str]
    gradients: dict[str, list[list[float]]]

    def gain(self, moment: str) -> estimates.Estimate:
        """Estimate how many times the last convolution's gradient the first one's is.

        Taken from a line through the norms' logarithms, as single layers stand out.
        """
        logs = np.log(self.gradients[moment])
        slopes = np.polyfit(np.arange(logs.shape[1]), logs.T, 1)[0]
        gains = np.exp(-slopes * (logs.shape[1] - 1)).tolist()
        return estimates.geometric_mean(gains)


def degradation(
    plain: Sequence[Training],
    residual: Sequence[Training],
    seeds: Sequence[int],
    runs: Path,
    out: Path,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Train plain networks and their residual twins, and record what depth does to their errors.

    Finished runs are skipped, and what was found about them is kept.

    Args:
        plain: Two networks or more, the shallowest first; their seeds are replaced.
        residual: Their twins.
        seeds: One run of each network for each.
        runs: Folder of the run folders.
        out: Folder of the record and its figure, named after the last residual network and data.
        data_dir: Where the data set may lie.

    Returns:
        The record; intervals are over seeds, of ratios within a seed.
    """
    forms = {"plain": list(plain), "residual": list(residual)}
    seeds, failed = training_runs.train_all([*plain, *residual], seeds, runs, data_dir)
    found: dict[str, list[Found]] = {
        form: [_network(training, seeds, runs, data_dir) for training in trainings]
        for form, trainings in forms.items()
    }
    return write_record(
        out / f"degradation_{training_runs.name(residual[-1])}.json",
        "study",
        "degradation",
        claims(**found),
        seeds=seeds,
        budget=training_runs.budget(plain[0]),
        details={form: [network._asdict() for network in found[form]] for form in forms},
        figure=_figure(found, plain[0].data),
        failed=failed,
    )


def _network(training: Training, seeds: Sequence[int], runs: Path, data_dir: Path | None) -> Found:
    trained = training_runs.finished(training, seeds, runs)
    facts = [
        kept(run, "degradation", {"batch": BATCH}, partial(_facts, run, data_dir))
        for run in trained
    ]
    steps = trained[0].metrics["num_train_images"] // training.recipe.batch_size
    return Found(
        training.network,
        [row["epoch"] * steps for row in trained[0].history],
        {
            name: [[1 - row[key] for row in run.history] for run in trained]
            for name, key in (("train", "accuracy"), ("validation", "val_accuracy"))
        },
        {
            "train": [fact["train_error"] for fact in facts],
            "test": [1 - run.metrics["test"]["accuracy"] for run in trained],
        },
        {
            "train": trained[0].metrics["num_train_images"],
            "test": trained[0].metrics["test"]["num_images"],
        },
        list(facts[0]["gradients"]["start"]),
        {
            moment: [list(fact["gradients"][moment].values()) for fact in facts]
            for moment in MOMENTS
        },
    )


def _facts(run: Run, data_dir: Path | None) -> dict[str, Any]:
    """Return a run's error on its training images, and gradient norms before and after."""
    train = run.dataset(data_dir).train
    batch = train.sample(BATCH, run.config["seed"])
    images = run.preprocessing(batch.images)
    first = gradient_norms(initial_model(run), images, batch.labels)
    model = run.model()
    right = scores(predict(model, run.preprocessing, train.images), train.labels)["accuracy"]
    last = gradient_norms(model, images, batch.labels)
    return {"train_error": 1 - right, "gradients": {"start": first, "end": last}}


def gradient_norms(
    model: keras.Model, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Return the norm of the cross-entropy's gradient by each convolution's kernel.

    Args:
        model: From images to probabilities.
        images: `(n, height, width, channels)`, one mini-batch.
        labels: `(n,)`.

    Returns:
        Norms by layer name, in the network's order.
    """
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy()
    found = weight_gradients(model, loss, images, labels)
    return {
        path.removesuffix("/kernel"): float(np.linalg.norm(gradient))
        for path, gradient in found.items()
        if gradient.ndim == 4
    }


def claims(plain: Sequence[Found], residual: Sequence[Found]) -> list[Claim]:
    """Return what the lecture and the paper say of the shallowest and the deepest networks."""
    found = []
    for split, name in (("train", "training"), ("test", "test")):
        found += _error_claims(name, *(_cost(networks, split) for networks in (plain, residual)))
    for networks in (plain, residual):
        for moment in MOMENTS:
            found += _gradient_claims(networks[-1], moment)
    return found


class _Cost(NamedTuple):
    """What depth costs: how many times the shallowest network's error the deepest one's is.

    Ratios, for errors spread in proportion to what they are: of one plain network's seeds some
    hardly learn.
    """

    shallow: str
    deep: str
    by_seed: list[float]


def _cost(networks: Sequence[Found], split: str) -> _Cost:
    """Compare errors, with half an image more wrong in each, so that none is zero."""
    shallow, deep = (
        np.array(found.errors[split]) + 0.5 / found.images[split]
        for found in (networks[0], networks[-1])
    )
    return _Cost(networks[0].network, networks[-1].network, (deep / shallow).tolist())


def _error_claims(name: str, plain: _Cost, residual: _Cost) -> list[Claim]:
    ours, theirs = (estimates.geometric_mean(cost.by_seed) for cost in (plain, residual))
    more = estimates.ratio(plain.by_seed, residual.by_seed)
    return [
        Claim(
            f"{plain.deep} has a higher {name} error than {plain.shallow} (times)",
            ours.above(1),
            *ours,
        ),
        Claim(
            f"{residual.deep} has no higher {name} error than {residual.shallow} (times)",
            not theirs.above(1),
            *theirs,
        ),
        Claim(
            f"the {name} error grows more from {plain.shallow} to {plain.deep} than from "
            f"{residual.shallow} to {residual.deep} (times)",
            more.above(1),
            *more,
        ),
    ]


def _gradient_claims(network: Found, moment: str) -> list[Claim]:
    gain = network.gain(moment)
    where = f"in {network.network} at the {moment} of training the gradient does not"
    first = "from the last convolution to the first its norm"
    return [
        Claim(
            f"{where} vanish: {first} does not fall to 1/{HEALTHY:g}, by a line through the "
            "logarithms of all",
            gain.above(1 / HEALTHY),
            *gain,
        ),
        Claim(
            f"{where} explode: {first} does not grow {HEALTHY:g} times",
            gain.below(HEALTHY),
            *gain,
        ),
    ]


def _figure(found: dict[str, list[Found]], data: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    above, below = figure.subplots(2, 2, sharey="row")
    for (form, networks), errors, gradients in zip(found.items(), above, below, strict=True):
        for place, network in enumerate(networks):
            _draw_errors(errors, network, f"C{place}")
            _draw_gradients(gradients, network, f"C{place}")
        errors.set_title(f"{form} networks on {Path(data).name}")
        errors.set_xlabel("step; at the end ○ training without distortions, ● test")
        gradients.set_xlabel("convolution, from the image on")
        gradients.set_yscale("log")
        for axes in (errors, gradients):
            axes.legend(fontsize="small")
            axes.grid(alpha=0.3)
    above[0].set_ylabel("error, %")
    below[0].set_ylabel("norm of the gradient by a kernel")
    return figure


def _draw_errors(axes: Axes, network: Found, color: str) -> None:
    """Draw means over seeds, and held-out errors also from the lowest to the highest seed.

    The circles are errors of the last network: on training images without distortions, and on the
    test split.
    """
    name, steps = network.network, network.steps
    train, held_out = (100 * np.array(network.curves[split]) for split in ("train", "validation"))
    axes.plot(steps, train.mean(axis=0), "--", color=color, lw=1, label=f"{name}, training")
    axes.plot(steps, held_out.mean(axis=0), color=color, lw=2.5, label=f"{name}, validation")
    axes.fill_between(steps, held_out.min(axis=0), held_out.max(axis=0), color=color, alpha=0.15)
    for split, fill in (("train", "none"), ("test", color)):
        end = 100 * float(np.mean(network.errors[split]))
        axes.plot(steps[-1], end, "o", color=color, markerfacecolor=fill)


def _draw_gradients(axes: Axes, network: Found, color: str) -> None:
    """Draw geometric means over seeds."""
    for moment, style in zip(MOMENTS, ("--", "-"), strict=True):
        norms = np.exp(np.log(network.gradients[moment]).mean(axis=0))
        places = range(1, len(norms) + 1)
        label = f"{network.network}, {moment}"
        axes.plot(places, norms, color=color, linestyle=style, label=label)
