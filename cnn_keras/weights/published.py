"""Weights that others have trained, put into the zoo's networks: the same numbers, ours to export.

A name, the publisher's own, says which network and which of its options a file needs; shapes and a
forward pass prove it. Nothing in a file is left over, and no layer without. What differs is folded
in exactly: a convolution's bias and another epsilon into the batch normalization that follows, the
order of channels into the first kernel, the order of a flattened map into the first dense one.

Reference:
    keras/src/applications/{vgg16,vgg19,resnet,imagenet_utils}.py of Keras 3.15;
    torchvision/models/{alexnet,vgg,googlenet,resnet,_meta}.py of torchvision 0.29.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .. import zoo
from ..data import datasets, photographs
from ..data.preprocessing import Preprocessing
from ..downloads import require_downloaded
from ..errors import Error, UsageError, unknown
from ..model_files import layer_weights
from ..model_files.layer_weights import CLASSIFIER
from ..training.evaluate import Guess, top_k
from ..training.run_folder import Run, new_run
from . import torch_file

if TYPE_CHECKING:
    import keras

Array = NDArray[Any]
Tensors = Mapping[str, Array]  # a file's, by name
Shape = tuple[int, ...]

IMAGE_SIZE = 224  # of the pictures that the published weights were trained on
LABELS = Path(__file__).with_name("imagenet_labels.txt")  # of ImageNet's challenge, as torchvision


class Publisher(NamedTuple):
    """How a library stores weights.

    Attributes:
        name: The library.
        suffixes: Of its files.
        read: A file's tensors.
        kernel: Name of a layer's kernel, of which `{}` is the layer; so in all that follow.
        bias: Name of its bias.
        norm: Names of a batch normalization's scale, shift, mean and variance.
        kernel_shape: A kernel's shape there, from its shape here.
        to_ours: A kernel as it is here; it is also told the map that is flattened before it, if
            one is, and whether it is the network's first.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Tensors]
    kernel: str
    bias: str
    norm: tuple[str, str, str, str]
    kernel_shape: Callable[[Shape], Shape]
    to_ours: Callable[[Array, Shape | None, bool], Array]


