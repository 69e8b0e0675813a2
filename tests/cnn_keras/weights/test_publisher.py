from __future__ import annotations

import pytest

from cnn_keras.weights.import_published import WEIGHTS
from cnn_keras.weights.publisher import Publisher, split_layer_name

PUBLISHERS = list({row.publisher.name: row.publisher for row in WEIGHTS}.values())


@pytest.mark.parametrize(
    ("layer", "expected"),
    [("conv1", ("conv1", "conv")), ("conv1_bn", ("conv1", "bn")), ("bn_1", ("bn_1", "conv"))],
)
def test_split_layer_name(layer: str, expected: tuple[str, str]) -> None:
    assert split_layer_name(layer) == expected


@pytest.mark.parametrize("publisher", PUBLISHERS, ids=lambda publisher: publisher.name)
def test_tensor_names_contain_the_layer(publisher: Publisher) -> None:
    names = [publisher.kernel, publisher.bias, *publisher.norm]
    assert all(name.startswith("{}") for name in names)
    assert len(set(publisher.norm)) == 4


def test_names_of_weights_are_unique_per_publisher() -> None:
    keys = [(row.publisher.name, row.name) for row in WEIGHTS]
    assert len(set(keys)) == len(keys)
