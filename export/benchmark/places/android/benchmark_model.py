"""A file in the user's build of LiteRT's `benchmark_model`.

The program takes one image, so that it is started once for each of the images whose outputs are
compared. It then times the first image.

Reference:
    LiteRT, ``tflite/tools/benchmark/README.md``.
"""

from __future__ import annotations

import hashlib
import math
import shlex
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cnn_keras.command import log, progress

from ..benchmark_output import error, parse_delegated, parse_row, unknown_flags
from ..native_profile import EXTRA_SECS, PROFILE_FLAG, document, flags, timing_flags
from ..place import Job, LoadedFile, Measured, Outputs, PlaceError
from .client import Adb, Finished
from .facts import Facts, read_state

FOLDER = "/data/local/tmp"
"""Where `adb shell` may write and start programs."""

INPUTS = "inputs.bin"
_OUTPUTS = "outputs.bin"
_SECS_PER_IMAGE = 60.0

# The machine in the header of an ELF file (elf.h) and Android's name of it.
_MACHINES = {3: "x86", 40: "armeabi-v7a", 62: "x86_64", 183: "arm64-v8a", 243: "riscv64"}


def check_binary(binary: Path, facts: Facts, serial: str) -> str:
    """Check that a phone can run a program, and return the start of its hash.

    Raises:
        PlaceError: It is not a program, or one for another processor.
    """
    try:
        data = binary.read_bytes()
    except OSError as failure:
        raise PlaceError(f"Cannot read {binary}: {failure.strerror}.") from None
    if data[:4] != b"\x7fELF" or len(data) < 20:
        raise PlaceError(
            f"{binary} is not a program for Android: build LiteRT's benchmark_model with "
            "--config=android_arm64."
        )
    machine = int.from_bytes(data[18:20], "little")
    abi = _MACHINES.get(machine, f"machine {machine}")
    if abi not in facts.abis:
        raise PlaceError(
            f"{binary} is built for {abi}; the phone {serial} runs {', '.join(facts.abis)}."
        )
    return hashlib.sha256(data).hexdigest()[:12]


