"""The same networks as plain torch modules, with the layers and parameters of those of the zoo.

A submodule has the name of the layer of the zoo, with dots for underscores: `conv2_1.a.bn` is
`conv2_1_a_bn`. The forward pass returns the logits, and those of auxiliary classifiers, if any.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F  # noqa: N812 (the usual name)
from torch import Tensor, nn


class Conv(nn.Conv2d):
    """A convolution with symmetric padding, batch normalization and ReLU.

    Args:
        inputs: Input channels.
        outputs: Output channels.
        kernel_size: Side of the kernel.
        stride: Stride in both directions.
        norm: Whether the convolution is normalized; otherwise it has a bias.
        relu: Whether the output is rectified.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel_size: int,
        stride: int = 1,
        *,
        norm: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__(inputs, outputs, kernel_size, stride, kernel_size // 2, bias=not norm)
        nn.init.kaiming_normal_(self.weight, nonlinearity="relu")
        if self.bias is not None:
            nn.init.zeros_(self.bias)
        self.bn = nn.BatchNorm2d(outputs) if norm else nn.Identity()
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map."""
        x = self.bn(super().forward(x))
        return F.relu(x, inplace=True) if self.relu else x


class ResidualModule(nn.Module):
    """Two 3×3 convolutions or a bottleneck, and the shortcut.

    Args:
        inputs: Input channels.
        filters: Filters of the stage; a bottleneck has four times as many outputs.
        stride: Stride of the first convolution.
        bottleneck: Whether the module is a bottleneck.
        project: Whether a shortcut to another shape is a projection; else channels of zeros are
            added.
    """

    def __init__(
        self, inputs: int, filters: int, stride: int, *, bottleneck: bool, project: bool
    ) -> None:
        super().__init__()
        self.stride, self.added = stride, 0
        if bottleneck:
            outputs = 4 * filters
            self.a = Conv(inputs, filters, 1, stride)
            self.b = Conv(filters, filters, 3)
            self.c = Conv(filters, outputs, 1, relu=False)
        else:
            outputs = filters
            self.a = Conv(inputs, filters, 3, stride)
            self.b = Conv(filters, filters, 3, relu=False)
        self.branch = [name for name, _ in self.named_children()]
        if (stride, inputs) != (1, outputs):
            if project:
                self.shortcut = Conv(inputs, outputs, 1, stride, relu=False)
            else:
                self.added = outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map."""
        y = x
        for name in self.branch:
            y = getattr(self, name)(y)
        if hasattr(self, "shortcut"):
            x = self.shortcut(x)
        elif self.added:
            x = F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))
        return F.relu(x + y, inplace=True)


class ResNet(nn.Module):
    """A residual network.

    Args:
        stem: Its first convolution.
        stages: Number of modules and filters of each stage.
        num_classes: Number of classes.
        pool: Whether a pooling follows the first convolution.
        bottleneck: See `ResidualModule`.
        project: See `ResidualModule`.
    """

    def __init__(
        self,
        stem: Conv,
        stages: Iterable[tuple[int, int]],
        num_classes: int,
        *,
        pool: bool,
        bottleneck: bool,
        project: bool,
    ) -> None:
        super().__init__()
        self.conv1 = stem
        self.pool = nn.MaxPool2d(3, 2, 1) if pool else nn.Identity()
        width, self.rows = stem.out_channels, []
        for stage, (count, filters) in enumerate(stages, 2):
            for index in range(1, count + 1):
                stride = 2 if stage > 2 and index == 1 else 1
                module = ResidualModule(
                    width, filters, stride, bottleneck=bottleneck, project=project
                )
                self.add_module(f"conv{stage}_{index}", module)
                self.rows.append(f"conv{stage}_{index}")
                width = filters * (4 if bottleneck else 1)
        self.logits = nn.Linear(width, num_classes)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the logits `(batch, num_classes)`."""
        x = self.pool(self.conv1(x))
        for row in self.rows:
            x = getattr(self, row)(x)
        return [self.logits(x.mean((2, 3)))]


# Table 1 of arXiv:1409.4842: 1×1, 3×3 reduce, 3×3, 5×5 reduce, 5×5, pool proj.
TABLE_1 = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}


class Inception(nn.ModuleDict):
    """An Inception module with dimension reduction.

    Args:
        inputs: Input channels.
        widths: Filters of the six convolutions, in the order of the paper's table.
    """

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        conv1, reduce3, conv3, reduce5, conv5, pool_proj = widths
        super().__init__(
            {
                "1x1": Conv(inputs, conv1, 1, norm=False),
                "3x3_reduce": Conv(inputs, reduce3, 1, norm=False),
                "3x3": Conv(reduce3, conv3, 3, norm=False),
                "5x5_reduce": Conv(inputs, reduce5, 1, norm=False),
                "5x5": Conv(reduce5, conv5, 5, norm=False),
                "pool_proj": Conv(inputs, pool_proj, 1, norm=False),
            }
        )
        self.outputs = conv1 + conv3 + conv5 + pool_proj

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature map."""
        branches = [
            self["1x1"](x),
            self["3x3"](self["3x3_reduce"](x)),
            self["5x5"](self["5x5_reduce"](x)),
            self["pool_proj"](F.max_pool2d(x, 3, 1, 1)),
        ]
        return torch.cat(branches, 1)


