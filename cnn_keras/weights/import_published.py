"""Import of published weights as a run folder of the zoo's network.

The publisher's name for the weights decides the network and its options; shapes and a forward pass
check them. Every tensor of the file is used and every layer is filled. Differences are folded in
exactly: the bias of a convolution, and another epsilon, into the batch normalization after it; the
order of channels into the first kernel; the order of a flattened map into the first dense kernel.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import zoo
from ..data import datasets, photographs
from ..data.preprocessing import Preprocessing
from ..errors import Error, UsageError, unknown
from ..model_files.layer_weights import CLASSIFIER
from ..training.evaluate import Guess, top_k
from ..training.run_folder import Run, new_run
from . import keras_applications, torchvision
from .keras_applications import KERAS
from .labels import class_names
from .publisher import Array, PublishedWeights, Shape
from .torchvision import TORCHVISION

if TYPE_CHECKING:
    import keras

IMAGE_SIZE = 224  # of the images that the published weights were trained on

WEIGHTS = (*keras_applications.WEIGHTS, *torchvision.WEIGHTS)


class Imported(NamedTuple):
    """Result of an import.

    Attributes:
        run: The run folder.
        weights: The weights that were imported.
        guesses: The network's first guess for each sample photograph, by file name.
    """

    run: Run
    weights: PublishedWeights
    guesses: dict[str, Guess]


def find(name: str, file: Path) -> PublishedWeights:
    """Return the published weights of a name; the suffix of the file decides the publisher.

    Raises:
        UsageError: No publisher has the suffix, or this publisher does not have the name.

    Example:
        >>> find("resnet50", Path("resnet50-0676ba61.pth")).options
        {'stride_on': '3x3'}
    """
    for publisher in (KERAS, TORCHVISION):
        if file.suffix.lower() in publisher.suffixes:
            rows = {row.name: row for row in WEIGHTS if row.publisher is publisher}
            if name not in rows:
                raise unknown(f"network of {publisher.name}", name, rows)
            return rows[name]
    raise UsageError(
        f"{file} ends with none of {', '.join(KERAS.suffixes)} (keras.applications), "
        f"{', '.join(TORCHVISION.suffixes)} (torchvision)."
    )


class WeightFile:
    """The tensors of a file, each of which the network must use.

    Args:
        path: The file.
        weights: The weights that it should hold.

    Raises:
        Error: The file does not exist, or is broken or of another kind.
    """

    def __init__(self, path: Path, weights: PublishedWeights) -> None:
        if not path.is_file():
            raise Error(f"No such weights: {path}.")
        self.path, self.weights = path, weights
        self.tensors = weights.publisher.read(path)
        self.used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def take(self, name: str, shape: Shape | None = None) -> Array:
        """Return a tensor and mark it as used.

        Raises:
            Error: The tensor is missing, has another shape, or is not finite.
        """
        if name not in self.tensors:
            raise Error(f"{self.path} has no tensor '{name}', which {self._network} has.")
        array = self.tensors[name]
        if shape is not None and array.shape != shape:
            raise Error(
                f"The tensor '{name}' of {self.path} is {_shape_text(array.shape)}, that of "
                f"{self._network} {_shape_text(shape)}."
            )
        if not np.isfinite(array).all():
            raise Error(f"The tensor '{name}' of {self.path} has NaN or infinity in it.")
        self.used.add(name)
        return array

    def require_all_used(self) -> None:
        """Check that all tensors are used, except those that only training needs.

        Raises:
            Error: A tensor is unused.
        """
        for name in self.tensors:
            if name not in self.used and not re.fullmatch(self.weights.training_only, name):
                raise Error(f"{self.path} has a tensor '{name}', which {self._network} lacks.")

    @property
    def _network(self) -> str:
        return f"{self.weights.publisher.name}'s {self.weights.name}"


def _shape_text(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "one number"


def build(file: WeightFile, image_size: int = IMAGE_SIZE) -> keras.Model:
    """Build the network of a file of weights, with as many classes as the file has.

    Returns:
        A model from `(batch, image_size, image_size, 3)` to probabilities `(batch, num_classes)`.

    Raises:
        Error: A tensor is missing, unused or of another shape.
    """
    weights = file.weights
    num_classes = file.take(weights.publisher.bias.format(weights.layer_name(CLASSIFIER))).size
    model = zoo.build(weights.network, (image_size, image_size, 3), num_classes, **weights.options)
    layers = [layer for layer in model.layers if layer.weights]
    for layer in layers:
        if layer.name.endswith("_bn"):
            layer.set_weights(_normalization(file, layer))
        else:
            layer.set_weights(_kernel_and_bias(file, layer, layer is layers[0], model))
    file.require_all_used()
    return model


def _kernel_and_bias(
    file: WeightFile, layer: keras.Layer, is_first: bool, model: keras.Model
) -> list[Array]:
    publisher, name = file.weights.publisher, file.weights.layer_name(layer.name)
    shape = tuple(layer.kernel.shape)
    kernel = file.take(publisher.kernel.format(name), publisher.kernel_shape(shape))
    flattened = model.get_layer("flatten").input.shape[1:] if layer.name == "fc6" else None
    arrays = [publisher.convert_kernel(kernel, flattened, is_first)]
    if layer.use_bias:
        arrays.append(file.take(publisher.bias.format(name), shape[-1:]))
    return arrays


def _normalization(file: WeightFile, layer: keras.Layer) -> list[Array]:
    """Return scale, shift, mean and variance, with the differences folded in.

    `(x + bias - mean) / sqrt(variance + epsilon)` is the same with `mean - bias` and no bias, and
    with our epsilon and a variance that makes up the difference.
    """
    publisher, name = file.weights.publisher, file.weights.layer_name(layer.name)
    scale, shift, mean, variance = (
        file.take(key.format(name), tuple(layer.gamma.shape)) for key in publisher.norm
    )
    conv = file.weights.layer_name(layer.name.removesuffix("_bn"))
    if (bias := publisher.bias.format(conv)) in file:
        mean = mean.astype(np.float64) - file.take(bias, mean.shape)
    variance = variance.astype(np.float64) + (file.weights.epsilon - layer.epsilon)
    return [scale, shift, mean, variance]


def predict_photographs(
    model: keras.Model, preprocessing: Preprocessing
) -> dict[str, NDArray[np.float32]]:
    """Return a network's probabilities for the sample photographs, by file name.

    Raises:
        Error: They are not probabilities, or are the same for both photographs.
    """
    import keras

    images = photographs.originals()
    pixels = [preprocessing.pixels(Image.fromarray(image)) for image in images.values()]
    both = keras.Model(model.input, [model.get_layer(CLASSIFIER).output, model.output])
    outputs = both(preprocessing(np.stack(pixels)), training=False)
    logits, probabilities = map(keras.ops.convert_to_numpy, outputs)
    names = " and ".join(images)
    if not np.isfinite(logits).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise Error(f"With these weights {model.name} gives no probabilities for {names}.")
    if not np.ptp(logits, axis=0).any():
        raise Error(f"With these weights {model.name} gives the same scores for {names}.")
    return dict(zip(images, probabilities, strict=True))


def import_weights(
    name: str,
    path: Path,
    out: Path,
    labels: Path | None = None,
    data_name: str = photographs.NAME,
    data_dir: Path | None = None,
    image_size: int = IMAGE_SIZE,
) -> Imported:
    """Write a run folder of published weights, like the one of a training.

    Args:
        name: The publisher's name for the weights.
        path: The file, whose suffix decides the publisher.
        out: The run folder, which must not exist or be empty.
        labels: Text file of class names, one a line, in the order of the network's outputs. By
            default ImageNet's if there are 1,000, else numbers.
        data_name: Data set that the network and its exports are evaluated on.
        data_dir: Folder in which the data set is looked for first.
        image_size: Height and width of the network's input.

    Raises:
        UsageError: The name is unknown, the folder is not empty, or there are more or fewer labels
            than classes.
        Error: The weights do not fit or cannot be read, or the data set has other classes.
    """
    weights = find(name, path)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: choose another --out.")
    data_name = datasets.absolute_name(data_name, labeled=False)
    model = build(WeightFile(path, weights), image_size)
    classes = class_names(model.output_shape[-1], labels)
    preprocessing = Preprocessing(image_size, image_size, 3, weights.mean, weights.std)
    probabilities = predict_photographs(model, preprocessing)
    dataset = datasets.load(data_name, data_dir, (image_size, image_size, 3)).with_classes(classes)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    config = {
        "network": weights.network,
        "options": dict(weights.options),
        "data": data_name,
        "train_images": None,
        "seed": 0,
        "imported": {
            "publisher": weights.publisher.name,
            "name": name,
            "file": path.name,
            "sha256": sha256,
        },
    }
    if dataset.fingerprint is not None:
        config["contents"] = dataset.fingerprint
    with new_run(out) as run:
        model.save(run.path / "model.keras")
        run.describe(config, preprocessing, classes)
    guesses = {name: top_k(row, classes, 1)[0] for name, row in probabilities.items()}
    return Imported(Run(out), weights, guesses)
