from __future__ import annotations

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.studies.option_checks import (
    require_ascending,
    require_at_least,
    require_modules,
    require_paired_seeds,
    require_same_data,
    require_shortcuts,
    require_unique,
)
from cnn_keras.training.config import Training


def test_right_options_pass() -> None:
    require_unique(networks=("resnet20", "plain20"))
    require_ascending(depths=(20, 56))
    require_paired_seeds((0, 5))
    require_at_least(1, count=1, draws=2)
    require_modules("vgg11", "vgg", "resnet")
    require_shortcuts("resnet18", "resnet")


@pytest.mark.parametrize("values", [(), ("a", "a")])
def test_values_must_be_there_and_different(values: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="--networks takes one or more different values, not"):
        require_unique(networks=values)


@pytest.mark.parametrize("values", [(), (20,), (56, 20), (20, 20)])
def test_numbers_must_ascend(values: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="--depths takes two or more ascending numbers, not"):
        require_ascending(depths=values)


@pytest.mark.parametrize("seeds", [(), (3,), (3, 3), (0, -1)])
def test_seeds_must_be_different_and_two_or_more(seeds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="--seeds takes two or more different numbers of at least"):
        require_paired_seeds(seeds)


def test_numbers_must_not_be_too_small() -> None:
    with pytest.raises(UsageError, match="--test-images must be at least 0, not -1"):
        require_at_least(0, test_images=-1)


def test_networks_must_be_of_the_families() -> None:
    with pytest.raises(UsageError, match=r"lenet5 has no modules: choose from vgg11, .*vgg19\."):
        require_modules("lenet5", "vgg")
    with pytest.raises(UsageError, match="plain18 does not suit this study: choose from resnet18"):
        require_shortcuts("plain18", "resnet")


def test_networks_must_be_trained_on_the_same_data() -> None:
    trainings = [Training.of("lenet5", data, recipe={}) for data in ("digits", "digits", "mnist")]
    require_same_data(trainings[:2])
    with pytest.raises(UsageError, match="--networks are trained on digits and mnist: name"):
        require_same_data(trainings)
