from __future__ import annotations

from typing import Any

import pytest

from cnn_keras.errors import UsageError
from export.studies.speed.cli import LoaderStudy, ThroughputStudy
from export.studies.speed.throughput import PLANS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"networks": ("resnet19",)}, "Did you mean 'resnet18'?"),
        ({"networks": ()}, "--networks takes one or more different values, not none."),
        ({"rounds": 0}, "--rounds must be at least 1, not 0."),
    ],
)
def test_wrong_options_are_refused_before_any_work(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        ThroughputStudy(**options)()
    assert message in str(caught.value)


def test_the_default_networks_are_all_of_the_study() -> None:
    assert ThroughputStudy().networks == tuple(dict.fromkeys(plan.network for plan in PLANS))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rounds": 0}, "--rounds must be at least 1, not 0."),
        ({"images": 31}, "--images must be at least 32, not 31."),
    ],
)
def test_wrong_numbers_of_images_and_rounds_are_refused(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        LoaderStudy(**options)()
    assert str(caught.value) == message
