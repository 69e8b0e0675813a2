"""The interface of places, where files are measured.

The command line imports this module and those of the places for their options, so that they import
numpy and LiteRT in their functions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from cnn_keras.errors import Error

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..inputs import Inputs
    from ..profile.operator_runner import ProfileOptions, Times
    from ..runner import Loaded, LoadOptions, TimingOptions


class PlaceError(Error):
    """A place cannot be reached, or lacks something; the message is one line."""


@dataclass(frozen=True)
class Job:
    """One measurement of a file.

    Attributes:
        file: The `.tflite` file.
        sha256: Its hash.
        loaded: What LiteRT on this machine knows of it.
        inputs: The images. The outputs of all are compared before the file is timed, and the timed
            inferences cycle through them.
        num_threads: Threads that the runtime may use.
        warmup_secs: Seconds of inferences before the timed ones.
        timing: How long the file is timed.
        sustained_secs: Seconds for which it then runs without a pause.
    """

    file: Path
    sha256: str
    loaded: Loaded
    inputs: Inputs
    num_threads: int
    warmup_secs: float
    timing: TimingOptions
    sustained_secs: float = 0.0

    @property
    def load_options(self) -> LoadOptions:
        """What a runner on this machine loads."""
        from ..runner import LoadOptions

        images = str(self.inputs.path) if self.inputs.path else None
        return LoadOptions(str(self.file), self.num_threads, self.warmup_secs, images)

    def known_row(self) -> dict[str, Any]:
        """Return the part of a row that is known before the measurement."""
        return {
            "file": str(self.file),
            "size_bytes": self.file.stat().st_size,
            "sha256": self.sha256,
            "dtype": self.loaded.dtype,
            "activation_dtype": self.loaded.activation_dtype,
            "num_threads": self.num_threads,
            "inputs": self.inputs.kind,
        }

    def images(self) -> NDArray[np.float32]:
        """Return the preprocessed images `(n, height, width, channels)`."""
        import numpy as np

        from ..runner import noise

        if self.inputs.path is None:
            return noise(self.loaded.input.shape[1:])
        images: NDArray[np.float32] = np.load(self.inputs.path)
        return images

    def raw_images(self) -> NDArray[Any]:
        """Return the images in the type of the file's input, quantized if it is an integer."""
        return self.loaded.input.quantize(self.images())


class Outputs(NamedTuple):
    """What a file computes at a place.

    Attributes:
        raw: Outputs `(n, classes)` for the images of the job, in the output's own type.
        delegated_nodes: Operations that run in XNNPACK; None where the place cannot tell.
    """

    raw: NDArray[Any]
    delegated_nodes: int | None


class Measured(NamedTuple):
    """What was measured at a place.

    Attributes:
        row: Values for the fields of a `runner.Row`. None, or no value, stands for what the place
            does not know.
        host: The machine, with the fields of a `machine.Host`, and further ones.
        versions: Versions of what affects the speed there.
        runtime: Name of the program that runs the file, for example ``"LiteRT"``.
        runtime_version: Its version.
        delegate_used: ``"XNNPACK"``, or None if no delegate runs any operation, or the place cannot
            tell.
        extra: Further keys of the row, such as the temperature before and after.
    """

    row: dict[str, Any]
    host: dict[str, Any]
    versions: dict[str, str]
    runtime: str
    runtime_version: str
    delegate_used: str | None
    extra: dict[str, Any] = {}  # noqa: RUF012 (never changed)


class LoadedFile(ABC):
    """A file that is ready to run at a place. `outputs` is called first, then `measure`."""

    @abstractmethod
    def outputs(self) -> Outputs:
        """Run the images of the job.

        Raises:
            ModelFileError: The file does not run there.
            PlaceError: The place fails.
        """

    @abstractmethod
    def measure(self) -> Measured:
        """Time the file. It is not called for a file whose outputs differ.

        Raises:
            ModelFileError: The file does not run there.
            PlaceError: The place fails.
        """

    def native_profile(self) -> dict[str, Any]:
        """Return the latency of the operations within the whole file; see `native_profile`.

        Only a file at a place that `has_native_profile` can.

        Raises:
            PlaceError: The place fails.
        """
        raise NotImplementedError


class Place(ABC):
    """A machine, a phone or a browser that runs files.

    Entering the context connects to it, and leaving it removes what was put there.

    Attributes:
        name: The name in rows and messages, for example ``"ssh:pi@board"``.
        can_sustain: Whether a file can run there for longer; see `Job.sustained_secs`.
        can_profile: Whether single operations can be timed there; see `profile`.
        has_native_profile: Whether `benchmark_model` times the operations there, within the file.
    """

    name: str
    can_sustain = False
    can_profile = False
    has_native_profile = False

    @abstractmethod
    def load(self, job: Job) -> AbstractContextManager[LoadedFile]:
        """Copy a file to the place and load it there. Leaving the context removes the file.

        Raises:
            ModelFileError: The file does not run there.
            PlaceError: The place fails, or the copy differs from the file.
        """

    def profile(self, job: Job, options: ProfileOptions) -> Times:
        """Time the operations of a file in turn with the whole file.

        Args:
            job: The measurement.
            options: What to time; its archive is a file on this machine.

        Raises:
            ModelFileError: A file does not run there.
            PlaceError: The place fails.
        """
        raise NotImplementedError

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            PlaceError: The place cannot be reached, or lacks something.
        """
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class PlaceOptions:
    """Options of the command `benchmark` that name places.

    Each place has a subclass with its own options, whose `places` extends that of the others.
    """

    benchmark_model: Path | None = None
    """A build of LiteRT's benchmark_model. With --adb, it is one for Android, which measures in
    place of the app. With --profile, it also times the operations, within the whole file."""

    def places(self) -> list[Place]:
        """Return the places that the options name."""
        return []
