"""A board, or any machine, that is reached by OpenSSH."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from cnn_keras.errors import UsageError

from .place import Job, LoadedFile, Place, PlaceOptions

if TYPE_CHECKING:
    from ..profile.operator_runner import ProfileOptions, Times
    from .board.connection import Connection
    from .board.preparation import Prepared


class Ssh(Place):
    """A machine that is reached by OpenSSH, with the user's own configuration and keys.

    It needs Python 3.9 or later with ai-edge-litert and numpy. The runner is kept in its
    `~/.cache/cnn-keras` for the next time; files are deleted when their connection ends, in
    whatever way. One connection serves all measurements, until one fails.

    Args:
        destination: `[USER@]HOST[:PORT]`.
        setup: Install the packages in a virtual environment there, unless there is one.

    Raises:
        UsageError: The destination is malformed.
    """

    can_sustain = True
    can_profile = True

    def __init__(self, destination: str, setup: bool = False) -> None:
        from .board.connection import Destination

        self.name = f"ssh:{destination}"
        self._destination = Destination.parse(destination)
        self._setup = setup
        self._connection: Connection | None = None
        self._prepared: Prepared | None = None

    def __enter__(self) -> Self:
        """Connect, and put the runner there; see `Place`."""
        from .board.preparation import prepare

        try:
            self._prepared = prepare(self._connect(), self._setup)
        except BaseException:
            self._disconnect()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._disconnect()

    @contextmanager
    def load(self, job: Job) -> Iterator[LoadedFile]:
        """Copy a file there, unless it is there already, and load it; see `Place.load`."""
        from .board import board_file

        assert self._prepared, "the place is entered first"
        measured = False
        try:
            with board_file.load(self._connect(), self._prepared, job) as loaded:
                yield loaded
                measured = loaded.measured
        finally:
            if not measured:  # its runner is still there
                self._disconnect()

    def profile(self, job: Job, options: ProfileOptions) -> Times:
        """Copy the operations there and time them, in a connection of its own; see `Place`."""
        from .board import board_file
        from .board.connection import Connection

        assert self._prepared, "the place is entered first"
        with Connection(self._destination) as connection:
            return board_file.profile(connection, self._prepared, job, options)

    def _connect(self) -> Connection:
        from .board.connection import Connection

        if self._connection and not self._connection.is_open():
            self._disconnect()
        if not self._connection:
            self._connection = Connection(self._destination)
        return self._connection

    def _disconnect(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True, kw_only=True)
class SshOptions(PlaceOptions):
    """The options that name machines behind SSH."""

    ssh: tuple[str, ...] = ()
    """Measure on these machines, named as [USER@]HOST[:PORT]. ssh must log in without a password
    there, and python3 must be 3.9 or later, with ai-edge-litert and numpy."""
    setup: bool = False
    """Install ai-edge-litert and numpy there first, in a virtual environment in
    ~/.cache/cnn-keras."""

    def places(self) -> list[Place]:
        """Return the places that the options name.

        Raises:
            UsageError: A destination is malformed, or there is none to set up.
        """
        if self.setup and not self.ssh:
            raise UsageError("--setup needs --ssh.")
        return [*super().places(), *(Ssh(each, self.setup) for each in self.ssh)]