class AuxiliaryClassifier(nn.Module):
    """A classifier in the middle of GoogLeNet, for 224×224 images."""

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.conv = Conv(inputs, 128, 1, norm=False)
        self.fc = nn.Linear(4 * 4 * 128, 1024)
        self.logits = nn.Linear(1024, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits `(batch, num_classes)`."""
        x = self.conv(F.avg_pool2d(x, 5, 3)).permute(0, 2, 3, 1).flatten(1)  # as in Keras
        return self.logits(F.dropout(F.relu(self.fc(x)), 0.7, self.training))


class GoogLeNet(nn.Module):
    """GoogLeNet with both auxiliary classifiers, dropout and local response normalization."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv1 = Conv(channels, 64, 7, 2, norm=False)
        self.conv2_reduce = Conv(64, 64, 1, norm=False)
        self.conv2 = Conv(64, 192, 3, norm=False)
        width = 192
        for row, widths in TABLE_1.items():
            module = Inception(width, widths)
            self.add_module(row, module)
            width = module.outputs
            if row in ("4a", "4d"):
                self.add_module(f"{row}_aux", AuxiliaryClassifier(width, num_classes))
        self.logits = nn.Linear(width, num_classes)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the logits `(batch, num_classes)`, and in training those of both auxiliaries."""

        def pool(x: Tensor) -> Tensor:
            return F.max_pool2d(x, 3, 2, ceil_mode=True)

        x = self.norm(pool(self.conv1(x)))
        x = pool(self.norm(self.conv2(self.conv2_reduce(x))))
        auxiliaries = []
        for row in TABLE_1:
            if row in ("4a", "5a"):
                x = pool(x)
            x = getattr(self, row)(x)
            if self.training and row in ("4a", "4d"):
                auxiliaries.append(getattr(self, f"{row}_aux")(x))
        x = F.dropout(x.mean((2, 3)), 0.4, self.training)
        return [self.logits(x), *auxiliaries]


def build(network: str, channels: int, num_classes: int) -> nn.Module:
    """Return a network in training mode.

    Args:
        network: One of `NETWORKS`.
        channels: Channels of the images.
        num_classes: Number of classes.
    """
    if network == "googlenet":
        return GoogLeNet(channels, num_classes)
    if network == "resnet20":
        stages = [(3, 16), (3, 32), (3, 64)]
        stem = Conv(channels, 16, 3)
        return ResNet(stem, stages, num_classes, pool=False, bottleneck=False, project=False)
    counts = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}[network]
    stages = list(zip(counts, (64, 128, 256, 512), strict=True))
    bottleneck = network == "resnet50"
    stem = Conv(channels, 64, 7, 2)
    return ResNet(stem, stages, num_classes, pool=True, bottleneck=bottleneck, project=True)


NETWORKS = ("resnet20", "resnet18", "googlenet", "resnet50")
