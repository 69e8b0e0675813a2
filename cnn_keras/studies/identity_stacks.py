"""Train stacks of plain or of residual modules to output their input.

Kernels are measured with the batch normalization after them folded in, and relative to the norm of
a Dirac kernel: a kernel of zeros is at distance 1 from it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..training.optimization.optimizers import keras_weight_decay
from ..training.predict import predict, uses_xla
from ..training.run_folder import Run

if TYPE_CHECKING:
    import keras

    from ..models.shortcuts import Shortcut

Maps: TypeAlias = NDArray[np.float32]

FORMS: dict[str, Shortcut] = {"plain": "none", "residual": "A"}

BATCH_SIZE, STEPS_PER_EPOCH = 8, 16
TRAIN_MAPS, HELD_OUT_MAPS = 1024, 256


def stack(shape: tuple[int, int, int], layers: int, form: str) -> keras.Model:
    """Return a model of the paper's modules one after the other; the shape of the maps stays."""
    import keras

    from ..models.cifar_resnet import residual_module

    x = y = keras.Input(shape)
    for index in range(layers // 2):
        y = residual_module(y, shape[-1], 1, FORMS[form], f"module{index + 1}")
    return keras.Model(x, y)


def train_stack(
    maps: Maps, held_out: Maps, *, layers: int, form: str, decay: float, steps: int, seed: int
) -> dict[str, Any]:
    """Train a stack to output its input.

    Optimizer and learning rate are those of the paper.

    Args:
        maps: Training maps `(n, height, width, channels)`.
        held_out: Other maps of the same shape.
        layers: Number of convolutions.
        form: ``"plain"`` or ``"residual"``.
        decay: Coefficient of the L2 penalty.
        steps: Number of training steps.
        seed: Seed of the initial weights and of the order of the maps.

    Returns:
        ``"errors"`` by epoch and ``"held_out"`` error; ``"distance"`` and ``"peak"``, means over
        kernels: of a residual stack only the second one of each module.
    """
    import keras

    keras.utils.set_random_seed(seed)
    model = stack(maps.shape[1:], layers, form)
    model.compile(
        keras.optimizers.SGD(0.1, 0.9, weight_decay=keras_weight_decay(decay, 0.9)),
        "mse",
        jit_compile=uses_xla(),
    )
    history = model.fit(
        _batches(maps, seed),
        epochs=steps // STEPS_PER_EPOCH,
        steps_per_epoch=STEPS_PER_EPOCH,
        shuffle=False,  # the batches are random
        verbose=0,
    ).history
    error = float(np.square(model.predict(held_out, BATCH_SIZE, verbose=0) - held_out).mean())
    kernels = folded_kernels(model)
    if form == "residual":
        kernels = {name: kernel for name, kernel in kernels.items() if name.endswith("_b")}
    target = dirac(maps.shape[-1]) if form == "plain" else 0
    return {
        "errors": history["loss"],
        "held_out": error,
        "distance": float(np.mean([distance(kernel, target) for kernel in kernels.values()])),
        "peak": float(np.mean([peak(kernel) for kernel in kernels.values()])),
    }


def _batches(maps: Maps, seed: int) -> Iterator[tuple[Maps, Maps]]:
    rng = np.random.default_rng(seed)
    while True:
        batch = maps[rng.integers(len(maps), size=BATCH_SIZE)]
        yield batch, batch


def last_module_inputs(run: Run, data_dir: Path | None = None) -> tuple[Maps, Maps]:
    """Return the inputs of a residual network's last module, for training and validation images.

    Both are scaled by the same factor, so that the training maps have a variance of 1 around the
    means of their channels.
    """
    import keras

    dataset = run.dataset(data_dir)
    model = run.model()
    add = [layer for layer in model.layers if isinstance(layer, keras.layers.Add)][-1]
    _, shortcut = add.input  # the identity
    trunk = keras.Model(model.input, shortcut)
    train, held_out = (
        predict(trunk, run.preprocessing, split.sample(count).read())
        for split, count in ((dataset.train, TRAIN_MAPS), (dataset.validation, HELD_OUT_MAPS))
    )
    scale = np.sqrt(train.var(axis=(0, 1, 2)).mean())
    return train / scale, held_out / scale


def folded_kernels(model: keras.Model) -> dict[str, NDArray[np.float32]]:
    """Return each convolution's kernel multiplied by the scale of the batch normalization after it.

    Returns:
        Kernels `(height, width, inputs, filters)` by the convolution's name.
    """
    import keras

    kernels = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            name = layer.name.removesuffix("_bn")
            scale, _, _, variance = layer.get_weights()
            (kernel,) = model.get_layer(name).get_weights()
            kernels[name] = kernel * scale / np.sqrt(variance + layer.epsilon)
    return kernels


def dirac(channels: int) -> NDArray[np.float32]:
    """Return the 3×3 kernel of the identity, `(3, 3, channels, channels)`."""
    kernel = np.zeros((3, 3, channels, channels), np.float32)
    kernel[1, 1] = np.eye(channels)
    return kernel


def distance(kernel: NDArray[np.float32], target: NDArray[np.float32] | float) -> float:
    """Return the distance between a kernel and a target, relative to a Dirac kernel's norm."""
    return float(np.linalg.norm(kernel - target) / np.sqrt(kernel.shape[-1]))


def peak(kernel: NDArray[np.float32]) -> float:
    """Return the share of the largest weight in the sum of squares of a filter, mean over filters.

    It is 1 for a Dirac kernel, in any order of its channels.
    """
    squares = np.square(kernel).reshape(-1, kernel.shape[-1])
    return float((squares.max(axis=0) / np.maximum(squares.sum(axis=0), 1e-30)).mean())
