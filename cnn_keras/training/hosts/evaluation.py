"""Evaluate a network on the devices of all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data.loading.image_files import AnySplit
from ...data.pipeline import inference_batch_size
from ...data.preprocessing import Preprocessing
from ..evaluate import Probabilities, scores
from . import devices

if TYPE_CHECKING:
    import keras


def predict_together(
    model: keras.Model, preprocessing: Preprocessing, split: AnySplit
) -> Iterator[Probabilities]:
    """Yield the probabilities `(batch, classes)` of a split, batch by batch, on each process.

    Each process reads only its share of the images. The last batch is filled up with the last
    image, whose other probabilities are left out.

    Args:
        model: The network; of several outputs the first one counts.
        preprocessing: Its preprocessing.
        split: The images, in the input size.
    """
    found, share = devices.distribution(), devices.share()
    assert found is not None
    count, replicas = len(split.labels), found.num_model_replicas
    size = replicas * min(inference_batch_size(preprocessing), -(-count // replicas))
    forward = _forward(model)
    places = np.minimum(np.arange(-(-count // size) * size), count - 1).reshape(-1, size)
    own = split.take(places[:, share.rows(size)].ravel())
    variables = [
        [variable.value for variable in variables]
        for variables in (model.trainable_variables, model.non_trainable_variables)
    ]
    for step, images in enumerate(own.chunks(share.size(size))):
        probabilities = forward(*variables, devices.together(preprocessing(images)))
        yield np.asarray(probabilities)[: count - step * size]


@lru_cache(maxsize=1)
def _forward(model: keras.Model) -> Callable[..., Any]:
    """Return the compiled network, a function of its variables and of images."""

    def forward(trainable: Any, others: Any, images: Any) -> Any:
        outputs, _ = model.stateless_call(trainable, others, images, training=False)
        return outputs[0] if isinstance(outputs, list | tuple) else outputs

    return devices.replicated(forward)


def evaluate_together(model: keras.Model, preprocessing: Preprocessing, split: AnySplit) -> None:
    """Let `model.fit` and `model.evaluate` evaluate a split on all processes, in any batch size.

    Keras itself needs batches that the number of devices divides, also the last one.

    Args:
        model: A compiled model that is trained next.
        preprocessing: Its preprocessing.
        split: The images, in the input size.
    """
    names = model.output_names if len(model.outputs) > 1 else None
    prefix = f"{names[0]}_" if names else ""

    def evaluate(x: Any = None, callbacks: Any = None, **_: Any) -> dict[str, float]:
        model.stop_evaluating = False
        callbacks.on_test_begin()
        parts: list[Probabilities] = []
        for step, probabilities in enumerate(predict_together(model, preprocessing, split)):
            parts.append(probabilities)
            callbacks.on_test_batch_end(step)
            if model.stop_evaluating:
                break
        together = np.concatenate(parts)
        found = scores(together, split.labels[: len(together)])
        logs = {"loss": found["loss"]}
        logs |= {f"{prefix}{name}": found[name] for name in ("accuracy", "loss")}
        callbacks.on_test_end(logs)
        return logs

    model.evaluate = evaluate
