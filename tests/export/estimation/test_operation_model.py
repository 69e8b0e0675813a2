from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from export.estimation.operation_model import OperationModel

Profile = Callable[..., dict[str, Any]]
LAYERS = [(side, channels, channels, 3) for side in (56, 28, 14) for channels in (32, 64, 128)]
LAYERS += [(side, channels, 2 * channels, 1) for side in (56, 28, 14) for channels in (32, 64, 128)]


def test_an_operation_is_as_far_from_the_roofline_as_similar_ones(profile: Profile) -> None:
    model = OperationModel([profile(LAYERS)])
    for layer, slowdown in (((28, 48, 48, 3), 1.5), ((28, 48, 96, 1), 1.25)):
        (operation,) = profile([layer])["operations"]
        found = model.estimate(operation)
        assert found.ms == pytest.approx(operation["ms"], rel=0.1)
        assert found.ms == pytest.approx(model.bound_ms(operation) * slowdown, rel=0.1)
        assert 0 < found.distance < 2


def test_an_operation_of_a_profile_is_estimated_by_its_own_latency(profile: Profile) -> None:
    model = OperationModel([profile([*LAYERS, (112, 3, 64, 7)])])
    (operation,) = profile([(112, 3, 64, 7)])["operations"]
    assert model.estimate(operation).distance == 0
    assert model.estimate(operation).ms == pytest.approx(operation["ms"], rel=0.15)


def test_another_kind_is_as_far_from_the_roofline_as_any(profile: Profile) -> None:
    model = OperationModel([profile(LAYERS)])
    (operation,) = profile([(28, 48, 48, 3)])["operations"]
    found = model.estimate({**operation, "op": "ADD"})
    assert math.isinf(found.distance)
    assert 1.25 <= found.ms / model.bound_ms(operation) <= 1.5
