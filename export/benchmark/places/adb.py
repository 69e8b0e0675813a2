"""An Android phone as a place, over `adb`: our app, or LiteRT's `benchmark_model`."""

from __future__ import annotations

import re
import secrets
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cnn_keras.errors import UsageError

from .place import Job, LoadedFile, Place, PlaceError, PlaceOptions

if TYPE_CHECKING:
    from .android.client import Adb
    from .android.facts import Facts
    from .digest import Reference


class Phone(Place):
    """A phone.

    Args:
        serial: Its serial number; None for the only one.
        benchmark_model: The program for Android that measures; None for our app.
        mask: Hexadecimal mask of the cores that the program runs on; None for all.
    """

    def __init__(
        self, serial: str | None, benchmark_model: Path | None = None, mask: str | None = None
    ) -> None:
        self.name = f"adb:{serial}" if serial else "adb"
        self._serial = serial
        self._binary = benchmark_model
        self.has_native_profile = benchmark_model is not None
        self._mask = mask
        self._version = ""
        self._folder = ""
        self._adb: Adb
        self._facts: Facts

    def __enter__(self) -> Self:
        """Find the phone, and prepare the app or copy the program; see `Place.__enter__`."""
        from .android import app, benchmark_model
        from .android.client import Adb, choose
        from .android.facts import read_facts

        serial = choose(self._serial)
        self.name = f"adb:{serial}"
        self._adb = Adb(serial)
        self._facts = read_facts(self._adb)
        try:
            if self._binary is None:
                app.require_app(self._adb)
            else:
                self._version = benchmark_model.check_binary(self._binary, self._facts, serial)
                self._copy(self._binary)
        except BaseException:
            self._remove(self._folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the app, or remove the program."""
        self._remove(self._folder)

    @contextmanager
    def load(self, job: Job) -> Iterator[LoadedFile]:
        """Copy a file and its images to a new folder of the phone; see `Place.load`."""
        from .android import app, benchmark_model

        if self._binary is None:
            with self._folder_of(job, app.FOLDER, app.expected_outputs(job)) as folder:
                yield app.AppFile(self._adb, self._facts, job, folder)
            return
        with self._folder_of(job, self._folder) as folder:
            yield benchmark_model.BenchmarkModelFile(
                self._adb, self._facts, job, folder, self._program, self._version, self._mask
            )

    def _copy(self, binary: Path) -> None:
        """Copy the program to a new folder of the phone."""
        from .android.benchmark_model import FOLDER

        self._folder = f"{FOLDER}/{_new_name()}"
        self._adb.check(f"mkdir -p {self._folder}")
        self._adb.push([binary], self._folder)
        self._adb.check(f"mv {self._folder}/* {self._program}; chmod 755 {self._program}")

    @property
    def _program(self) -> str:
        return f"{self._folder}/benchmark_model"

    @contextmanager
    def _folder_of(self, job: Job, parent: str, expected: Reference | None = None) -> Iterator[str]:
        """Copy a job to a new folder, and remove the folder at last.

        Args:
            job: The job.
            parent: Where the folder is on the phone.
            expected: Outputs for the app; None for the program, which gets images alone.
        """
        from .android import app
        from .android.benchmark_model import INPUTS

        folder = f"{parent}/{_new_name()}"
        file = shlex.quote(f"{folder}/{job.file.name}")
        try:
            self._adb.check(f"mkdir -p {folder}")
            with tempfile.TemporaryDirectory() as local:
                if expected:
                    paths = app.write_job(job, expected, Path(local))
                else:
                    paths = [Path(local, INPUTS)]
                    paths[0].write_bytes(job.raw_images().tobytes())
                self._adb.push([job.file, *paths], folder)
            # What `adb` copies may belong to its user alone, and the app adds files.
            self._adb.shell(f"chmod -R a+rwX {folder}")
            found = self._adb.check(f"sha256sum {file}").split()
            if found[:1] != [job.sha256]:
                raise PlaceError(
                    f"The copy of {job.file} on the phone {self._adb.serial} differs from it: try "
                    "another cable."
                )
            yield folder
        finally:
            self._remove(folder)

    def _remove(self, folder: str) -> None:
        """End the app or the program, and remove its folder, if the phone is still there."""
        from .android import app, benchmark_model

        with suppress(PlaceError):  # the error that led here says more
            if self._binary is None:
                app.stop(self._adb, folder)
            elif folder:
                benchmark_model.stop(self._adb, folder)


@dataclass(frozen=True, kw_only=True)
class AdbOptions(PlaceOptions):
    """The options that name phones."""

    adb: tuple[str, ...] | None = None
    """Measure on Android phones: their serial numbers, or none for the only phone that adb lists.
    The app of android_demo/ measures, or --benchmark-model."""
    taskset: str | None = None
    """With --adb and --benchmark-model: hexadecimal mask of the cores to run on, such as f0."""

    def places(self) -> list[Place]:
        """Return the places that the options name.

        Raises:
            UsageError: An option lacks another, or the mask is not hexadecimal.
        """
        if self.taskset and not (self.benchmark_model and self.adb is not None):
            raise UsageError(
                "--taskset needs --adb and --benchmark-model; an app cannot choose its cores."
            )
        if self.taskset and not re.fullmatch("(0x)?[0-9a-fA-F]+", self.taskset):
            raise UsageError(f"--taskset is a hexadecimal mask such as f0, not '{self.taskset}'.")
        serials: tuple[str | None, ...] = () if self.adb is None else self.adb or (None,)
        phones = [Phone(serial, self.benchmark_model, self.taskset) for serial in serials]
        return [*super().places(), *phones]


def _new_name() -> str:
    return f"cnn-keras-{secrets.token_hex(4)}"