class BenchmarkModelFile(LoadedFile):
    """A file and its images in a folder of the phone.

    Args:
        adb: The phone.
        facts: The phone.
        job: The measurement.
        folder: Path of the folder on the phone.
        binary: Path of `benchmark_model` on the phone.
        version: The start of its hash.
        mask: Hexadecimal mask of the cores to run on; None for all.
    """

    def __init__(
        self,
        adb: Adb,
        facts: Facts,
        job: Job,
        folder: str,
        binary: str,
        version: str,
        mask: str | None,
    ) -> None:
        self._adb = adb
        self._facts = facts
        self._job = job
        self._folder = folder
        self._version = version
        self._mask = mask
        self._program = f"taskset {mask} {binary}" if mask else binary

    def outputs(self) -> Outputs:
        """Start the program once for each image."""
        images, spec = self._job.raw_images(), self._job.loaded.output
        once = self._command("--num_runs=1", "--min_secs=0", "--warmup_min_secs=0", "--max_secs=1")
        script = _OUTPUTS_SCRIPT.format(
            folder=self._folder,
            count=len(images),
            bytes=images[0].nbytes,
            command=f"{once} --output_filepath=output.bin",
        )
        with progress(f"adb:{self._adb.serial}: outputs", len(images)) as advance:
            seconds = EXTRA_SECS + _SECS_PER_IMAGE * len(images)
            found = self._adb.shell(
                script, seconds, lambda line: advance() if line == "+" else None
            )
        self._require(found)
        with tempfile.TemporaryDirectory() as folder:
            outputs = Path(folder, _OUTPUTS)
            self._adb.pull(f"{self._folder}/{_OUTPUTS}", outputs)
            raw = np.frombuffer(outputs.read_bytes(), spec.dtype)
        if raw.size != len(images) * math.prod(spec.shape):
            raise PlaceError(
                f"benchmark_model on the phone {self._adb.serial} writes {raw.size} outputs for "
                f"{len(images)} images of {math.prod(spec.shape)} classes."
            )
        delegated = parse_delegated(found.stdout).delegated_nodes
        return Outputs(raw.reshape(-1, *spec.shape[1:]), delegated)

    def measure(self) -> Measured:
        """Time the first image."""
        timing = self._job.timing
        log(f"adb:{self._adb.serial}: outputs computed; timing for {timing.min_secs:g} s or longer")
        before = read_state(self._adb)
        found = self._time()
        row = parse_row(found.stdout)
        if row is None:
            raise PlaceError(
                f"benchmark_model on the phone {self._adb.serial} prints no median: build a newer "
                "version."
            )
        row["threads_used"] = self._job.num_threads
        extra: dict[str, Any] = {"state": {"before": before, "after": read_state(self._adb)}}
        return Measured(
            row,
            self._facts.host,
            {"android": self._facts.android},
            "benchmark_model",
            self._version,
            "XNNPACK" if row["partitions"] else None,
            extra | ({"taskset": self._mask} if self._mask else {}),
        )

    def native_profile(self) -> dict[str, Any]:
        """Time the first image again, with its operations."""
        log(f"adb:{self._adb.serial}: time each operation")
        program = f"benchmark_model on the phone {self._adb.serial}"
        return document(program, self._time(PROFILE_FLAG).stdout)

    def _time(self, *more: str) -> Finished:
        """Time the first image.

        Args:
            *more: Further flags.

        Raises:
            PlaceError: The program fails.
        """
        script = _TIMING_SCRIPT.format(
            folder=self._folder,
            bytes=self._job.raw_images()[0].nbytes,
            command=self._command(*timing_flags(self._job), *more),
        )
        # The warm-up may last as long as the timed runs.
        seconds = EXTRA_SECS + self._job.warmup_secs + 2 * self._job.timing.max_secs
        found = self._adb.shell(script, seconds)
        self._require(found)
        return found

    def _command(self, *more: str) -> str:
        """Return the command, with further flags."""
        return f"{self._program} {shlex.join([*flags(self._job, self._job.file.name), *more])}"

    def _require(self, found: Finished) -> None:
        """Check that the program succeeded.

        Raises:
            PlaceError: It failed, or does not know a flag.
        """
        serial = self._adb.serial
        if flags := unknown_flags(found.stdout):
            raise PlaceError(
                f"benchmark_model on the phone {serial} does not know {flags}: build a newer "
                "version."
            )
        if found.code:
            reason = error(found.stdout) or found.reason
            if found.code > 128:
                reason = f"signal {found.code - 128}"
            raise PlaceError(
                f"benchmark_model on the phone {serial} fails with {self._job.file}: "
                f"{reason.rstrip('.')}."
            )


def stop(adb: Adb, folder: str) -> None:
    """End the program of a folder, and remove the folder."""
    # `adbd` starts each shell in its own process group.
    adb.shell(f"[ -e {folder}/pid ] && kill -9 -$(cat {folder}/pid) 2>/dev/null; rm -rf {folder}")


_OUTPUTS_SCRIPT = """
cd {folder} || exit 1
echo $$ > pid
rm -f outputs.bin
i=0
while [ $i -lt {count} ]; do
  rm -f output.bin
  dd if=inputs.bin of=input.bin bs={bytes} skip=$i count=1 2>/dev/null || exit 1
  {command} > log.txt 2>&1
  code=$?
  if [ $code -ne 0 ] || [ ! -e output.bin ]; then cat log.txt; exit $code; fi
  cat output.bin >> outputs.bin || exit 1
  echo +
  i=$((i+1))
done
rm pid
cat log.txt
"""

_TIMING_SCRIPT = """
cd {folder} || exit 1
echo $$ > pid
dd if=inputs.bin of=input.bin bs={bytes} count=1 2>/dev/null || exit 1
{command} 2>&1
code=$?
rm pid
exit $code
"""
