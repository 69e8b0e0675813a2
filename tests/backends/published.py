"""Write torchvision's networks with random weights, and their logits for photographs.

Run by a Python that has torch: `published.py FOLDER NETWORK...` writes NETWORK.pth, .safetensors
and .npz for each network; layouts.json, the tensors of every network by name and shape; and
formats.pth and formats_stream.pth, the few tensors of `FORMATS` in both of torch's formats. Those
two stand in tests/fixtures/ too.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import save_file
from sklearn.datasets import load_sample_images

ALL = (
    *(
        "alexnet",
        "vgg11",
        "vgg13",
        "vgg16",
        "vgg19",
        "vgg11_bn",
        "vgg13_bn",
        "vgg16_bn",
        "vgg19_bn",
    ),
    *("googlenet", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
)

_SHARED = torch.arange(12.0)
FORMATS = {
    "whole": torch.arange(6.0).reshape(2, 3),
    "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
    "transposed": _SHARED.reshape(3, 4).T,
    "part": _SHARED[4:6],
    "half": torch.tensor([0.5, 1.5], dtype=torch.float16),
    "brain": torch.tensor([0.5, -1.5], dtype=torch.bfloat16),
    "truth": torch.tensor([True, False]),
    "int16": torch.tensor([-300, 300], dtype=torch.int16),
    "int8": torch.tensor([-3, 3], dtype=torch.int8),
    "uint8": torch.tensor([3, 200], dtype=torch.uint8),
    "number": torch.tensor(7),
}

# Networks that change the normalization of their input.
OPTIONS = {"googlenet": {"transform_input": True, "init_weights": False}}


def build(name: str) -> torch.nn.Module:
    return getattr(torchvision.models, name)(**OPTIONS.get(name, {}))


def layout(name: str) -> dict[str, list[int]]:
    with torch.device("meta"):  # shapes without values
        return {key: list(tensor.shape) for key, tensor in build(name).state_dict().items()}


def photographs() -> torch.Tensor:
    """Crops of 224×224 from both sample photographs, after torchvision's transforms."""
    squares = np.stack([image[100:324, 200:424] for image in load_sample_images().images])
    weights = torchvision.models.ResNet18_Weights.IMAGENET1K_V1
    transform = weights.transforms(resize_size=224)  # which then resizes nothing
    return transform(torch.from_numpy(squares).permute(0, 3, 1, 2))


def randomize(model: torch.nn.Module) -> None:
    """Randomize all weights, so that logits depend on the image."""
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0, 0.1)
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                torch.nn.init.normal_(module.bias, 0, 0.1)


def main(folder: Path, networks: list[str]) -> None:
    torch.manual_seed(0)
    torch.set_num_threads(2)
    torch.save(FORMATS, folder / "formats.pth")
    torch.save(FORMATS, folder / "formats_stream.pth", _use_new_zipfile_serialization=False)
    (folder / "layouts.json").write_text(json.dumps({name: layout(name) for name in ALL}))
    for name in networks:
        model = build(name)
        randomize(model)
        model.eval()
        torch.save(model.state_dict(), folder / f"{name}.pth")
        save_file(model.state_dict(), folder / f"{name}.safetensors")
        with torch.no_grad():
            logits = model(photographs()).numpy()
        np.savez(folder / f"{name}.npz", logits=logits)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
