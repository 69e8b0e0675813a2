"""What the processes of a training must have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ...machine import PACKAGES, versions

# Other versions compute other numbers, or do not understand each other.
_PACKAGES = (*PACKAGES, "cnn-keras", "grain", "jax", "jaxlib", "pillow")


class Setup(NamedTuple):
    """The setup of one process.

    Attributes:
        versions: Versions of Python and of packages, by name.
        options: What is trained and how, by the names of the options.
    """

    versions: Mapping[str, str]
    options: Mapping[str, Any]

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Setup:
        """Return the setup of this process with some options, of JSON types."""
        return cls(versions(_PACKAGES), options)


def difference(expected: Setup, found: Setup, first: str, other: str) -> str:
    """Return the first difference between the setups of two processes, or an empty line.

    Args:
        expected: The setup of process 0.
        found: That of another process.
        first: Name of process 0.
        other: Name of the other process.

    Example:
        >>> setups = [Setup({"jax": number}, {}) for number in ("0.10.2", "0.10.1")]
        >>> difference(*setups, "Process 0", "Process 1")
        'Process 1 has jax 0.10.1, and process 0 has 0.10.2: install the same versions everywhere.'
    """
    end = "install the same versions everywhere."
    for kind in ("versions", "options"):
        old, new = (dict(_flat(getattr(setup, kind))) for setup in (expected, found))
        for name in {**old, **new}:
            if old.get(name) != new.get(name):
                return (
                    f"{other} has {name} {new.get(name)}, and {first[0].lower()}{first[1:]} has "
                    f"{old.get(name)}: {end}"
                )
        end = "start all processes with the same options."
    return ""


def _flat(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings, by their own names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value)
        else:
            yield name, value
