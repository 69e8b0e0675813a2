"""The table of all networks, and `build`, which makes the model of a row.

A new network needs a file in `models/` and a row here. Commands and tests use the table.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args, get_type_hints

from .errors import UsageError, unknown
from .trained import table

if TYPE_CHECKING:
    import keras

LENET = "LeCun et al. 1998, section II-B"
ALEXNET = "Krizhevsky et al. 2012, section 3"
NIN = "Lin et al. arXiv:1312.4400, section 3"
VGG = "Simonyan and Zisserman arXiv:1409.1556, table 1"
GOOGLENET = "Szegedy et al. arXiv:1409.4842, table 1"
CIFAR_RESNET = "He et al. arXiv:1512.03385, section 4.2"
RESNET = "He et al. arXiv:1512.03385, table 1"


class Network(NamedTuple):
    """A row of the zoo: how to build a network, and its figures."""

    builder: str  # "file:function" under models/
    options: Mapping[str, Any]
    input_shape: tuple[int, int, int]
    num_classes: int
    depth: int  # layers with weights, as the paper counts them
    parameters: int  # trainable, at this input shape and class count
    macs: int  # multiply-adds of one image
    recipe: str  # row of recipes.RECIPES
    paper: str
    min_image_size: int = 1  # with the paper's stem
    training: Mapping[str, Any] = MappingProxyType({})  # more options for training
    loss_weights: tuple[float, ...] = (1.0,)  # one for each output in training
    top5_error: float | None = None  # on ImageNet, percent, as the ResNet paper compares them

    def min_side(self, options: Mapping[str, Any]) -> int:
        """Return the image side below which training enlarges images.

        Args:
            options: Options of the family; the small stem is made for small images.
        """
        return 1 if options.get("stem") == "small" else self.min_image_size


# fmt: off
def _imagenet(
    builder: str, options: Mapping[str, Any], depth: int, parameters: int, macs: int, recipe: str,
    paper: str, side: int = 224, **others: Any,
) -> Network:
    return Network(
        builder, options, (side, side, 3), 1000, depth, parameters, macs, recipe, paper, **others
    )


def _vgg(configuration: str, depth: int, parameters: int, macs: int, **others: Any) -> Network:
    options = {"configuration": configuration}
    return _imagenet("vgg:vgg", options, depth, parameters, macs, "vgg", VGG, **others)


def _resnet(depth: int, shortcut: str, parameters: int, macs: int, **others: Any) -> Network:
    options = {"depth": depth, "shortcut": shortcut}
    return _imagenet("resnet:resnet", options, depth, parameters, macs, "resnet", RESNET, **others)


def _cifar(
    depth: int, shortcut: str, parameters: int, macs: int, recipe: str = "cifar_resnet"
) -> Network:
    options = {"depth": depth, "shortcut": shortcut}
    return Network(
        "cifar_resnet:cifar_resnet", options, (32, 32, 3), 10, depth, parameters, macs, recipe,
        CIFAR_RESNET,
    )


ZOO: dict[str, Network] = {
    "lenet5": Network(
        "lenet:lenet5", {}, (32, 32, 1), 10, 5, 61_706, 416_520, "lenet5", LENET, min_image_size=32
    ),
    "alexnet": _imagenet(
        "alexnet:alexnet", {}, 8, 60_965_224, 724_406_816, "alexnet", ALEXNET, side=227,
        min_image_size=67, top5_error=16.4,
    ),
    "nin": Network("nin:nin", {}, (32, 32, 3), 10, 9, 966_986, 222_486_528, "nin", NIN),
    "vgg11": _vgg("A", 11, 132_863_336, 7_609_090_048, min_image_size=32),
    "vgg13": _vgg("B", 13, 133_047_848, 11_308_466_176, min_image_size=32),
    "vgg16": _vgg("D", 16, 138_357_544, 15_470_264_320, min_image_size=32),
    "vgg19": _vgg("E", 19, 143_667_240, 19_632_062_464, min_image_size=32, top5_error=7.3),
    "googlenet": _imagenet(
        "googlenet:googlenet", {}, 22, 6_998_552, 1_582_671_872, "googlenet", GOOGLENET,
        training={"auxiliary": True}, loss_weights=(1.0, 0.3, 0.3), top5_error=6.7,
    ),
    "plain18": _resnet(18, "none", 11_515_688, 1_794_805_760),
    "plain34": _resnet(34, "none", 21_623_848, 3_644_493_824),
    "resnet18": _resnet(18, "B", 11_689_512, 1_814_073_344),
    "resnet34": _resnet(34, "B", 21_797_672, 3_663_761_408),
    "resnet50": _resnet(50, "B", 25_557_032, 3_857_973_248),
    "resnet101": _resnet(101, "B", 44_549_160, 7_570_194_432),
    "resnet152": _resnet(152, "B", 60_192_808, 11_282_415_616, top5_error=3.57),
    "plain20": _cifar(20, "none", 269_722, 40_551_040),
    "plain32": _cifar(32, "none", 464_154, 68_862_592),
    "plain44": _cifar(44, "none", 658_586, 97_174_144),
    "plain56": _cifar(56, "none", 853_018, 125_485_696),
    "resnet20": _cifar(20, "A", 269_722, 40_551_040),
    "resnet32": _cifar(32, "A", 464_154, 68_862_592),
    "resnet44": _cifar(44, "A", 658_586, 97_174_144),
    "resnet56": _cifar(56, "A", 853_018, 125_485_696),
    "resnet110": _cifar(110, "A", 1_727_962, 252_887_680, "cifar_resnet110"),
}
# fmt: on


def network(name: str) -> Network:
    """Return the row of a network.

    Raises:
        UsageError: There is no such row.
    """
    if name not in ZOO:
        raise unknown("network", name, ZOO)
    return ZOO[name]


def import_builder(row: Network) -> Any:
    """Import the builder of a row, which registers the layers that its saved models contain."""
    file, function = row.builder.split(":")
    return getattr(importlib.import_module(f".models.{file}", __package__), function)


def build(
    network_name: str,
    /,
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
    *,
    include_top: bool = True,
    pooling: Literal["avg", "max"] | None = None,
    classifier_activation: str | None = "softmax",
    weights: str | Path | None = None,
    name: str | None = None,
    dtype: str | None = None,
    **options: Any,
) -> keras.Model:
    """Build a network as an ordinary functional `keras.Model`.

    Args:
        network_name: Row of `ZOO`.
        input_shape: `(height, width, channels)`; by default that of the trained weights or of the
            paper.
        num_classes: Number of classes; by default that of the trained weights or of the paper.
        include_top: Whether the network ends with its classifier or with its last feature maps.
        pooling: Global pooling without the top: ``"avg"``, ``"max"``, or None for the feature maps.
        classifier_activation: ``"softmax"`` for probabilities, None for logits.
        weights: None for random weights; the name of the data set on which one of the package's
            networks is trained, for example ``"fashion_mnist"``, see `trained.table`; or a
            ``.weights.h5`` or ``.keras`` file of this network. Without the top, the weights may
            have one.
        name: Name of the model; the network's by default.
        dtype: Dtype policy of the layers, for example ``"mixed_bfloat16"``; Keras' global policy by
            default. Softmax and LRN are always in float32.
        **options: Options of the family, for example ``shortcut="B"`` or ``form="1998"``.

    Returns:
        A model from `(batch, height, width, channels)` to `(batch, num_classes)`; without the top
        to `(batch, height, width, features)` or, pooled, to `(batch, features)`.

    Raises:
        UsageError: The network or an option is unknown, the network cannot take the input shape, or
            the weights are of another network, input or number of classes.
        Error: The file has no weights.

    Example:
        >>> build("resnet20", input_shape=(28, 28, 1), num_classes=10).count_params()
        270858
    """
    row = network(network_name)
    trained = None
    if weights is not None and is_data_name(weights):
        trained = table.find(f"{network_name}:{weights}")
        input_shape, num_classes = _trained_form(
            trained, input_shape, num_classes, include_top=include_top
        )
        options = _trained_options(trained, options)
    builder = import_builder(row)
    import keras
    from keras import layers

    shape = tuple(input_shape or row.input_shape)
    if len(shape) != 3 or any(not isinstance(side, int) or side < 1 for side in shape):
        raise UsageError(f"An input shape is (height, width, channels), not {input_shape}.")
    classes = row.num_classes if num_classes is None else num_classes
    if classes < 1:
        raise UsageError(f"A network needs one class or more, not {classes}.")
    chosen = {**row.options, **checked_options(network_name, options)}
    poolings = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    if not include_top and pooling is not None and pooling not in poolings:
        raise UsageError(f"The pooling is 'avg', 'max' or None, not '{pooling}'.")
    with _layer_defaults(dtype):
        image = keras.Input(shape, name="image")
        outputs = builder(image, classes if include_top else None, classifier_activation, **chosen)
        if not include_top and pooling is not None:
            outputs = poolings[pooling](name=f"{pooling}_pool")(outputs)
        model = keras.Model(image, outputs, name=name or network_name)
    if weights is not None:
        from .model_files.layer_weights import load_by_name, read_weights

        found = trained.weights() if trained else read_weights(weights)
        if not include_top:
            found = {layer.name: found.get(layer.name, []) for layer in model.layers}
        if load_by_name(model, found):
            raise UsageError(f"{weights} does not have {classes} classes: give its num_classes.")
    return model


def is_data_name(weights: str | Path) -> bool:
    """Return whether weights are named by their data set, and not by the path of a file."""
    path = Path(weights)
    return not path.suffix and path.name == str(weights) and not path.exists()


def _trained_form(
    trained: table.TrainedNetwork,
    input_shape: tuple[int, int, int] | None,
    num_classes: int | None,
    *,
    include_top: bool,
) -> tuple[tuple[int, int, int], int]:
    """Return the input shape and the number of classes for the weights of a trained network.

    Raises:
        UsageError: The ones that are given do not fit the classifier of the trained network.
    """
    shape, classes = trained.input_shape, trained.num_classes
    if not include_top:
        return input_shape or shape, classes
    if input_shape is not None and tuple(input_shape) != shape:
        raise UsageError(
            f"{trained.name} takes images of {_times(shape)}, not {_times(input_shape)}: leave the "
            "input_shape out, or build it with include_top=False."
        )
    if num_classes not in (None, classes):
        raise UsageError(
            f"{trained.name} has {classes} classes, not {num_classes}: leave num_classes out, or "
            "build it with include_top=False."
        )
    return shape, classes


def _trained_options(trained: table.TrainedNetwork, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a trained network.

    Raises:
        UsageError: An option is unknown, or has another value.
    """
    row = network(trained.network)
    parameters = inspect.signature(import_builder(row)).parameters.values()
    defaults = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}
    chosen = {**defaults, **row.options, **trained.options}
    for name, value in checked_options(trained.network, options).items():
        if value != chosen[name]:
            raise UsageError(
                f"{trained.name} was trained with {name}={chosen[name]}, not {name}={value}."
            )
    return trained.options


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


