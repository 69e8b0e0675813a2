"""Files of networks that are not trained, for what does not depend on their training: latency."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras import machine, zoo
from cnn_keras.command import log, start_keras, write_atomic
from cnn_keras.data import photographs
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.errors import Error, UsageError
from cnn_keras.unpack import cache_folder

from ..benchmark.inputs import NUM_IMAGES
from ..recipes import Recipe
from .quantize import quantize

if TYPE_CHECKING:
    import keras

CROPS = 16  # of two photographs, for the calibration


class UntrainedFiles(NamedTuple):
    """Files of one network.

    Attributes:
        files: The files, in the order of the recipes.
        images: Path of an `.npy` file with preprocessed images
            `(benchmark.inputs.NUM_IMAGES, height, width, channels)`, crops of photographs.
    """

    files: list[Path]
    images: Path


def untrained_files(
    name: str,
    recipes: Sequence[Recipe],
    image_size: int | None = None,
    num_classes: int | None = None,
    options: Mapping[str, Any] = MappingProxyType({}),
) -> UntrainedFiles:
    """Return files of a network with conditioned random weights.

    They are written into the cache of the user, unless they are there already, from the same code.

    Args:
        name: Row of the zoo.
        recipes: One recipe for each file.
        image_size: Side of the input in pixels; by default that of the paper.
        num_classes: Number of classes; by default that of the paper.
        options: Options of the network's family.

    Raises:
        UsageError: A recipe includes further training, or the network cannot take such images or
            options.
        Error: The cache cannot be written.
    """
    for recipe in recipes:
        if recipe.techniques:
            raise UsageError(f"{recipe.name} needs a trained network, not {name} without weights.")
    row = zoo.network(name)
    height, width, channels = row.input_shape
    shape = (image_size or height, image_size or width, channels)
    classes = row.num_classes if num_classes is None else num_classes
    chosen = zoo.checked_options(name, options)
    form = [name, f"{shape[0]}x{shape[1]}x{channels}", str(classes)]
    form += [f"{option}={value}" for option, value in sorted(chosen.items())]
    folder = cache_folder() / "untrained" / "_".join(form) / _code_hash()
    files = [folder / f"{name}_{recipe.file_suffix}.tflite" for recipe in recipes]
    images = folder / "images.npy"
    try:
        for outdated in set(folder.parent.glob("*")) - {folder}:
            shutil.rmtree(outdated)
        if not images.is_file():
            write_atomic(images, _npy(photographs.tensors(shape, NUM_IMAGES, half=1)))
        for recipe, file in zip(recipes, files, strict=True):
            if not file.is_file():
                float32 = folder / f"{name}_float32.tflite"
                if not float32.is_file():
                    log(f"{name}: convert the network with random weights into {folder}")
                    write_atomic(float32, _converted(name, shape, classes, chosen))
                calibration = photographs.tensors(shape, CROPS, half=0)
                write_atomic(file, quantize(float32.read_bytes(), recipe, calibration))
    except OSError as error:
        raise Error(
            f"The files of {name} cannot be written into {folder} ({error.strerror}): name another "
            "folder in XDG_CACHE_HOME."
        ) from error
    return UntrainedFiles(files, images)


def _code_hash() -> str:
    """Return a hash of the code that a file depends on."""
    networks, here = Path(zoo.__file__).parent, Path(__file__).parent
    paths = [here.parent / "recipes.py", networks / "zoo.py", networks / "blocks.py"]
    paths += [*sorted(here.glob("*.py")), *sorted((networks / "models").glob("*.py"))]
    digest = hashlib.sha256(f"{machine.versions()}".encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _converted(
    name: str, shape: tuple[int, int, int], num_classes: int, options: Mapping[str, Any]
) -> bytes:
    """Return the float32 file of a network with conditioned random weights."""
    start_keras()
    import keras

    from .convert import convert

    keras.utils.set_random_seed(0)
    model = zoo.build(name, shape, num_classes, **options)
    images = photographs.tensors(shape, CROPS, half=0)
    normalize_by(model, images)
    _center(model, images)
    return convert(model)


def _center(model: keras.Model, images: Float32Images) -> None:
    """Set the last biases so that the mean of each logit over the images is 0.

    Otherwise one class is predicted for all images, and comparing predictions proves little.
    """
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    if last.bias is not None:
        last.bias.assign(last.bias - _logits(model, last, images).mean(axis=0))


def _logits(model: keras.Model, last: Any, images: Float32Images) -> NDArray[np.float32]:
    """Return the logits `(n, classes)`, averaged over the feature maps of NiN's last layer."""
    import keras

    logits = keras.ops.convert_to_numpy(keras.Model(model.input, last.output)(images))
    result: NDArray[np.float32] = logits.reshape(len(images), -1, logits.shape[-1]).mean(axis=1)
    return result


def _npy(images: Float32Images) -> bytes:
    """Return the content of an `.npy` file."""
    content = BytesIO()
    np.save(content, images)
    return content.getvalue()


def normalize_by(model: keras.Model, images: Float32Images) -> None:
    """Condition random weights on some images, so that a comparison of probabilities can fail.

    Each batch normalization gets its statistics on the images, and a shift of one. Without the
    shift, rectifiers cut off half of their inputs, and each layer of random weights amplifies
    rounding errors (Yang et al., arXiv:1902.08129): the float32 probabilities of plain-56 then
    differ by 2.6e-4 from those in double precision, and with the shift by 2e-6.

    The last weights are scaled so that the logits have a standard deviation of one over the
    classes. Otherwise those of resnet56 are so large that one class has a probability of 1 in spite
    of rounding errors.
    """
    import keras

    layers = [x for x in model.layers if isinstance(x, keras.layers.BatchNormalization)]
    momentum = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
        layer.beta.assign(keras.ops.ones_like(layer.beta))
    model(images, training=True)
    for layer, value in zip(layers, momentum, strict=True):
        layer.momentum = value
    last = next(layer for layer in reversed(model.layers) if layer.weights)
    spread = _logits(model, last, images).std(axis=-1).mean()
    last.set_weights([weight / spread for weight in last.get_weights()])
