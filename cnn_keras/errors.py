"""Errors that a user can mend: one line, no traceback.

A message says what happened, what was expected and how to mend it. The command line prints it and
leaves with the error's exit code; a library user catches it like any exception.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable
from itertools import takewhile

LONGEST = 400  # characters of a library's words in one of our lines


class Error(Exception):
    """The work failed, or a check refused its result.

    Attributes:
        details: All that a library said of its failure, where the message is a line of it; see
            `command.one_line`.
    """

    exit_code = 1

    def __init__(self, *args: object, details: str = "") -> None:
        super().__init__(*args)
        self.details = details


class UsageError(Error, ValueError):
    """The request itself was wrong: a name, an option or an argument."""

    exit_code = 2


def first_line(error: Exception) -> str:
    r"""Return the first line of what a library says of its failure, or what the failure is.

    Example:
        >>> first_line(ValueError("no such file\nmore about it")), first_line(KeyError())
        ('no such file', 'KeyError()')
    """
    return (str(error).strip() or repr(error)).splitlines()[0]


# How Keras says what failed, and in which layer: it could not be made (failures inside each other,
# with pages of configuration between them), filled with its weights, or called.
_INNER = "Exception encountered: "
_AT = "[[{{node "  # TensorFlow, of what it computes
_MADE = re.compile(r"deserializing class '(?P<kind>\w+)' using config=\{'name': '(?P<name>[^']+)'")
_FILLED = re.compile(r"for object <(?P<kind>\w+) name=(?P<name>[^,>]+).*?:\n+(?P<cause>[^\n]+)")
_CALLED = re.compile(
    r"when calling (?P<name>\w+)\.call.*?\x1b\[1m(?P<cause>.*?)\x1b\[0m", re.DOTALL
)


def reason_of(error: Exception) -> str:
    r"""Return what Keras or TensorFlow says of its failure as one line: the layer and the cause.

    Example:
        >>> text = "Error when deserializing class 'Conv2D' using config={'name': 'conv1', ...}."
        >>> reason_of(TypeError(text + "\n\nException encountered: Bad."))
        "layer 'conv1' (Conv2D): Bad."
    """
    text = str(error)
    cause = first_line(error)
    if _INNER in text:
        cause = text.rpartition(_INNER)[2].strip().partition("\n")[0]
        for kind, name in _MADE.findall(text)[-1:]:
            cause = f"layer '{name}' ({kind}): {cause}"
    elif filled := _FILLED.search(text):
        cause = "layer '{name}' ({kind}): {cause}".format(**filled.groupdict())
    elif called := _CALLED.search(text):
        cause = "{name}: {cause}".format(**called.groupdict())
    elif _AT in text:  # after the lines of a traceback
        said, _, node = text.partition(_AT)
        cause = f"{node.partition('}')[0]}: {said.strip().rpartition(chr(10) * 2)[2]}"
    return textwrap.shorten(cause, LONGEST, placeholder=" …")


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not in a table.

    Args:
        kind: What the name should have been, for example ``"network"``.
        name: What was asked for.
        known: The names that exist.

    Example:
        >>> str(unknown("network", "resnet21", ["resnet20", "plain20"]))
        "Unknown network 'resnet21'. Did you mean 'resnet20'?"
    """

    def closeness(other: str) -> tuple[float, int]:
        # Of equally close names the one that begins alike for longest: resnet51 is like resnet50.
        ratio = difflib.SequenceMatcher(None, name, other).ratio()
        pairs = zip(name, other, strict=False)
        return ratio, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    names = list(known)
    nearest = max(names, key=closeness, default="")
    near = closeness(nearest)[0] >= 0.6
    hint = f"Did you mean '{nearest}'?" if near else f"Choose from: {', '.join(names)}."
    return UsageError(f"Unknown {kind} '{name}'. {hint}")
