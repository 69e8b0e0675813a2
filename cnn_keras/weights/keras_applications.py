"""Weights of keras.applications: their files, layer names and pixels.

Reference:
    keras/src/applications/{vgg16,vgg19,resnet,imagenet_utils}.py of Keras 3.15.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path

from ..data.downloads import require_downloaded
from ..errors import Error
from ..model_files.layer_weights import CLASSIFIER, HDF5_SUFFIXES, read_weights
from .publisher import Array, PublishedWeights, Publisher, Shape, Tensors, split_layer_name

# Names of a Keras layer's weights in order, by their number.
_WEIGHT_NAMES = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


def _read(path: Path) -> Tensors:
    """Read `.keras`, `.weights.h5`, or the `.h5` format of Keras 2, which is still published."""
    require_downloaded(path)
    layers = {} if zipfile.is_zipfile(path) else _read_keras2(path)
    tensors: dict[str, Array] = {}
    for name, arrays in (layers or read_weights(path)).items():
        # The published residual networks call their classifier "probs".
        layer = "predictions" if name == "probs" else name
        names = _WEIGHT_NAMES.get(len(arrays)) or map(str, range(len(arrays)))
        tensors |= {f"{layer}/{weight}": array for weight, array in zip(names, arrays, strict=True)}
    return tensors


def _read_keras2(path: Path) -> dict[str, list[Array]]:
    """Return the arrays of each layer, or nothing if Keras 3 wrote the file."""
    import h5py

    try:
        with h5py.File(path) as file:
            layers = file.get("model_weights", file)  # of a file that also holds the model
            return {
                name: [group[weight][()] for weight in group.attrs["weight_names"]]
                for name, group in layers.items()
                if len(group.attrs.get("weight_names", ()))
            }
    except (OSError, KeyError, RuntimeError) as error:
        raise Error(f"{path} cannot be read as a file of Keras: {error}.") from error


def _same_shape(shape: Shape) -> Shape:
    return shape


def _convert_kernel(kernel: Array, _: Shape | None, is_first: bool) -> Array:
    """Let the first kernel take red, green, blue; the published one takes Caffe's BGR."""
    return kernel[:, :, ::-1] if is_first else kernel


def _vgg_layer(layer: str) -> str:
    dense = {"fc6": "fc1", "fc7": "fc2", CLASSIFIER: "predictions"}
    return dense.get(layer) or re.sub(r"conv(\d)_(\d)", r"block\1_conv\2", layer)


def _resnet_layer(layer: str) -> str:
    if layer == CLASSIFIER:
        return "predictions"
    conv, kind = split_layer_name(layer)
    if conv == "conv1":
        return f"conv1_{kind}"
    stage, block, role = conv.split("_")
    return f"{stage}_block{block}_{('shortcut', 'a', 'b', 'c').index(role)}_{kind}"


KERAS = Publisher(
    "keras.applications",
    (*HDF5_SUFFIXES, ".keras"),
    _read,
    kernel="{}/kernel",
    bias="{}/bias",
    norm=("{}/gamma", "{}/beta", "{}/moving_mean", "{}/moving_variance"),
    kernel_shape=_same_shape,
    convert_kernel=_convert_kernel,
)


def _weights(name: str, layer_name: Callable[[str], str]) -> PublishedWeights:
    # As in Caffe, the mean of ImageNet's pixels is subtracted and nothing is scaled.
    mean, std = (123.68, 116.779, 103.939), (1.0, 1.0, 1.0)
    return PublishedWeights(
        name, KERAS, name, {}, layer_name, mean, std, epsilon=1.001e-5, training_only=""
    )


WEIGHTS = (
    _weights("vgg16", _vgg_layer),
    _weights("vgg19", _vgg_layer),
    _weights("resnet50", _resnet_layer),
    _weights("resnet101", _resnet_layer),
    _weights("resnet152", _resnet_layer),
)
