"""Record the revolution of depth, and what the reductions of Inception modules save.

Reference:
    Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, sections 1, 4 and 5. He,
    Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, section 4.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..experiments.record import Claim, write_record
from ..inspection import anatomy
from ..inspection.summary import abbreviate
from ..zoo import ZOO

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure, FigureBase
    from rich.console import RenderableType

    from ..inspection.anatomy import Row
    from ..models.inception import Widths


class Winner(NamedTuple):
    """An entry to ImageNet's yearly contest, a bar of the revolution of depth."""

    year: int
    name: str
    top5_error: float  # percent
    depth: int | None = None  # None for a method without a deep network
    network: str | None = None  # row of the zoo


# As in the talks of the authors of arXiv:1512.03385 and in the lecture: errors on the test images,
# mostly of ensembles. Russakovsky et al., arXiv:1409.0575, have those up to 2014; 3.57 is from
# table 5 of arXiv:1512.03385.
# fmt: off
REVOLUTION = (
    Winner(2010, "ILSVRC'10",  28.2),
    Winner(2011, "ILSVRC'11",  25.8),
    Winner(2012, "AlexNet",    16.4,    8, "alexnet"),
    Winner(2013, "ILSVRC'13",  11.7,    8),
    Winner(2014, "VGG-19",      7.3,   19, "vgg19"),
    Winner(2014, "GoogLeNet",   6.7,   22, "googlenet"),
    Winner(2015, "ResNet-152",  3.57, 152, "resnet152"),
)
# fmt: on


class Module(NamedTuple):
    """An Inception module, naive or reduced, with its cost."""

    row: str
    input_shape: tuple[int, int, int]
    layers: list[Row]  # convolutions
    output_channels: int
    parameters: int
    macs: int


def module(row: str, input_shape: tuple[int, int, int], widths: Widths, *, reduced: bool) -> Module:
    """Return an Inception module's layers and cost.

    Args:
        row: Row of Table 1.
        input_shape: `(height, width, channels)`.
        widths: Filters of its convolutions; the naive form leaves out the reductions.
        reduced: Whether 1×1 convolutions reduce the number of channels first.

    Example:
        >>> from cnn_keras.models.inception import Widths
        >>> module("3a", (28, 28, 192), Widths(64, 96, 128, 16, 32, 32), reduced=False).macs
        303464448
    """
    import keras

    from ..models.inception import inception, naive_inception

    def build() -> keras.Model:
        image = keras.Input(input_shape)
        if reduced:
            return keras.Model(image, inception(image, widths, name=row))
        naive = (widths.conv1, widths.conv3, widths.conv5)
        return keras.Model(image, naive_inception(image, *naive, name=row))

    layers = anatomy.layer_rows(anatomy.build_uninitialized(build))
    total = anatomy.total(layers)
    return Module(
        row,
        input_shape,
        sorted(layer for layer in layers if layer.macs),
        layers[-1].output_shape[-1],
        total.parameters,
        total.macs,
    )


def depth(out: Path) -> dict[str, Any]:
    """Record the cost of Inception modules, and the revolution of depth.

    Args:
        out: Folder of the record `depth.json` and its figure.

    Returns:
        The record.
    """
    from ..models.googlenet import TABLE_1

    naive, reduced, chain = [], [], []
    channels = naive_channels = 192  # output of pool2
    for row in TABLE_1:
        size = row.output[:2]
        naive.append(module(row.row, (*size, channels), row.widths, reduced=False))
        reduced.append(module(row.row, (*size, channels), row.widths, reduced=True))
        chain.append(module(row.row, (*size, naive_channels), row.widths, reduced=False))
        channels, naive_channels = reduced[-1].output_channels, chain[-1].output_channels
    winners = [
        {
            **winner._asdict(),
            "parameters": ZOO[winner.network].parameters if winner.network else None,
            "macs": ZOO[winner.network].macs if winner.network else None,
        }
        for winner in REVOLUTION
    ]
    return write_record(
        out / "depth.json",
        "study",
        "depth",
        [*_inception_claims(naive, reduced, chain), *_depth_claims()],
        seeds=(),
        budget={},
        details={
            "revolution": winners,
            "example": {"naive": _layers(naive[0]), "reduced": _layers(reduced[0])},
            "modules": [
                {
                    "row": small.row,
                    "input_shape": small.input_shape,
                    "naive": _cost(large),
                    "reduced": _cost(small),
                    "ratio": large.macs / small.macs,
                }
                for large, small in zip(naive, reduced, strict=True)
            ],
            "chain": [{"row": m.row, "input_shape": m.input_shape, **_cost(m)} for m in chain],
        },
        figure=_figure(naive, reduced, chain),
    )


