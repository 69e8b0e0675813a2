"""Compile a network with the loss and the optimizer of a recipe, and speed up its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..predict import uses_xla
from ..recipes import Recipe
from .convolutions import crop_kernels, multiply_by_bands, pool_subsampling, split_groups
from .fused_batch_norm import fuse_batch_norms
from .fused_sgd import fuse_sgd
from .optimizers import build_optimizer

if TYPE_CHECKING:
    import keras


def compile_model(
    model: keras.Model,
    recipe: Recipe,
    steps_per_epoch: int,
    loss_weights: Sequence[float] = (1.0,),
) -> None:
    """Compile a model with the recipe's optimizer and a loss for each output.

    The labels are class indices, or probabilities if the recipe has soft labels (see
    `data.pipeline.label_probabilities`).

    Args:
        model: From images to probabilities. The first output is the network's, whose accuracy is
            measured; others are those of auxiliary classifiers.
        recipe: The training recipe.
        steps_per_epoch: Number of batches per epoch.
        loss_weights: Weight of each output's loss in their sum.
    """
    import keras

    loss = (
        keras.losses.CategoricalCrossentropy(from_logits=False)
        if recipe.has_soft_labels
        else keras.losses.SparseCategoricalCrossentropy(from_logits=False)
    )
    outputs: dict[str, Any] = {"loss": loss, "metrics": ["accuracy"]}
    if len(model.outputs) > 1:
        names = model.output_names
        outputs = {
            "loss": dict.fromkeys(names, loss),
            "loss_weights": dict(zip(names, loss_weights, strict=True)),
            "metrics": {names[0]: ["accuracy"]},
        }
    optimizer = build_optimizer(recipe, steps_per_epoch)
    model.compile(optimizer=optimizer, **outputs, jit_compile=uses_xla())


def speed_up(model: keras.Model) -> None:
    """Let a compiled model, which is trained next, compute the same steps in less time.

    The results differ only by rounding; the weights and saved models stay as they are.
    """
    crop_kernels(model)
    split_groups(model)
    pool_subsampling(model)
    multiply_by_bands(model)
    fuse_batch_norms(model)
    fuse_sgd(model.optimizer)
