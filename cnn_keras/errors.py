"""Errors that a user can fix: one line, no traceback.

A message says what happened, what was expected and how to fix it. The command line prints it and
exits with the error's exit code; users of the library catch it like any exception.
"""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable
from itertools import takewhile

MAX_REASON = 400  # characters of a library's message in our message


class Error(Exception):
    """The work failed, or a check refused its result.

    Attributes:
        details: The full message of a library, of which our message has one line; see
            `command.one_line`.
    """

    exit_code = 1

    def __init__(self, *args: object, details: str = "") -> None:
        super().__init__(*args)
        self.details = details


class UsageError(Error, ValueError):
    """A name, option or argument is wrong."""

    exit_code = 2


def first_line(error: Exception) -> str:
    r"""Return the first line of an error's message, or its representation if it has none.

    Example:
        >>> first_line(ValueError("no such file\nmore about it")), first_line(KeyError())
        ('no such file', 'KeyError()')
    """
    return (str(error).strip() or repr(error)).splitlines()[0]


# Messages of Keras for a layer that cannot be built (nested errors with pages of configuration
# between them), filled with its weights, or called.
_CAUSE = "Exception encountered: "
_NODE = "[[{{node "  # of TensorFlow
_BUILT = re.compile(r"deserializing class '(?P<kind>\w+)' using config=\{'name': '(?P<name>[^']+)'")
_FILLED = re.compile(r"for object <(?P<kind>\w+) name=(?P<name>[^,>]+).*?:\n+(?P<cause>[^\n]+)")
_CALLED = re.compile(
    r"when calling (?P<name>\w+)\.call.*?\x1b\[1m(?P<cause>.*?)\x1b\[0m", re.DOTALL
)


def keras_reason(error: Exception) -> str:
    r"""Return the layer and the cause in an error of Keras or TensorFlow, as one line.

    Example:
        >>> text = "Error when deserializing class 'Conv2D' using config={'name': 'conv1', ...}."
        >>> keras_reason(TypeError(text + "\n\nException encountered: Bad."))
        "layer 'conv1' (Conv2D): Bad."
    """
    text = str(error)
    cause = first_line(error)
    if _CAUSE in text:
        cause = text.rpartition(_CAUSE)[2].strip().partition("\n")[0]
        for kind, name in _BUILT.findall(text)[-1:]:
            cause = f"layer '{name}' ({kind}): {cause}"
    elif filled := _FILLED.search(text):
        cause = "layer '{name}' ({kind}): {cause}".format(**filled.groupdict())
    elif called := _CALLED.search(text):
        cause = "{name}: {cause}".format(**called.groupdict())
    elif _NODE in text:  # at the end of a traceback
        traceback, _, node = text.partition(_NODE)
        cause = f"{node.partition('}')[0]}: {traceback.strip().rpartition(chr(10) * 2)[2]}"
    return textwrap.shorten(cause, MAX_REASON, placeholder=" …")


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not in a table.

    Args:
        kind: What the name should have been, for example ``"network"``.
        name: The unknown name.
        known: The names that exist.

    Example:
        >>> str(unknown("network", "resnet21", ["resnet20", "plain20"]))
        "Unknown network 'resnet21'. Did you mean 'resnet20'?"
    """

    def closeness(other: str) -> tuple[float, int]:
        # Among equally close names, the longest common prefix wins: resnet51 is close to resnet50.
        ratio = difflib.SequenceMatcher(None, name, other).ratio()
        pairs = zip(name, other, strict=False)
        return ratio, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    names = list(known)
    nearest = max(names, key=closeness, default="")
    near = closeness(nearest)[0] >= 0.6
    hint = f"Did you mean '{nearest}'?" if near else f"Choose from: {', '.join(names)}."
    return UsageError(f"Unknown {kind} '{name}'. {hint}")