def _cost(module: Module) -> dict[str, int]:
    return {field: getattr(module, field) for field in ("output_channels", "parameters", "macs")}


def _layers(module: Module) -> list[dict[str, Any]]:
    return [
        {
            "layer": layer.row,
            "output_channels": layer.output_shape[-1],
            "parameters": layer.parameters,
            "macs": layer.macs,
        }
        for layer in module.layers
    ]


def _inception_claims(
    naive: Sequence[Module], reduced: Sequence[Module], chain: Sequence[Module]
) -> list[Claim]:
    ratios = [large.macs / small.macs for large, small in zip(naive, reduced, strict=True)]
    conv5 = next(layer for layer in naive[0].layers if layer.row.endswith("5x5"))
    reduced5_macs = sum(layer.macs for layer in reduced[0].layers if "5x5" in layer.row)
    channels_ratio = chain[-1].output_channels / reduced[-1].output_channels
    macs_ratio = sum(m.macs for m in chain) / sum(m.macs for m in reduced)
    return [
        Claim(
            "on the lecture's 28×28×192 maps, the naive module 3a takes more than twice the "
            "multiply-adds of the reduced one",
            ratios[0] > 2,
            ratios[0],
        ),
        Claim(
            "on 28×28×192 maps, the 5×5 convolution of the naive module 3a alone takes more "
            "multiply-adds than the whole reduced one",
            conv5.macs > reduced[0].macs,
            conv5.macs / reduced[0].macs,
        ),
        Claim(
            "on 28×28×192 maps, that 5×5 convolution takes more than nine times the multiply-adds "
            "of a 5×5 convolution after a 1×1 reduction to 16 channels, reduction included",
            conv5.macs / reduced5_macs > 9,
            conv5.macs / reduced5_macs,
        ),
        Claim(
            "in every module of GoogLeNet the naive form takes more than twice the multiply-adds",
            min(ratios) > 2,
            min(ratios),
            (min(ratios), max(ratios)),
        ),
        Claim(
            "in a chain of naive modules, whose poolings keep all channels, the last one has more "
            "than four times GoogLeNet's output channels",
            channels_ratio > 4,
            channels_ratio,
        ),
        Claim(
            "that chain takes more than five times the multiply-adds of GoogLeNet's modules",
            macs_ratio > 5,
            macs_ratio,
        ),
    ]


def _depth_claims() -> list[Claim]:
    deep = [winner for winner in REVOLUTION if winner.network]
    rows = [ZOO[winner.network or ""] for winner in deep]
    steps = list(pairwise(zip(deep, rows, strict=True)))
    better = sum(
        before.top5_error > after.top5_error and row.depth < next_row.depth
        for (before, row), (after, next_row) in steps
    )
    heavier = sum(row.parameters < next_row.parameters for (_, row), (_, next_row) in steps)
    fewer = ZOO["alexnet"].parameters / ZOO["googlenet"].parameters
    cheaper = ZOO["vgg16"].macs / ZOO["resnet152"].macs
    return [
        Claim(
            f"in each of the {len(steps)} steps from AlexNet to VGG-19, GoogLeNet and ResNet-152 "
            "the depth grows and the top-5 error falls",
            better == len(steps),
            better,
        ),
        Claim(
            "in each of these steps the number of parameters grows", heavier == len(steps), heavier
        ),
        Claim(
            "GoogLeNet has 12 times fewer parameters than AlexNet (arXiv:1409.4842, section 1)",
            round(fewer) == 12,
            fewer,
        ),
        Claim(
            "ResNet-152 takes fewer multiply-adds than VGG-16 (arXiv:1512.03385, section 4.1)",
            cheaper > 1,
            cheaper,
        ),
    ]


