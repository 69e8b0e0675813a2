from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from cnn_keras.errors import Error
from export.estimation.estimate import NetworkProfile, estimate, leave_one_out

Profile = Callable[..., dict[str, Any]]
NETWORKS = {
    "narrow": [(56, 16, 16, 3), (28, 32, 32, 3), (14, 64, 64, 3), (14, 64, 128, 1)],
    "wide": [(56, 64, 64, 3), (28, 128, 128, 3), (14, 256, 256, 3), (14, 256, 512, 1)],
    "deep": [(56, 32, 32, 3)] * 4 + [(28, 64, 64, 3)] * 4 + [(14, 128, 256, 1)] * 4,
}


@pytest.fixture
def profiles(profile: Profile) -> list[NetworkProfile]:
    return [NetworkProfile(name, profile(layers)) for name, layers in NETWORKS.items()]


def test_a_network_is_the_sum_of_its_operations(
    profile: Profile, profiles: list[NetworkProfile]
) -> None:
    expected = profile([(56, 24, 24, 3), (28, 48, 48, 3), (14, 96, 192, 1)])
    found = estimate(expected["operations"], profiles)
    assert found.ms == pytest.approx(expected["whole_ms"], rel=0.1)
    assert found.low <= found.ms <= found.high
    assert found.unlike == ()


def test_the_interval_has_the_errors_of_the_other_networks(
    profile: Profile, profiles: list[NetworkProfile]
) -> None:
    errors = [error for found in leave_one_out(profiles).values() for error in found]
    assert all(0.8 < error < 1.25 for error in errors)
    slow = profiles[0].profile | {"whole_ms": 3 * profiles[0].profile["whole_ms"]}
    uncertain = [NetworkProfile("narrow", slow), *profiles[1:]]
    operations = profile([(28, 48, 48, 3)])["operations"]
    found = estimate(operations, uncertain)
    assert found.high > 2 * found.ms


def test_kinds_that_no_profile_has_are_named(
    profile: Profile, profiles: list[NetworkProfile]
) -> None:
    operations = [{**each, "op": "ADD"} for each in profile([(28, 48, 48, 3)])["operations"]]
    assert estimate(operations, profiles).unlike == ("ADD",)


def test_too_few_networks_give_no_interval(
    profile: Profile, profiles: list[NetworkProfile]
) -> None:
    operations = profile([(28, 48, 48, 3)])["operations"]
    with pytest.raises(Error, match=r"profiles of 3 networks, and there are 2 \(narrow, wide\)"):
        estimate(operations, [*profiles[:2], profiles[0]])
