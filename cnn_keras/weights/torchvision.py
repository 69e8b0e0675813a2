"""Weights of torchvision: their files, layer names and pixels.

Reference:
    torchvision/models/{alexnet,vgg,googlenet,resnet,_meta}.py of torchvision 0.29.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..data.downloads import require_downloaded
from ..errors import Error
from ..model_files.layer_weights import CLASSIFIER, TORCH_SUFFIXES
from ..zoo import ZOO
from . import torch_file
from .publisher import Array, PublishedWeights, Publisher, Shape, Tensors, split_layer_name


def _read(path: Path) -> Tensors:
    """Read `.safetensors`, or a state dict that `torch.save` wrote."""
    if path.suffix.lower() != ".safetensors":
        return _without_prefixes(torch_file.read(path))
    require_downloaded(path)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return _without_prefixes(load_file(path))
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError) as error:
        # AttributeError: for example, numpy has no float8.
        raise Error(f"{path} cannot be read as safetensors: {error}.") from error


def _without_prefixes(tensors: Tensors) -> Tensors:
    """Remove the prefixes that modules around a network add to the names of its tensors.

    `torch.compile` adds `_orig_mod.`, also within the network if only parts of it are compiled. A
    wrapper adds its attribute's name before all names: DataParallel and AveragedModel (which also
    has a counter) `module.`, Lightning usually `model.`. Wrappers may be nested.
    """
    found = {
        name.replace("_orig_mod.", ""): array
        for name, array in tensors.items()
        if name != "n_averaged"
    }
    while len({name.partition(".")[0] for name in found}) == 1 and all("." in key for key in found):
        found = {name.partition(".")[2]: array for name, array in found.items()}
    return found


def _kernel_shape(shape: Shape) -> Shape:
    """Return `(out, in, height, width)` or `(out, in)`."""
    *window, inputs, outputs = shape
    return (outputs, inputs, *window)


def _convert_kernel(kernel: Array, flattened: Shape | None, _: bool) -> Array:
    """Return `(height, width, in, out)` or `(in, out)`; torch flattens channel by channel."""
    if flattened is not None:
        height, width, channels = flattened
        by_channel = kernel.reshape(-1, channels, height, width)
        return by_channel.transpose(2, 3, 1, 0).reshape(-1, len(kernel))
    return kernel.transpose(*range(2, kernel.ndim), 1, 0)


def _alexnet_layer(layer: str) -> str:
    features = {"conv1": 0, "conv2": 3, "conv3": 6, "conv4": 8, "conv5": 10}
    dense = {"fc6": 1, "fc7": 4, CLASSIFIER: 6}
    return f"classifier.{dense[layer]}" if layer in dense else f"features.{features[layer]}"


def _vgg_layer(layer: str, configuration: str, batch_normalization: bool) -> str:
    from ..models.vgg import TABLE_1

    dense = {"fc6": 0, "fc7": 3, CLASSIFIER: 6}
    if layer in dense:
        return f"classifier.{dense[layer]}"
    conv, kind = split_layer_name(layer)
    stage, index = map(int, conv.removeprefix("conv").split("_"))
    step = 3 if batch_normalization else 2  # modules per convolution, with its ReLU
    before = sum(step * len(widths) + 1 for widths in TABLE_1[configuration][: stage - 1])
    return f"features.{before + step * (index - 1) + (kind == 'bn')}"


def _googlenet_layer(layer: str) -> str:
    if layer == CLASSIFIER:
        return "fc"
    conv, kind = split_layer_name(layer)
    stem = {"conv1": "conv1", "conv2_reduce": "conv2", "conv2": "conv3"}
    if conv in stem:
        return f"{stem[conv]}.{kind}"
    branches = {
        "1x1": "branch1",
        "3x3_reduce": "branch2.0",
        "3x3": "branch2.1",
        "5x5_reduce": "branch3.0",
        "5x5": "branch3.1",
        "pool_proj": "branch4.1",
    }
    module, _, branch = conv.partition("_")
    return f"inception{module}.{branches[branch]}.{kind}"


def _resnet_layer(layer: str) -> str:
    if layer == CLASSIFIER:
        return "fc"
    conv, kind = split_layer_name(layer)
    if conv == "conv1":
        return f"{kind}1"
    stage, block, role = conv.split("_")
    module = f"layer{int(stage[-1]) - 1}.{int(block) - 1}"
    if role == "shortcut":
        return f"{module}.downsample.{('conv', 'bn').index(kind)}"
    return f"{module}.{kind}{'abc'.index(role) + 1}"


TORCHVISION = Publisher(
    "torchvision",
    TORCH_SUFFIXES,
    _read,
    kernel="{}.weight",
    bias="{}.bias",
    norm=("{}.weight", "{}.bias", "{}.running_mean", "{}.running_var"),
    kernel_shape=_kernel_shape,
    convert_kernel=_convert_kernel,
)


def _weights(
    name: str, network: str, options: Mapping[str, Any], layer_name: Callable[[str], str]
) -> PublishedWeights:
    # (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) of pixels from 0 to 1.
    mean, std = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    return PublishedWeights(
        name,
        TORCHVISION,
        network,
        options,
        layer_name,
        mean,
        std,
        epsilon=1e-5,
        training_only=r".*\.num_batches_tracked",
    )


def _vgg(name: str) -> PublishedWeights:
    network, has_norm = name.removesuffix("_bn"), name.endswith("_bn")
    layer_name = partial(
        _vgg_layer,
        configuration=ZOO[network].options["configuration"],
        batch_normalization=has_norm,
    )
    return _weights(name, network, {"batch_normalization": True} if has_norm else {}, layer_name)


# torchvision's variants: AlexNet is the one tower of 2014; GoogLeNet has batch normalization, 3×3
# windows in its 5×5 branches, and takes pixels from -1 to 1 (`transform_input`, which its published
# weights set); bottlenecks have the stride on their 3×3.
_ONE_TOWER = {"form": "2014"}
_BN_3X3 = {"form": "torchvision", "normalization": "batch_norm"}
_V1_5 = {"stride_on": "3x3"}

WEIGHTS = (
    _weights("alexnet", "alexnet", _ONE_TOWER, _alexnet_layer),
    *map(_vgg, ("vgg11", "vgg13", "vgg16", "vgg19")),
    *map(_vgg, ("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")),
    _weights("googlenet", "googlenet", _BN_3X3, _googlenet_layer)._replace(
        mean=(127.5, 127.5, 127.5),
        std=(127.5, 127.5, 127.5),
        epsilon=1e-3,
        training_only=r"aux[12]\..*|.*\.num_batches_tracked",
    ),
    _weights("resnet18", "resnet18", {}, _resnet_layer),
    _weights("resnet34", "resnet34", {}, _resnet_layer),
    _weights("resnet50", "resnet50", _V1_5, _resnet_layer),
    _weights("resnet101", "resnet101", _V1_5, _resnet_layer),
    _weights("resnet152", "resnet152", _V1_5, _resnet_layer),
)
