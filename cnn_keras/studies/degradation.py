"""Measure how depth changes the errors and gradients of plain and of residual networks.

Errors are those of the network after its last training step, on the training images without
augmentation and on the test split. Gradients of the loss are computed in training mode, with batch
statistics, on one mini-batch of training images.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, Fig. 1
    and Fig. 6; section 4.1 discusses gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..experiments import estimates, training_runs
from ..experiments.cache import cached_result
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
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

BATCH_SIZE = 128  # the paper's mini-batch

MAX_GRADIENT_RATIO = 10.0  # of the gradient norms of the first and the last layer

MOMENTS = ("start", "end")


class NetworkResult(NamedTuple):
    """Errors and gradient norms of one network, by seed.

    Attributes:
        network: Row of the zoo.
        steps: Number of training steps at the end of each epoch.
        curves: Errors by epoch, `(seeds, epochs)`: ``"train"``, on the augmented images during
            training, and ``"validation"``.
        errors: Errors after the last step, one per seed: ``"train"``, without augmentation, and
            ``"test"``.
        images: Number of images behind those errors.
        layers: Names of the convolutions, first to last.
        gradients: Norm of the loss's gradient with respect to each convolution's kernel,
            `(seeds, layers)`, at the ``"start"`` and at the ``"end"`` of training.
    """

    network: str
    steps: list[int]
    curves: dict[str, list[list[float]]]
    errors: dict[str, list[float]]
    images: dict[str, int]
    layers: list[str]
    gradients: dict[str, list[list[float]]]

    def gradient_ratio(self, moment: str) -> estimates.Estimate:
        """Estimate the ratio of the first convolution's gradient norm to the last one's.

        The ratio is that of a line fitted to the logarithms of all norms, because single layers
        are outliers.
        """
        logs = np.log(self.gradients[moment])
        slopes = np.polyfit(np.arange(logs.shape[1]), logs.T, 1)[0]
        ratios = np.exp(-slopes * (logs.shape[1] - 1)).tolist()
        return estimates.geometric_mean(ratios)


def degradation(
    plain: Sequence[Training],
    residual: Sequence[Training],
    seeds: Sequence[int],
    workspace: Workspace,
) -> dict[str, Any]:
    """Train plain and residual networks of the same depths, and record how depth changes them.

    Finished runs are skipped, and their results are cached.

    Args:
        plain: Two networks or more, the shallowest first; their seeds are replaced.
        residual: Residual networks of the same depths.
        seeds: Each network is trained once for each seed.
        workspace: Where to train and to write; the record is named after the last residual
            network and the data.

    Returns:
        The record; intervals are over seeds, of ratios within a seed.
    """
    trainings = {"plain": list(plain), "residual": list(residual)}
    seeds, failed = training_runs.train_all([*plain, *residual], seeds, workspace)
    networks: dict[str, list[NetworkResult]] = {
        form: [_network_result(training, seeds, workspace) for training in group]
        for form, group in trainings.items()
    }
    return workspace.write_record(
        f"degradation_{training_runs.run_name(residual[-1])}",
        "degradation",
        claims(**networks),
        seeds=seeds,
        budget=training_runs.budget(plain[0]),
        details={form: [each._asdict() for each in group] for form, group in networks.items()},
        figure=_figure(networks, plain[0].data),
        failed=failed,
    )


def _network_result(
    training: Training, seeds: Sequence[int], workspace: Workspace
) -> NetworkResult:
    trained = training_runs.finished_runs(training, seeds, workspace.runs)
    measured = [
        cached_result(
            run, "degradation", {"batch": BATCH_SIZE}, partial(_measure, run, workspace.data_dir)
        )
        for run in trained
    ]
    steps = trained[0].metrics["num_train_images"] // training.recipe.batch_size
    return NetworkResult(
        training.network,
        [row["epoch"] * steps for row in trained[0].history],
        {
            name: [[1 - row[key] for row in run.history] for run in trained]
            for name, key in (("train", "accuracy"), ("validation", "val_accuracy"))
        },
        {
            "train": [each["train_error"] for each in measured],
            "test": [1 - run.metrics["test"]["accuracy"] for run in trained],
        },
        {
            "train": trained[0].metrics["num_train_images"],
            "test": trained[0].metrics["test"]["num_images"],
        },
        list(measured[0]["gradients"]["start"]),
        {
            moment: [list(each["gradients"][moment].values()) for each in measured]
            for moment in MOMENTS
        },
    )


def _measure(run: Run, data_dir: Path | None) -> dict[str, Any]:
    """Return a run's training error, and its gradient norms before and after training."""
    train = run.dataset(data_dir).train
    batch = train.sample(BATCH_SIZE, run.config["seed"])
    images = run.preprocessing(batch.read())
    start = gradient_norms(initial_model(run), images, batch.labels)
    model = run.model()
    accuracy = scores(predict(model, run.preprocessing, train), train.labels)["accuracy"]
    end = gradient_norms(model, images, batch.labels)
    return {"train_error": 1 - accuracy, "gradients": {"start": start, "end": end}}