def tables(record: dict[str, Any]) -> RenderableType:
    """Return the tables of a record: the lecture's example, all modules, and the claims."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table

    from ..experiments.record import claims_table

    def table(title: str, *columns: str) -> Table:
        result = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
        for index, column in enumerate(columns):
            result.add_column(column, justify="right" if index else "left")
        return result

    example, modules, chain = record["example"], record["modules"], record["chain"]
    costs = ("output_channels", "parameters", "macs")
    convolutions = table(
        "Module 3a on 28×28×192", "convolution", "output channels", "parameters", "multiply-adds"
    )
    for form in ("naive", "reduced"):
        convolutions.add_section()
        for layer in example[form]:
            convolutions.add_row(layer["layer"], *(f"{layer[field]:,}" for field in costs))
        convolutions.add_row(
            form, *(f"{modules[0][form][field]:,}" for field in costs), style="bold"
        )
    costs_table = table(
        "Each module on its own input, and a chain of naive modules",
        *("module", "input", "naive: channels", "parameters", "MACs"),
        *("reduced: channels", "parameters", "MACs", "naive / reduced"),
        *("chain: channels", "parameters", "MACs"),
    )
    for row, link in zip(modules, chain, strict=True):
        costs_table.add_row(
            row["row"],
            "×".join(map(str, row["input_shape"])),
            *(abbreviate(row["naive"][field]) for field in costs),
            *(abbreviate(row["reduced"][field]) for field in costs),
            f"{row['ratio']:.2f}",
            *(abbreviate(link[field]) for field in costs),
        )
    return Group(convolutions, costs_table, claims_table(record))


def _figure(naive: Sequence[Module], reduced: Sequence[Module], chain: Sequence[Module]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1, 1.1))[:, 0]
    _revolution(above)
    _modules(below, {"naive, in a chain": chain, "naive": naive, "reduced": reduced})
    return figure


def _revolution(figure: FigureBase) -> None:
    """Draw a bar for each winner in each of four panels, the oldest at the top."""
    figure.suptitle("Revolution of depth")
    panels = figure.subplots(1, 4, sharey=True)
    rows = [ZOO[winner.network] if winner.network else None for winner in REVOLUTION]
    values: dict[str, list[float]] = {
        "top-5 error, %": [winner.top5_error for winner in REVOLUTION],
        "layers": [winner.depth or 0 for winner in REVOLUTION],
        "parameters, ×10⁶": [row.parameters / 1e6 if row else 0 for row in rows],
        "multiply-adds, ×10⁹": [row.macs / 1e9 if row else 0 for row in rows],
    }
    names = [f"{winner.name}, {winner.year}" for winner in REVOLUTION]
    for axes, (title, lengths) in zip(panels, values.items(), strict=True):
        bars = axes.barh(names, lengths)
        labels = [f"{length:.3g}" if length else "–" for length in lengths]
        axes.bar_label(bars, labels, padding=3)
        axes.set_title(title, fontsize="medium")
        axes.margins(x=0.25)
    panels[0].invert_yaxis()


def _modules(figure: FigureBase, forms: dict[str, Sequence[Module]]) -> None:
    """Draw the multiply-adds of each module, one line for each form."""
    axes = figure.subplots()
    for (label, modules), offset in zip(forms.items(), ((0, 7), (0, -14), (0, -14)), strict=True):
        values = [module.macs / 1e6 for module in modules]
        (line,) = axes.plot([module.row for module in modules], values, "o-", label=label)
        for index, value in enumerate(values):
            axes.annotate(
                f"{value:.0f}",
                (index, value),
                offset,
                textcoords="offset points",
                ha="center",
                color=line.get_color(),
                fontsize="small",
            )
    axes.set_yscale("log")
    axes.margins(y=0.15)
    axes.set_ylabel("multiply-adds, ×10⁶")
    axes.set_title("Inception modules of GoogLeNet")
    axes.legend(loc="upper right", fontsize="small")