@contextmanager
def _layer_defaults(dtype: str | None) -> Iterator[None]:
    """Create layers for `(height, width, channels)`, regardless of `keras.json`, and with a policy.

    A layer keeps the format and the policy that it was created with, also when it is saved.
    """
    import keras

    data_format, policy = keras.config.image_data_format(), keras.config.dtype_policy()
    keras.config.set_image_data_format("channels_last")
    keras.config.set_dtype_policy(dtype or policy)
    try:
        yield
    finally:
        keras.config.set_image_data_format(data_format)
        keras.config.set_dtype_policy(policy)


def checked_options(network_name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a network with the values that its builder takes.

    Args:
        network_name: Row of `ZOO`.
        options: Values or their text, as ``"true"``, ``"false"`` and ``"3"``.

    Raises:
        UsageError: The network has no such option, or the option has no such value.
    """
    builder = import_builder(network(network_name))
    hints = get_type_hints(builder)
    known = [
        p.name for p in inspect.signature(builder).parameters.values() if p.kind is p.KEYWORD_ONLY
    ]
    checked = {}
    for option, value in options.items():
        if option not in known:
            raise unknown(f"option of {network_name}", option, known)
        kind = hints[option]
        allowed = (True, False) if kind is bool else get_args(kind)
        spelled = {
            str(choice).lower() if kind is bool else str(choice): choice for choice in allowed
        }
        if not allowed:  # a number
            spelled = {str(value): int(value)} if str(value).isdecimal() else {}
        key = str(value).lower() if kind is bool else str(value)
        if key not in spelled:
            choices = ", ".join(spelled) or "a number"
            raise UsageError(f"The {option} of {network_name} is {choices}, not '{value}'.")
        checked[option] = spelled[key]
    return checked