def gradient_norms(
    model: keras.Model, images: NDArray[np.float32], labels: NDArray[np.int64]
) -> dict[str, float]:
    """Return the norm of the cross-entropy's gradient with respect to each convolution's kernel.

    Args:
        model: Network that maps images to probabilities.
        images: One mini-batch `(n, height, width, channels)`.
        labels: Class indices `(n,)`.

    Returns:
        The norms by layer name, in the network's order.
    """
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy()
    gradients = weight_gradients(model, loss, images, labels)
    return {
        path.removesuffix("/kernel"): float(np.linalg.norm(gradient))
        for path, gradient in gradients.items()
        if gradient.ndim == 4
    }


def claims(plain: Sequence[NetworkResult], residual: Sequence[NetworkResult]) -> list[Claim]:
    """Return the claims of the lecture and the paper about the shallowest and deepest networks."""
    made = []
    for split, name in (("train", "training"), ("test", "test")):
        made += _error_claims(name, *(_growth(group, split) for group in (plain, residual)))
    for group in (plain, residual):
        for moment in MOMENTS:
            made += _gradient_claims(group[-1], moment)
    return made


class _ErrorGrowth(NamedTuple):
    """Ratio of the deepest network's error to the shallowest one's, by seed.

    Ratios rather than differences, because the errors of the plain networks spread in proportion
    to their size: with some seeds a deep plain network hardly learns.
    """

    shallow: str
    deep: str
    by_seed: list[float]


def _growth(networks: Sequence[NetworkResult], split: str) -> _ErrorGrowth:
    """Compare errors; half an image is added to each, so that none is zero."""
    shallow, deep = (
        np.array(network.errors[split]) + 0.5 / network.images[split]
        for network in (networks[0], networks[-1])
    )
    return _ErrorGrowth(networks[0].network, networks[-1].network, (deep / shallow).tolist())


def _error_claims(name: str, plain: _ErrorGrowth, residual: _ErrorGrowth) -> list[Claim]:
    plain_growth, residual_growth = (
        estimates.geometric_mean(growth.by_seed) for growth in (plain, residual)
    )
    ratio = estimates.ratio(plain.by_seed, residual.by_seed)
    return [
        Claim(
            f"{plain.deep} has a higher {name} error than {plain.shallow} (ratio)",
            plain_growth.above(1),
            *plain_growth,
        ),
        Claim(
            f"{residual.deep} has no higher {name} error than {residual.shallow} (ratio)",
            not residual_growth.above(1),
            *residual_growth,
        ),
        Claim(
            f"the {name} error grows more from {plain.shallow} to {plain.deep} than from "
            f"{residual.shallow} to {residual.deep} (ratio of the ratios)",
            ratio.above(1),
            *ratio,
        ),
    ]


def _gradient_claims(network: NetworkResult, moment: str) -> list[Claim]:
    ratio = network.gradient_ratio(moment)
    where = f"in {network.network} at the {moment} of training the gradient does not"
    norms = "from the last convolution to the first its norm"
    return [
        Claim(
            f"{where} vanish: {norms} does not fall below 1/{MAX_GRADIENT_RATIO:g} (fitted line)",
            ratio.above(1 / MAX_GRADIENT_RATIO),
            *ratio,
        ),
        Claim(
            f"{where} explode: {norms} grows less than {MAX_GRADIENT_RATIO:g} times (fitted line)",
            ratio.below(MAX_GRADIENT_RATIO),
            *ratio,
        ),
    ]


def _figure(networks: dict[str, list[NetworkResult]], data: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7.5), layout="constrained")
    above, below = figure.subplots(2, 2, sharey="row")
    for (form, group), errors, gradients in zip(networks.items(), above, below, strict=True):
        for index, network in enumerate(group):
            _draw_errors(errors, network, f"C{index}")
            _draw_gradients(gradients, network, f"C{index}")
        errors.set_title(f"{form} networks on {Path(data).name}")
        errors.set_xlabel("step; at the end ○ training without augmentation, ● test")
        gradients.set_xlabel("convolution, first to last")
        gradients.set_yscale("log")
        for axes in (errors, gradients):
            axes.legend(fontsize="small")
            axes.grid(alpha=0.3)
    above[0].set_ylabel("error, %")
    below[0].set_ylabel("norm of the kernel's gradient")
    return figure


def _draw_errors(axes: Axes, network: NetworkResult, color: str) -> None:
    """Draw means over seeds, and the range over seeds of the validation error.

    The circles are the errors after the last step: on the training images without augmentation,
    and on the test split.
    """
    name, steps = network.network, network.steps
    train, held_out = (100 * np.array(network.curves[split]) for split in ("train", "validation"))
    axes.plot(steps, train.mean(axis=0), "--", color=color, lw=1, label=f"{name}, training")
    axes.plot(steps, held_out.mean(axis=0), color=color, lw=2.5, label=f"{name}, validation")
    axes.fill_between(steps, held_out.min(axis=0), held_out.max(axis=0), color=color, alpha=0.15)
    for split, fill in (("train", "none"), ("test", color)):
        end = 100 * float(np.mean(network.errors[split]))
        axes.plot(steps[-1], end, "o", color=color, markerfacecolor=fill)


def _draw_gradients(axes: Axes, network: NetworkResult, color: str) -> None:
    """Draw geometric means over seeds."""
    for moment, style in zip(MOMENTS, ("--", "-"), strict=True):
        norms = np.exp(np.log(network.gradients[moment]).mean(axis=0))
        indices = range(1, len(norms) + 1)
        label = f"{network.network}, {moment}"
        axes.plot(indices, norms, color=color, linestyle=style, label=label)
