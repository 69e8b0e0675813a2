"""The recipes: how a file's numbers are stored, and what it may lose by that.

The names are litert-quantizer's and say what they do: weights (w) and activations (a) as integers
(i) or floats (f) of so many bits; *dynamic* measures each activation's range when it runs, *static*
uses the ranges seen in calibration.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from cnn_keras.errors import UsageError, unknown

Number = Literal["float32", "int8", "uint8", "int16"]
"""A type that a file's input or output can have."""

Step = Literal["aware", "pruned", "pruned_2_4", "clustered"]
"""A training that a network goes through for its file (see `aware.tune`)."""


class Limits(NamedTuple):
    """What a file may lose against the Keras model before it is refused.

    Attributes:
        max_drop_points: Top-1 accuracy that may be lost, in percentage points. A greater drop
            refuses the file unless chance explains it (see `verify`).
        min_agreement: Share of images on which file and model must give the same answer: the model
            that was trained on, if one was.
        max_abs_error: Greatest difference allowed in any probability from that model's; None where
            images near the border between two classes make it meaningless.
    """

    max_drop_points: float
    min_agreement: float
    max_abs_error: float | None = None


class Recipe(NamedTuple):
    """One way to store a network.

    Attributes:
        name: Of the recipe: the quantizer's, or what is trained before it.
        summary: One line for a table.
        limits: What the file may lose.
        needs_calibration: Whether the ranges of activations come from calibration images.
        integer: Whether activations are integers.
        ends: Types that input and output may have.
        input_type: The type of the input.
        output_type: The type of the output.
        per_tensor: Whether all weights of a layer have one scale, instead of one a filter.
        float_ops: Operations that stay float, because XNNPACK does not run their integer form and
            each of them would split the file.
        float_layers: Regular expression that is found in the names of further tensors that stay
            float, whatever computes them. Local response normalization always does, see `lrn`.
        tuning: Trainings that the network goes through first.
        quantizer: The quantizer's name for it, where that is another.
    """

    name: str
    summary: str
    limits: Limits
    needs_calibration: bool = False
    integer: bool = False
    ends: tuple[Number, ...] = ("float32",)
    input_type: Number = "float32"
    output_type: Number = "float32"
    per_tensor: bool = False
    float_ops: tuple[str, ...] = ()
    float_layers: str | None = None
    tuning: tuple[Step, ...] = ()
    quantizer: str | None = None

    @property
    def stored_as(self) -> str:
        """How the numbers are stored, which is all that a file shows of its recipe."""
        return self.quantizer or self.name

    @property
    def title(self) -> str:
        """The name, and the ends where they are not float32: what a file is called after.

        Example:
            >>> recipe("static_wi8_ai8").with_ends("uint8", "uint8").title
            'static_wi8_ai8_uint8'
        """
        ends = dict.fromkeys((self.input_type, self.output_type))
        return self.name if [*ends] == ["float32"] else "_".join((self.name, *ends))

    def with_ends(self, input_type: Number, output_type: Number) -> Recipe:
        """Return the recipe with other types of input and output.

        Raises:
            UsageError: It has no such ends.

        Example:
            >>> recipe("float16").with_ends("uint8", "float32")  # doctest: +ELLIPSIS
            Traceback (most recent call last):
            cnn_keras.errors.UsageError: Recipe 'float16' has input and output in float32; uint8 ...
        """
        for asked in (input_type, output_type):
            if asked not in self.ends:
                able = ", ".join(row.name for row in RECIPES.values() if asked in row.ends)
                raise UsageError(
                    f"Recipe '{self.name}' has input and output in {' or '.join(self.ends)}; "
                    f"{asked} is for --recipes {able}."
                )
        return self._replace(input_type=input_type, output_type=output_type)

    def keeping(self, layers: str) -> Recipe:
        """Return the recipe with more tensors left float, by a regular expression of their names.

        Example:
            >>> recipe("static_wi8_ai8").keeping("logits.*").float_layers
            'logits.*'
        """
        kept = [regex for regex in (self.float_layers, layers) if regex]
        if len(kept) > 1:
            kept = [f"(?:{regex})" for regex in kept]
        return self._replace(float_layers="|".join(kept) or None)

    def keeps(self, tensor: str) -> bool:
        """Return whether `float_layers` leaves a tensor float.

        Args:
            tensor: Its name.

        Example:
            >>> recipe("static_wi8_ai8").keeping("/logits_").keeps("lenet5_1/logits_1/BiasAdd")
            True
        """
        return self.float_layers is not None and bool(re.search(self.float_layers, tensor))


