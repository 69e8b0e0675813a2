"""A file in our Android app: the folder of a job, and the app that measures it.

The app compares its outputs with those of LiteRT on this machine, and does not time a file that
differs; see `BenchmarkJob` in `android_demo/`.
"""

from __future__ import annotations

import json
import math
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from cnn_keras.command import log

from ...runner import Row
from ...runner_process import RunnerProcess
from ..digest import Reference, reference
from ..local import outputs_of
from ..place import Job, LoadedFile, Measured, Outputs, PlaceError
from .client import Adb, Finished
from .facts import Facts

PACKAGE = "org.cnnkeras.demo"
ACTIVITY = f"{PACKAGE}/.ui.screens.BenchmarkActivity"
FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"
"""The app's external files folder, which both the app and `adb` may use."""

INSTALL = "make apk && adb install -r android_demo/build/cnn-keras-demo.apk"
START_SECS = 30.0  # from the intent to the app's first sign of life
EXTRA_SECS = 300.0  # for loading a file and running the images, beside the time of the benchmark

_JOB, _INPUTS, _EXPECTED = "job.json", "inputs.bin", "expected.bin"
_OUTPUTS, _RESULT = "outputs.bin", "result.json"
_CRASH = re.compile(
    r"^(?:(?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error)\b.*|signal \d+ .*)$", re.MULTILINE
)


def require_app(adb: Adb) -> None:
    """Check that the app is installed, and make it create its folder.

    Raises:
        PlaceError: It is not installed, or does not start.
    """
    if adb.shell(f"pm path {PACKAGE}").code:
        raise PlaceError(
            f"The app is not installed on the phone {adb.serial}: {INSTALL}. Or name a binary of "
            "LiteRT's benchmark_model with --benchmark-model."
        )
    adb.shell("input keyevent KEYCODE_WAKEUP; wm dismiss-keyguard")
    if adb.shell(f"[ -d {FOLDER} ]").code:
        _require_started(adb.shell(start_command()), adb)
        if adb.shell(
            f"n=0; until [ -d {FOLDER} ]; do n=$((n+1)); [ $n -gt 30 ] && exit 1; sleep 1; done"
        ).code:
            raise PlaceError(f"The app does not create its folder on the phone {adb.serial}.")


def start_command(extras: str = "") -> str:
    """Return the command that starts the screen of the benchmark."""
    return f"am start -n {ACTIVITY} {extras} 2>&1"


def stop(adb: Adb, folder: str = "") -> None:
    """End the app, so that the next job runs in a fresh process.

    Args:
        adb: The phone.
        folder: The folder of a job that is removed, if any.
    """
    adb.shell(f"am force-stop {PACKAGE}" + (f"; rm -rf {folder}" if folder else ""))


def _require_started(found: Finished, adb: Adb) -> None:
    """Check what `am start` has printed.

    Raises:
        PlaceError: Android refuses to start the screen.
    """
    if "Error" in found.stdout:
        reason = next(line for line in found.stdout.splitlines() if "Error" in line)
        raise PlaceError(
            f"The app on the phone {adb.serial} does not start ({reason.strip().rstrip('.')}); it "
            f"may be old: {INSTALL}."
        )


def expected_outputs(job: Job) -> Reference:
    """Return what LiteRT computes on this machine, with which the app compares its outputs."""
    here = replace(job, num_threads=1, warmup_secs=0.0)
    with RunnerProcess(here.load_options) as process:
        return reference(job.file, outputs_of(process), process.loaded.output)


def write_job(job: Job, expected: Reference, folder: Path) -> list[Path]:
    """Write the files of a job, but for the model, and return their paths."""
    settings = {
        "file": job.file.name,
        "inputs": job.inputs.kind,
        "num_threads": job.num_threads,
        "warmup_secs": job.warmup_secs,
        "num_runs": job.timing.num_runs,
        "min_secs": job.timing.min_secs,
        "max_secs": job.timing.max_secs,
        "rule": expected.rule.value,
        "step": expected.step,
    }
    paths = [folder / name for name in (_JOB, _INPUTS, _EXPECTED)]
    contents = (
        json.dumps(settings).encode(),
        job.raw_images().tobytes(),
        expected.outputs.tobytes(),
    )
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


