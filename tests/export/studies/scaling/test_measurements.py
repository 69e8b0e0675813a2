from __future__ import annotations

from export.studies.scaling.measurements import checkpoint, layers


def test_layers_have_the_multiply_adds_and_parameters_of_the_network() -> None:
    found = layers("resnet50")
    assert sum(layer.parameters for layer in found) == 25_557_032
    assert 3.8e9 < sum(layer.macs for layer in found) < 4.2e9


def test_a_checkpoint_has_weights_and_momentum() -> None:
    found = checkpoint("lenet5", repetitions=1)
    assert found.num_bytes > 2 * 4 * 61_706  # parameters
    assert found.seconds > 0