# Why these limits, from 397 held-out digits on LeNet-5 and ResNet-20 (greatest error seen):
# - float32 computes the same sums in another order, 2e-6. An error of 1e-4 is a conversion fault.
# - float16 rounds a weight by 2^-11 of its value, 3e-3. Twenty times that is left to deeper nets.
# - 8-bit weights are rounded by up to 1/254 of their channel's greatest. Single probabilities move
#   by 0.06 and 1 % of the answers flip where two classes were about equal, as often to the right
#   answer as to the wrong. A lost calibration or an outlying weight flips tens of percent.
# - 8-bit activations add their own rounding: 0.14 and 1 %, and a lower floor for agreement.
# - One scale a layer instead of one a filter: 0.02 and no answer on LeNet-5, 0.14 and 1 % with 20
#   layers, which is nothing more; with 56 plain ones 5 % instead of 1 %, and the file is refused.
# Half a point is what a user would give for a quarter of the size.
_EQUAL = Limits(max_drop_points=0.1, min_agreement=0.999, max_abs_error=1e-4)
_ROUNDED = Limits(max_drop_points=0.1, min_agreement=0.99, max_abs_error=0.06)
_INTEGER_WEIGHTS = Limits(max_drop_points=0.5, min_agreement=0.97)
_INTEGER = Limits(max_drop_points=0.5, min_agreement=0.95)
# - 4-bit weights are rounded by up to 1/14 of their channel's greatest: a recipe for networks with
#   room to spare, and a file that has lost two points is not one.
_FOUR_BIT = Limits(max_drop_points=2.0, min_agreement=0.9)
# - A network that was trained on is another one: it may answer differently, if it answers as well.
#   Its file has to answer like it, as any file that is stored so.
_AWARE = _INTEGER._replace(max_drop_points=0.3)
_COMPRESSED_INTEGER = _INTEGER._replace(max_drop_points=1.0)
_COMPRESSED = _EQUAL._replace(max_drop_points=1.0)

_STATIC = Recipe(
    "static_wi8_ai8",
    "8-bit weights and activations, ranges from calibration",
    _INTEGER,
    needs_calibration=True,
    integer=True,
    ends=("float32", "int8", "uint8"),
    float_ops=("SOFTMAX", "AVERAGE_POOL_2D"),
)


def _trained_on(name: str, summary: str, limits: Limits, *tuning: Step) -> Recipe:
    """Return the static integer recipe after some trainings."""
    return _STATIC._replace(
        name=name, summary=summary, limits=limits, tuning=tuning, quantizer=_STATIC.name
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
        "8-bit weights; activations made 8-bit as they come",
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
        summary="static_wi8_ai8 with one scale a layer's weights, for old accelerators",
        per_tensor=True,
        quantizer=_STATIC.name,
    ),
    Recipe(
        "static_wi8_ai16",
        "8-bit weights and 16-bit activations, ranges from calibration",
        _INTEGER_WEIGHTS,
        needs_calibration=True,
        integer=True,
        ends=("float32", "int16"),
    ),
    Recipe(
        "dynamic_wi4_afp32",
        "4-bit weights; activations made 8-bit as they come",
        _FOUR_BIT,
        float_ops=("DEPTHWISE_CONV_2D",),
    ),
    Recipe(
        "weight_only_wi4_afp32",
        "4-bit weights, float32 arithmetic",
        _FOUR_BIT,
    ),
    _trained_on("aware_wi8_ai8", "static_wi8_ai8, trained on for it", _AWARE, "aware"),
    _trained_on(
        "pruned_aware_wi8_ai8",
        "three weights of four zero, then trained on for static_wi8_ai8",
        _COMPRESSED_INTEGER,
        "pruned",
        "aware",
    ),
    _trained_on(
        "clustered_aware_wi8_ai8",
        "16 values a layer, then trained on for static_wi8_ai8",
        _COMPRESSED_INTEGER,
        "clustered",
        "aware",
    ),
    Recipe(
        "pruned",
        "three weights of four are zero, in float32",
        _COMPRESSED,
        tuning=("pruned",),
        quantizer="float32",
    ),
    Recipe(
        "pruned_2_4",
        "two weights of any four are zero, in float32",
        _COMPRESSED,
        tuning=("pruned_2_4",),
        quantizer="float32",
    ),
    Recipe(
        "clustered",
        "16 values a layer, in float32",
        _COMPRESSED,
        tuning=("clustered",),
        quantizer="float32",
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
"""Those that need no training and that XNNPACK runs whole."""


def recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        UsageError: There is none.

    Example:
        >>> recipe("static_wi8_ai8").needs_calibration
        True
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]


def chosen(names: Sequence[str]) -> list[Recipe]:
    """Return the recipes of these names, each once; `DEFAULT` if there are none.

    Raises:
        UsageError: There is none of a name.
    """
    return [recipe(name) for name in dict.fromkeys(names or DEFAULT)]