class AppFile(LoadedFile):
    """A file whose job is in the folder of the app.

    Args:
        adb: The phone.
        facts: The phone.
        job: The measurement.
        folder: Path of the folder on the phone.
    """

    def __init__(self, adb: Adb, facts: Facts, job: Job, folder: str) -> None:
        self._adb = adb
        self._facts = facts
        self._job = job
        self._folder = folder
        self._result: dict[str, Any] = {}

    def outputs(self) -> Outputs:
        """Run the job in a fresh process of the app, which also times the file if it agrees."""
        stop(self._adb)
        self._run()
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder, _RESULT)
            self._adb.pull(f"{self._folder}/{_RESULT}", result)
            self._result = json.loads(result.read_text("utf-8"))
            if self._adb.shell(f"[ -e {self._folder}/{_OUTPUTS} ]").code:
                raise self._failure()
            outputs = Path(folder, _OUTPUTS)
            self._adb.pull(f"{self._folder}/{_OUTPUTS}", outputs)
            raw = np.frombuffer(outputs.read_bytes(), self._job.loaded.output.dtype)
        return Outputs(raw.reshape(-1, *self._job.loaded.output.shape[1:]), None)

    def measure(self) -> Measured:
        """Return the row of the app."""
        if "row" not in self._result:
            raise self._failure()
        row = self._result["row"]
        host = {**row["host"]}
        for name, value in self._facts.host.items():  # `adb` may read what apps may not
            if host.get(name) in (None, []):
                host[name] = value
        return Measured(
            {name: row.get(name) for name in Row._fields},
            host,
            row["versions"],
            row["runtime"],
            row["runtime_version"],
            row["delegate_used"],
            {"throttling": row["throttling"], "state": row["state"]},
        )

    def _failure(self) -> PlaceError:
        reason = str(self._result.get("error", "it gave no reason"))
        return PlaceError(
            f"The app on the phone {self._adb.serial} does not measure {self._job.file}: "
            f"{reason.rstrip('.')}."
        )

    def _run(self) -> None:
        """Start the app and wait for its result.

        Raises:
            PlaceError: The app does not take the job, crashes or needs too long.
        """
        timing = self._job.timing
        # The measurement lasts min_secs or longer, for num_runs, and at most max_secs.
        seconds = math.ceil(self._job.warmup_secs + timing.max_secs + EXTRA_SECS)
        script = _RUN.format(
            start=start_command(f"--es job {self._folder.rpartition('/')[2]}"),
            folder=self._folder,
            package=PACKAGE,
            start_secs=START_SECS,
            limit=seconds,
        )
        found = self._adb.shell(script, seconds + 60.0, self._report)
        _require_started(found, self._adb)
        how, _, pid = (found.stdout.splitlines() or [""])[-1].partition(" ")
        serial = self._adb.serial
        if how == "ignored":
            raise PlaceError(
                f"The app on the phone {serial} does not take the job; it may be old: {INSTALL}."
            )
        if how == "ended":
            raise PlaceError(f"The app on the phone {serial} has {self._end(pid)}.")
        if how != "done":
            raise PlaceError(
                f"The app on the phone {serial} has no result after {seconds} s: keep it in the "
                "foreground, or give a smaller --max-secs."
            )

    def _end(self, pid: str) -> str:
        """Tell how the process of the app ended."""
        crash = self._adb.shell(f"logcat -d -b crash -v raw --pid={pid}").stdout if pid else ""
        if found := _CRASH.search(crash):
            return f"crashed: {found[0].strip().rstrip('.')}"
        return "ended without a crash report; Android may have ended it for lack of memory"

    def _report(self, line: str) -> None:
        if line == _OUTPUTS:
            secs = self._job.warmup_secs + self._job.timing.min_secs
            log(f"adb:{self._adb.serial}: outputs computed; timing for {secs:g} s or longer")


# Once a second, with commands that are part of the shell, so as not to disturb the measurement. An
# app that ends may have written its result a moment before.
_RUN = """
printed=$({start})
echo "$printed"
case "$printed" in *Error*) exit;; esac
cd {folder} || exit
n=0; pid=; timing=
while [ $n -lt {limit} ]; do
  if [ -e result.json ]; then echo done; exit; fi
  [ -n "$pid" ] || pid=$(pidof {package})
  if [ -n "$pid" ] && [ ! -d /proc/$pid ]; then
    if [ -e result.json ]; then echo done; else echo "ended $pid"; fi
    exit
  fi
  if [ ! -e started ]; then
    if [ $n -ge {start_secs:.0f} ]; then echo ignored; exit; fi
  elif [ -z "$pid" ]; then
    pid=$(pidof {package}) || {{ echo ended; exit; }}
  elif [ -z "$timing" ] && [ -e outputs.bin ]; then
    timing=1; echo outputs.bin
  fi
  n=$((n+1)); sleep 1
done
echo late
"""
