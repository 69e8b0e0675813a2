"""Compare the plain torch networks of the throughput study with those of the zoo, on torch."""

from __future__ import annotations

import keras
import numpy as np
import torch
from torch import nn

from cnn_keras import zoo
from export.studies.speed.torch_networks import NETWORKS, build
from tests.fixtures.published_weights import TOLERANCE, randomize

# Odd sides for resnet20, where "same" padding is symmetric, as it is in torch.
SIDES = {"resnet20": 33, "resnet18": 64, "resnet50": 64, "googlenet": 224}


def copy_weights(model: keras.Model, network: nn.Module) -> None:
    """Copy the weights of each Keras layer into the module of its name."""
    for path, module in network.named_modules():
        if not list(module.parameters(recurse=False)):
            continue
        weights = [torch.tensor(w) for w in model.get_layer(path.replace(".", "_")).get_weights()]
        if isinstance(module, nn.BatchNorm2d):
            targets = [module.weight, module.bias, module.running_mean, module.running_var]
        else:
            weights[0] = weights[0].permute((3, 2, 0, 1) if weights[0].ndim == 4 else (1, 0))
            targets = [module.weight, module.bias]
        for target, weight in zip(targets, weights, strict=False):
            with torch.no_grad():
                target.copy_(weight)


def trained_model(name: str) -> keras.Model:
    """Return a network as it is trained, with random weights, and logits as outputs."""
    side, options = SIDES[name], zoo.network(name).training
    model = zoo.build(name, (side, side, 3), 10, classifier_activation=None, **options)
    randomize(model)
    for layer in model.layers:
        if isinstance(layer, keras.layers.DepthwiseConv2D):  # frozen ones, in shortcuts
            layer.set_weights([np.ones_like(layer.get_weights()[0])])
    return model


def main() -> None:
    for name in NETWORKS:
        model, network = trained_model(name), build(name, 3, 10)
        trainable = sum(int(np.prod(v.shape)) for v in model.trainable_variables)
        assert sum(each.numel() for each in network.parameters()) == trainable, name
        assert len(network(torch.zeros(2, 3, SIDES[name], SIDES[name]))) == len(model.outputs), name
        copy_weights(model, network)
        side = SIDES[name]
        images = np.random.default_rng(0).normal(size=(2, side, side, 3)).astype("float32")
        expected = model(images, training=False)
        if isinstance(expected, list):
            expected = expected[0]
        expected = keras.ops.convert_to_numpy(expected)
        with torch.no_grad():
            (found,) = network.eval()(torch.tensor(images).permute(0, 3, 1, 2))
        difference = np.abs(found.numpy() - expected).max() / np.abs(expected).max()
        assert difference <= TOLERANCE, (name, difference)


if __name__ == "__main__":
    main()
