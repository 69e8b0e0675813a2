"""The recipes: how a file stores its numbers, and how much accuracy it may lose by that.

The names are litert-quantizer's: weights (w) and activations (a) as integers (i) or floats (f) of a
number of bits. *Dynamic* recipes measure the range of each activation at run time, *static* recipes
use the ranges seen in calibration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from cnn_keras.errors import UsageError, unknown

IOType = Literal["float32", "int8", "uint8", "int16"]
"""A type that the input or output of a file can have."""

Technique = Literal["aware", "pruned", "pruned_2_4", "clustered"]
"""What a network is trained further for; see `conversion.compression`."""


class Limits(NamedTuple):
    """How far a file may depart from the Keras model before it is refused.

    Attributes:
        max_drop_points: Top-1 accuracy that it may lose, in percentage points. A greater drop
            refuses the file unless chance explains it (see `verify`).
        min_agreement: Share of images on which the file and the model must predict the same class.
            For a recipe with further training, the model is the network after that training.
        max_abs_error: Greatest difference allowed in any probability from that model's; None where
            images near the border between two classes make it meaningless.
    """

    max_drop_points: float
    min_agreement: float
    max_abs_error: float | None = None


class Recipe(NamedTuple):
    """One way to store a network.

    Attributes:
        name: The quantizer's name, or one that begins with the techniques of further training.
        summary: One line for a table.
        limits: How far the file may depart from the Keras model.
        needs_calibration: Whether the ranges of activations come from calibration images.
        integer: Whether activations are integers.
        io_types: Types that the input and the output may have.
        input_type: Type of the input.
        output_type: Type of the output.
        per_tensor: Whether all weights of a layer share one scale, instead of one for each filter.
        float_ops: Operations that stay in floating point, because XNNPACK does not run their
            integer form and each of them would split the graph.
        float_layers: Regular expression, searched in tensor names, for further tensors that stay in
            floating point. Local response normalization always does, see `tflite.find_lrn`.
        int4_layers: Regular expression, searched in tensor names, for the convolutions and dense
            layers of a static 8-bit file whose weights have 4 bits.
        techniques: What the network is trained further for before its conversion, in this order.
        quantizer_recipe: The quantizer's name for the recipe, where it differs.
    """

    name: str
    summary: str
    limits: Limits
    needs_calibration: bool = False
    integer: bool = False
    io_types: tuple[IOType, ...] = ("float32",)
    input_type: IOType = "float32"
    output_type: IOType = "float32"
    per_tensor: bool = False
    float_ops: tuple[str, ...] = ()
    float_layers: str | None = None
    int4_layers: str | None = None
    techniques: tuple[Technique, ...] = ()
    quantizer_recipe: str | None = None

    @property
    def stored_as(self) -> str:
        """How the numbers are stored: all that a file shows of its recipe."""
        return self.quantizer_recipe or self.name

    @property
    def file_suffix(self) -> str:
        """The name, with the types of input and output where they are not float32.

        Example:
            >>> recipe("static_wi8_ai8").with_io_types("uint8", "uint8").file_suffix
            'static_wi8_ai8_uint8'
        """
        types = dict.fromkeys((self.input_type, self.output_type))
        return self.name if [*types] == ["float32"] else "_".join((self.name, *types))

    def with_io_types(self, input_type: IOType, output_type: IOType) -> Recipe:
        """Return the recipe with other types of input and output.

        Raises:
            UsageError: The recipe does not support one of the types.

        Example:
            >>> recipe("float16").with_io_types("uint8", "float32")  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            cnn_keras.errors.UsageError: Recipe 'float16' has input and output in float32; uint8 ...
        """
        for dtype in (input_type, output_type):
            if dtype not in self.io_types:
                able = ", ".join(row.name for row in RECIPES.values() if dtype in row.io_types)
                raise UsageError(
                    f"Recipe '{self.name}' has input and output in {' or '.join(self.io_types)}; "
                    f"{dtype} is for --recipes {able}."
                )
        return self._replace(input_type=input_type, output_type=output_type)

    def with_float_layers(self, pattern: str) -> Recipe:
        """Return the recipe with more tensors in floating point.

        Args:
            pattern: Regular expression that is searched in the names of tensors.

        Example:
            >>> recipe("static_wi8_ai8").with_float_layers("logits.*").float_layers
            'logits.*'
        """
        return self._replace(float_layers=_either(self.float_layers, pattern))

    def with_int4_layers(self, pattern: str) -> Recipe:
        """Return the recipe with 4-bit weights in some layers, and the limits of 4-bit recipes.

        Args:
            pattern: Regular expression that is searched in the names of tensors.

        Raises:
            UsageError: The recipe is not a static 8-bit one.

        Example:
            >>> recipe("static_wi8_ai8").with_int4_layers("/c5_").limits.max_drop_points
            2.0
        """
        if self.stored_as != _STATIC.name:
            able = ", ".join(row.name for row in RECIPES.values() if row.stored_as == _STATIC.name)
            raise UsageError(
                f"Recipe '{self.name}' has no layers with 4-bit weights beside others; --int4 is "
                f"for --recipes {able}."
            )
        return self._replace(int4_layers=_either(self.int4_layers, pattern), limits=_FOUR_BIT)

    def keeps_float(self, tensor: str) -> bool:
        """Return whether `float_layers` keeps the tensor of this name in floating point.

        Example:
            >>> row = recipe("static_wi8_ai8").with_float_layers("/logits_")
            >>> row.keeps_float("lenet5_1/logits_1/BiasAdd")
            True
        """
        return self.float_layers is not None and bool(re.search(self.float_layers, tensor))


def _either(pattern: str | None, other: str) -> str | None:
    """Return a regular expression that matches what one of two matches."""
    patterns = [each for each in (pattern, other) if each]
    if len(patterns) > 1:
        patterns = [f"(?:{each})" for each in patterns]
    return "|".join(patterns) or None


# Why these limits, from 397 held-out digits on LeNet-5 and ResNet-20 (greatest error seen):
# - float32 computes the same sums in another order, 2e-6. An error of 1e-4 is a conversion fault.
# - float16 rounds a weight by 2^-11 of its value, 3e-3. Deeper networks may have twenty times that.
# - 8-bit weights are rounded by up to 1/254 of their channel's greatest. Single probabilities move
#   by 0.06, and 1 % of the predictions change where two classes were about equally likely, as often
#   to the right class as to a wrong one. A lost calibration or an outlying weight changes tens of
#   percent.
# - 8-bit activations add their own rounding: 0.14 and 1 %, so the floor for agreement is lower.
# - One scale for each layer instead of each filter: 0.02 and no changed prediction on LeNet-5, 0.14
#   and 1 % with 20 layers, which is no more than before; with 56 plain layers 5 % instead of 1 %,
#   and the file is refused.
# Half a point is what a user would give for a quarter of the size.
_EQUAL = Limits(max_drop_points=0.1, min_agreement=0.999, max_abs_error=1e-4)
_ROUNDED = Limits(max_drop_points=0.1, min_agreement=0.99, max_abs_error=0.06)
_INTEGER_WEIGHTS = Limits(max_drop_points=0.5, min_agreement=0.97)
_INTEGER = Limits(max_drop_points=0.5, min_agreement=0.95)
# - 4-bit weights are rounded by up to 1/14 of their channel's greatest: a recipe for networks with
#   spare capacity, and a file that has lost two points is not of one.
_FOUR_BIT = Limits(max_drop_points=2.0, min_agreement=0.9)
# - Further training makes another network: it may predict other classes if its accuracy is as good.
#   Its file has to agree with it as any file that is stored in this way.
_AWARE = _INTEGER._replace(max_drop_points=0.3)
_COMPRESSED_INTEGER = _INTEGER._replace(max_drop_points=1.0)
_COMPRESSED = _EQUAL._replace(max_drop_points=1.0)

_STATIC = Recipe(
    "static_wi8_ai8",
    "8-bit weights and activations, ranges from calibration",
    _INTEGER,
    needs_calibration=True,
    integer=True,
    io_types=("float32", "int8", "uint8"),
    float_ops=("SOFTMAX", "AVERAGE_POOL_2D"),
)


def _static_after(*techniques: Technique, name: str, summary: str, limits: Limits) -> Recipe:
    """Return the static integer recipe with further training before it."""
    return _STATIC._replace(
        name=name,
        summary=summary,
        limits=limits,
        techniques=techniques,
        quantizer_recipe=_STATIC.name,
    )


_ROWS = (
    Recipe("float32", "as trained", _EQUAL),
    Recipe(
        "float16",
        "weights in half precision, float32 arithmetic",
        _ROUNDED,
    ),
    Recipe(
        "dynamic_wi8_afp32",
        "8-bit weights; activations quantized to 8 bits at run time",
        _INTEGER_WEIGHTS,
        float_ops=("DEPTHWISE_CONV_2D",),
    ),
    Recipe(
        "weight_only_wi8_afp32",
        "8-bit weights, float32 arithmetic",
        _INTEGER_WEIGHTS,
    ),
    _STATIC,
    _STATIC._replace(
        name="static_wi8_ai8_per_tensor",
        summary="static_wi8_ai8 with one scale for each layer's weights, for old accelerators",
        per_tensor=True,
        quantizer_recipe=_STATIC.name,
    ),
    Recipe(
        "static_wi8_ai16",
        "8-bit weights and 16-bit activations, ranges from calibration",
        _INTEGER_WEIGHTS,
        needs_calibration=True,
        integer=True,
        io_types=("float32", "int16"),
    ),
    Recipe(
        "dynamic_wi4_afp32",
        "4-bit weights; activations quantized to 8 bits at run time",
        _FOUR_BIT,
        float_ops=("DEPTHWISE_CONV_2D",),
    ),
    Recipe(
        "weight_only_wi4_afp32",
        "4-bit weights, float32 arithmetic",
        _FOUR_BIT,
    ),
    _static_after(
        "aware",
        name="aware_wi8_ai8",
        summary="static_wi8_ai8 after quantization-aware training",
        limits=_AWARE,
    ),
    _static_after(
        "pruned",
        "aware",
        name="pruned_aware_wi8_ai8",
        summary="static_wi8_ai8 after pruning (75 % of the weights zero) and aware training",
        limits=_COMPRESSED_INTEGER,
    ),
    _static_after(
        "clustered",
        "aware",
        name="clustered_aware_wi8_ai8",
        summary="static_wi8_ai8 after clustering (16 values in each layer) and aware training",
        limits=_COMPRESSED_INTEGER,
    ),
    Recipe(
        "pruned",
        "75 % of the weights zero, in float32",
        _COMPRESSED,
        techniques=("pruned",),
        quantizer_recipe="float32",
    ),
    Recipe(
        "pruned_2_4",
        "two of any four weights zero, in float32",
        _COMPRESSED,
        techniques=("pruned_2_4",),
        quantizer_recipe="float32",
    ),
    Recipe(
        "clustered",
        "16 values in each layer, in float32",
        _COMPRESSED,
        techniques=("clustered",),
        quantizer_recipe="float32",
    ),
)

RECIPES = {row.name: row for row in _ROWS}

DEFAULT = {
    name: RECIPES[name]
    for name in (
        "float32",
        "float16",
        "dynamic_wi8_afp32",
        "weight_only_wi8_afp32",
        "static_wi8_ai8",
    )
}
"""The recipes without further training whose files XNNPACK runs whole."""


def recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UsageError: No recipe has that name.

    Example:
        >>> recipe("static_wi8_ai8").needs_calibration
        True
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def select(names: Sequence[str]) -> list[Recipe]:
    """Return the recipes of these names, without repetition; `DEFAULT` if `names` is empty.

    Raises:
        UsageError: No recipe has one of the names.
    """
    return [recipe(name) for name in dict.fromkeys(names or DEFAULT)]
