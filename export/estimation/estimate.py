"""Estimate the latency of a network from the profiles of others at the same place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from cnn_keras.errors import Error

from .operation_model import OperationModel

MIN_NETWORKS = 3  # whose profiles show how far off an estimate is


class NetworkProfile(NamedTuple):
    """A profile, and the network that it is of.

    Attributes:
        network: Files of one network have the same.
        profile: See `profile.results.document`.
    """

    network: str
    profile: Mapping[str, Any]


class NetworkEstimate(NamedTuple):
    """The estimated latency of a network.

    Attributes:
        ms: The latency of one inference.
        low: Lower end of its interval: the smallest factor by which the estimates of the other
            networks, each from the rest, were off.
        high: Upper end.
        unlike: Operations of a kind that no profile has, by their names.
    """

    ms: float
    low: float
    high: float
    unlike: tuple[str, ...]


def estimate(
    operations: Sequence[Mapping[str, Any]], profiles: Sequence[NetworkProfile]
) -> NetworkEstimate:
    """Estimate the latency of a network.

    Args:
        operations: Those of the network's file, as in a profile.
        profiles: Of files of the same recipe, of at least `MIN_NETWORKS` networks.

    Raises:
        Error: There are too few profiles.
    """
    networks = sorted({each.network for each in profiles})
    if len(networks) < MIN_NETWORKS:
        raise Error(
            f"An interval needs the profiles of {MIN_NETWORKS} networks, and there are "
            f"{len(networks)} ({', '.join(networks) or 'none'}): measure more with benchmark "
            "--profile."
        )
    ms, unlike = _network_ms(operations, [each.profile for each in profiles])
    factors = [error for left_out in networks for error in _errors_without(left_out, profiles)]
    return NetworkEstimate(ms, ms * min(1.0, *factors), ms * max(1.0, *factors), unlike)


def leave_one_out(profiles: Sequence[NetworkProfile]) -> dict[str, list[float]]:
    """Estimate each network from the others.

    Returns:
        By network, the measured latency of each of its files over the estimated one.
    """
    return {name: _errors_without(name, profiles) for name in sorted({e.network for e in profiles})}


def _errors_without(network: str, profiles: Sequence[NetworkProfile]) -> list[float]:
    """Return how far off the estimates of a network are that come from the others."""
    others = [each.profile for each in profiles if each.network != network]
    return [
        each.profile["whole_ms"] / _network_ms(each.profile["operations"], others)[0]
        for each in profiles
        if each.network == network
    ]


def _network_ms(
    operations: Sequence[Mapping[str, Any]], profiles: Sequence[Mapping[str, Any]]
) -> tuple[float, tuple[str, ...]]:
    """Return the sum of the estimated operations, corrected as the profiles' sums must be."""
    model = OperationModel(profiles)
    found = [model.estimate(operation) for operation in operations]
    call_ms = float(np.median([profile["call_ms"] for profile in profiles]))
    correction = float(np.median([each["whole_ms"] / each["sum_ms"] for each in profiles]))
    unlike = tuple(
        operation["op"]
        for operation, each in zip(operations, found, strict=True)
        if np.isinf(each.distance)
    )
    return (sum(each.ms for each in found) + call_ms) * correction, tuple(dict.fromkeys(unlike))
