from __future__ import annotations

import cnn_keras
from cnn_keras.inspection.anatomy import build_uninitialized, rows, total
from tests.fixtures.networks import ModelOf, rows_by_name


def test_neurons_and_multiply_adds(
    model_of: ModelOf,
) -> None:
    found = rows_by_name(model_of("alexnet"))
    neurons = {row: found[row].neurons for row in found if found[row].neurons}
    # The caption of figure 2 has 253,440 for conv1, which is 55×48×96.
    assert list(neurons.values()) == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert sum(neurons.values()) == 659_272
    assert total(list(found.values())).macs == 724_406_816
    one_tower = build_uninitialized(lambda: cnn_keras.build("alexnet", (224, 224, 3), form="2014"))
    assert total(rows(one_tower)).macs == 714_188_480