class Weights(NamedTuple):
    """A set of weights, and what they need.

    Attributes:
        name: The publisher's name for them.
        publisher: Who stores them, and how.
        network: Row of the zoo.
        options: The variant that they were trained in.
        layer: A layer's name there, from its name here.
        mean: Subtracted from a picture's red, green and blue, in pixel values.
        std: Divides them.
        epsilon: Of batch normalization.
        unused: Regular expression of the tensors that only training needs.
    """

    name: str
    publisher: Publisher
    network: str
    options: Mapping[str, Any]
    layer: Callable[[str], str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    epsilon: float
    unused: str


class Imported(NamedTuple):
    """What an import made.

    Attributes:
        run: The folder.
        weights: What was imported.
        guesses: What the network sees in each of the sample photographs, by their names.
    """

    run: Run
    weights: Weights
    guesses: dict[str, Guess]


# Names of a Keras layer's weights, in their order; by how many they are.
_ROLES = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def _read_keras(path: Path) -> Tensors:
    """Read `.keras`, `.weights.h5`, and the `.h5` of older Keras, as it is still published."""
    require_downloaded(path)
    layers = {} if zipfile.is_zipfile(path) else _read_old_keras(path)
    tensors: dict[str, Array] = {}
    for name, arrays in (layers or layer_weights.read_weights(path)).items():
        # The published residual networks call their classifier "probs".
        layer = "predictions" if name == "probs" else name
        roles = _ROLES.get(len(arrays)) or map(str, range(len(arrays)))
        tensors |= {f"{layer}/{role}": array for role, array in zip(roles, arrays, strict=True)}
    return tensors


def _read_old_keras(path: Path) -> dict[str, list[Array]]:
    """Return the arrays of each layer; none if the file is one of Keras 3."""
    import h5py

    try:
        with h5py.File(path) as file:
            layers = file.get("model_weights", file)  # of a file that holds more than weights
            return {
                name: [group[weight][()] for weight in group.attrs["weight_names"]]
                for name, group in layers.items()
                if len(group.attrs.get("weight_names", ()))
            }
    except (OSError, KeyError, RuntimeError) as error:
        raise Error(f"{path} cannot be read as a file of Keras: {error}.") from error


def _read_torch(path: Path) -> Tensors:
    """Read `.safetensors`, or what `torch.save` wrote."""
    if path.suffix.lower() != ".safetensors":
        return _unwrapped(torch_file.read(path))
    require_downloaded(path)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return _unwrapped(load_file(path))
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        # numpy lacks float8, for one
        raise Error(f"{path} cannot be read as safetensors: {error}.") from error


def _unwrapped(tensors: Tensors) -> Tensors:
    """Take off what modules around a network put before its tensors' names, one in another.

    `torch.compile` writes `_orig_mod.`, also before the parts that it compiled alone; a module
    around the whole network puts its name for it before all: DataParallel and AveragedModel (which
    also counts) `module.`, Lightning's mostly `model.`.
    """
    found = {
        name.replace("_orig_mod.", ""): array
        for name, array in tensors.items()
        if name != "n_averaged"
    }
    while len({name.partition(".")[0] for name in found}) == 1 and all("." in key for key in found):
        found = {name.partition(".")[2]: array for name, array in found.items()}
    return found


def _same_shape(shape: Shape) -> Shape:
    return shape


def _from_keras(kernel: Array, _: Shape | None, first: bool) -> Array:
    """Let the first kernel take red, green, blue; it takes Caffe's blue, green, red."""
    return kernel[:, :, ::-1] if first else kernel


def _torch_shape(shape: Shape) -> Shape:
    """Return `(out, in, height, width)` or `(out, in)`."""
    *window, inputs, outputs = shape
    return (outputs, inputs, *window)


def _from_torch(kernel: Array, flattened: Shape | None, _: bool) -> Array:
    """Return `(height, width, in, out)` or `(in, out)`; torch flattens channel by channel."""
    if flattened is not None:
        height, width, channels = flattened
        by_channel = kernel.reshape(-1, channels, height, width)
        return by_channel.transpose(2, 3, 1, 0).reshape(-1, len(kernel))
    return kernel.transpose(*range(2, kernel.ndim), 1, 0)


KERAS = Publisher(
    "keras.applications",
    (*layer_weights.HDF5_FILES, ".keras"),
    _read_keras,
    kernel="{}/kernel",
    bias="{}/bias",
    norm=("{}/gamma", "{}/beta", "{}/moving_mean", "{}/moving_variance"),
    kernel_shape=_same_shape,
    to_ours=_from_keras,
)
TORCHVISION = Publisher(
    "torchvision",
    layer_weights.TORCH_FILES,
    _read_torch,
    kernel="{}.weight",
    bias="{}.bias",
    norm=("{}.weight", "{}.bias", "{}.running_mean", "{}.running_var"),
    kernel_shape=_torch_shape,
    to_ours=_from_torch,
)


def _keras_vgg(layer: str) -> str:
    dense = {"fc6": "fc1", "fc7": "fc2", CLASSIFIER: "predictions"}
    return dense.get(layer) or re.sub(r"conv(\d)_(\d)", r"block\1_conv\2", layer)


def _keras_resnet(layer: str) -> str:
    if layer == CLASSIFIER:
        return "predictions"
    row, kind = _conv_or_bn(layer)
    if row == "conv1":
        return f"conv1_{kind}"
    stage, block, step = row.split("_")
    return f"{stage}_block{block}_{('shortcut', 'a', 'b', 'c').index(step)}_{kind}"


def _torch_alexnet(layer: str) -> str:
    features = {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10}
    dense = {"fc6": 1, "fc7": 4, CLASSIFIER: 6}
    return f"classifier.{dense[layer]}" if layer in dense else f"features.{features[layer]}"


def _torch_vgg(layer: str, configuration: str, batch_normalization: bool) -> str:
    from ..models.vgg import TABLE_1

    dense = {"fc6": 0, "fc7": 3, CLASSIFIER: 6}
    if layer in dense:
        return f"classifier.{dense[layer]}"
    row, kind = _conv_or_bn(layer)
    stage, index = map(int, row.removeprefix("conv").split("_"))
    each = 3 if batch_normalization else 2  # with its rectifier
    before = sum(each * len(widths) + 1 for widths in TABLE_1[configuration][: stage - 1])
    return f"features.{before + each * (index - 1) + (kind == 'bn')}"


def _torch_googlenet(layer: str) -> str:
    if layer == CLASSIFIER:
        return "fc"
    row, kind = _conv_or_bn(layer)
    stem = {"conv1": "conv1", "conv2_reduce": "conv2", "conv2": "conv3"}
    if row in stem:
        return f"{stem[row]}.{kind}"
    branches = {
        "1x1": "branch1",
        "3x3_reduce": "branch2.0",
        "3x3": "branch2.1",
        "5x5_reduce": "branch3.0",
        "5x5": "branch3.1",
        "pool_proj": "branch4.1",
    }
    module, _, branch = row.partition("_")
    return f"inception{module}.{branches[branch]}.{kind}"


def _torch_resnet(layer: str) -> str:
    if layer == CLASSIFIER:
        return "fc"
    row, kind = _conv_or_bn(layer)
    if row == "conv1":
        return f"{kind}1"
    stage, block, step = row.split("_")
    module = f"layer{int(stage[-1]) - 1}.{int(block) - 1}"
    if step == "shortcut":
        return f"{module}.downsample.{('conv', 'bn').index(kind)}"
    return f"{module}.{kind}{'abc'.index(step) + 1}"


def _conv_or_bn(layer: str) -> tuple[str, str]:
    """Return a convolution's name, and whether the layer is it or its normalization."""
    row = layer.removesuffix("_bn")
    return row, "conv" if row == layer else "bn"


def _keras(name: str, layer: Callable[[str], str]) -> Weights:
    # As in Caffe, the mean of ImageNet's pixels is subtracted and nothing is scaled.
    mean, std = (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)
    return Weights(name, KERAS, name, {}, layer, mean, std, epsilon=1.001e-5, unused="")


def _torch(
    name: str, network: str, options: Mapping[str, Any], layer: Callable[[str], str]
) -> Weights:
    # (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) of pixels from 0 to 1.
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    unused = r".*\.num_batches_tracked"
    return Weights(name, TORCHVISION, network, options, layer, mean, std, 1e-5, unused)


def _torch_vggs(name: str) -> Weights:
    network, normalized = name.removesuffix("_bn"), name.endswith("_bn")
    layer = partial(
        _torch_vgg,
        configuration=zoo.ZOO[network].options["configuration"],
        batch_normalization=normalized,
    )
    return _torch(name, network, {"batch_normalization": True} if normalized else {}, layer)


# torchvision's variants: AlexNet is the one tower of 2014; GoogLeNet has batch normalization, 3×3
# windows in its 5×5 branches, and takes pixels from -1 to 1 (`transform_input`, which its published
# weights set); bottlenecks have the stride on their 3×3.
_ONE_TOWER = {"form": "2014"}
_BN_3X3 = {"form": "torchvision", "normalization": "batch_norm"}
_V1_5 = {"stride_on": "3x3"}

WEIGHTS = (
    _keras("vgg16", _keras_vgg),
    _keras("vgg19", _keras_vgg),
    _keras("resnet50", _keras_resnet),
    _keras("resnet101", _keras_resnet),
    _keras("resnet152", _keras_resnet),
    _torch("alexnet", "alexnet", _ONE_TOWER, _torch_alexnet),
    *map(_torch_vggs, ("vgg11", "vgg13", "vgg16", "vgg19")),
    *map(_torch_vggs, ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")),
    _torch("googlenet", "googlenet", _BN_3X3, _torch_googlenet)._replace(
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        epsilon=1e-3,
        unused=r"aux[12]\..*|.*\.num_batches_tracked",
    ),
    _torch("resnet18", "resnet18", {}, _torch_resnet),
    _torch("resnet34", "resnet34", {}, _torch_resnet),
    _torch("resnet50", "resnet50", _V1_5, _torch_resnet),
    _torch("resnet101", "resnet101", _V1_5, _torch_resnet),
    _torch("resnet152", "resnet152", _V1_5, _torch_resnet),
)


def find(name: str, file: Path) -> Weights:
    """Return the row of a name; where both publishers have it, the kind of file decides.

    Raises:
        UsageError: The file's name has another ending, or its publisher no such row.

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


class File:
    """A file's tensors, each of which a network has to use.

    Args:
        path: The file.
        weights: What it should hold.

    Raises:
        Error: There is no such file, or it is broken or of another kind.
    """

    def __init__(self, path: Path, weights: Weights) -> None:
        if not path.is_file():
            raise Error(f"No such weights: {path}.")
        self.path, self.weights = path, weights
        self.tensors = weights.publisher.read(path)
        self.used: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def take(self, name: str, shape: Shape | None = None) -> Array:
        """Return a tensor, and note that it was used.

        Raises:
            Error: It is missing, of another shape, or has NaN in it.
        """
        if name not in self.tensors:
            raise Error(f"{self.path} has no tensor '{name}', which {self._theirs} has.")
        array = self.tensors[name]
        if shape is not None and array.shape != shape:
            raise Error(
                f"The tensor '{name}' of {self.path} is {_spell(array.shape)}, that of "
                f"{self._theirs} {_spell(shape)}."
            )
        if not np.isfinite(array).all():
            raise Error(f"The tensor '{name}' of {self.path} has NaN or infinity in it.")
        self.used.add(name)
        return array

    def require_all_used(self) -> None:
        """Check that nothing is left over, but what only training needs.

        Raises:
            Error: A tensor is left.
        """
        for name in self.tensors:
            if name not in self.used and not re.fullmatch(self.weights.unused, name):
                raise Error(f"{self.path} has a tensor '{name}', which {self._theirs} lacks.")

    @property
    def _theirs(self) -> str:
        return f"{self.weights.publisher.name}'s {self.weights.name}"


def _spell(shape: Shape) -> str:
    return "×".join(map(str, shape)) or "one number"


def build(file: File, image_size: int = IMAGE_SIZE) -> keras.Model:
    """Build the network of a file of weights, with as many classes as the file has, and fill it.

    Returns:
        A model from `(batch, image_size, image_size, 3)` to probabilities `(batch, num_classes)`.

    Raises:
        Error: The file does not fit, by name or shape or because something is left over.
    """
    weights = file.weights
    num_classes = file.take(weights.publisher.bias.format(weights.layer(CLASSIFIER))).size
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
    file: File, layer: keras.Layer, first: bool, model: keras.Model
) -> list[Array]:
    publisher, name = file.weights.publisher, file.weights.layer(layer.name)
    shape = tuple(layer.kernel.shape)
    kernel = file.take(publisher.kernel.format(name), publisher.kernel_shape(shape))
    flattened = model.get_layer("flatten").input.shape[1:] if layer.name == "fc6" else None
    arrays = [publisher.to_ours(kernel, flattened, first)]
    if layer.use_bias:
        arrays.append(file.take(publisher.bias.format(name), shape[-1:]))
    return arrays


def _normalization(file: File, layer: keras.Layer) -> list[Array]:
    """Return scale, shift, mean and variance, with what differs folded in.

    `(x + bias - mean) / sqrt(variance + epsilon)` is the same for `mean - bias` without the bias,
    and for our epsilon with a variance that makes up the difference.
    """
    publisher, name = file.weights.publisher, file.weights.layer(layer.name)
    scale, shift, mean, variance = (
        file.take(key.format(name), tuple(layer.gamma.shape)) for key in publisher.norm
    )
    before = file.weights.layer(layer.name.removesuffix("_bn"))
    if (bias := publisher.bias.format(before)) in file:
        mean = mean.astype(np.float64) - file.take(bias, mean.shape)
    variance = variance.astype(np.float64) + (file.weights.epsilon - layer.epsilon)
    return [scale, shift, mean, variance]


def check(model: keras.Model, preprocessing: Preprocessing) -> dict[str, NDArray[np.float32]]:
    """Show a network two photographs.

    Returns:
        Its probabilities by the photographs' names.

    Raises:
        Error: They are no probabilities, or the same for both.
    """
    import keras

    pictures = photographs.originals()
    pixels = [preprocessing.pixels(Image.fromarray(picture)) for picture in pictures.values()]
    both = keras.Model(model.input, [model.get_layer(CLASSIFIER).output, model.output])
    answers = both(preprocessing(np.stack(pixels)), training=False)
    logits, probabilities = map(keras.ops.convert_to_numpy, answers)
    names = " and ".join(pictures)
    if not np.isfinite(logits).all() or not np.allclose(probabilities.sum(axis=1), 1, atol=1e-4):
        raise Error(f"With these weights {model.name} gives no probabilities for {names}.")
    if not np.ptp(logits, axis=0).any():
        raise Error(f"With these weights {model.name} gives the same answer for {names}.")
    return dict(zip(pictures, probabilities, strict=True))


def import_weights(
    name: str,
    path: Path,
    out: Path,
    labels: Path | None = None,
    data_name: str = photographs.NAME,
    data_dir: Path | None = None,
    image_size: int = IMAGE_SIZE,
) -> Imported:
    """Make a run folder of a file of weights, as a training would have left it.

    Args:
        name: Row of `WEIGHTS`.
        path: The file; its kind tells the publisher.
        out: The run folder; it must not exist yet, or be empty.
        labels: Class names, one a line, in the order of the network's outputs. By default those of
            ImageNet if there are 1,000, else the classes' numbers.
        data_name: Data set that the network is evaluated, and its exports are judged on.
        data_dir: Where the data set may lie.
        image_size: Side of the network's input: that of the pictures it was trained on.

    Raises:
        UsageError: An unknown name, a folder that is not empty, or not as many labels as classes.
        Error: The weights do not fit or cannot be read, or the data set has other classes.
    """
    weights = find(name, path)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: choose another --out.")
    data_name = datasets.absolute_name(data_name, labeled=False)
    model = build(File(path, weights), image_size)
    classes = class_names(model.output_shape[-1], labels)
    preprocessing = Preprocessing(image_size, image_size, 3, weights.mean, weights.std)
    answers = check(model, preprocessing)
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
    guesses = {picture: top_k(answer, classes, 1)[0] for picture, answer in answers.items()}
    return Imported(Run(out), weights, guesses)


def class_names(count: int, labels: Path | None = None) -> tuple[str, ...]:
    """Return the names of a network's classes: those of a file, ImageNet's, or numbers.

    Raises:
        UsageError: The file has more names or fewer.
        Error: There is no such file.
    """
    names = _lines(labels or LABELS)
    if len(names) == count:
        return names
    if labels is None:
        return tuple(map(str, range(count)))
    raise UsageError(f"{labels} has {len(names)} labels, and the network has {count} classes.")


def _lines(path: Path) -> tuple[str, ...]:
    try:
        lines = (line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines())
        return tuple(line for line in lines if line)
    except UnicodeDecodeError as error:
        raise Error(f"{path} cannot be read as labels: save it as text in UTF-8.") from error
    except OSError as error:
        raise Error(f"{path} cannot be read as labels: {error}.") from error
