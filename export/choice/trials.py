"""Files that are made, checked and timed, and kept so that an interrupted choice continues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cnn_keras.command import failure_reason, log, write_atomic
from cnn_keras.errors import Error
from cnn_keras.machine import host, versions

from ..benchmark.places.place import PlaceError
from ..benchmark.results import MACHINE
from ..pipeline import ExportJob, make_file
from ..recipes import Recipe, recipe
from ..tflite.interpreter import ModelFileError
from .layers import STATIC, Layer, Types, mixed_recipe, uniform
from .rule import Tried, from_json, to_json
from .sensitivity import divergence
from .timing import Timer

FOLDER, FILE_NAME = "tried", "tried.json"

_LAYER_MS = "layer_ms_of_"
_NOT_MADE, _NOT_TIMED = "cannot be made", "cannot be timed"
_PROCESSES = 3
_LETTERS = {"float32": "f", "int8": "8", "int4": "4"}


class Trials:
    """Makes, checks and times the files of a network.

    Args:
        job: The network and its held-out images.
        layers: Its layers.
        timer: Times files at a place.
        folder: Folder of the files and of what is known of them. What it holds of another network,
            other versions or another machine is replaced.
    """

    def __init__(self, job: ExportJob, layers: Sequence[Layer], timer: Timer, folder: Path) -> None:
        self.layers = layers
        self._job = job
        self._timer = timer
        self._folder = folder
        self._path = folder / FILE_NAME
        self._known = self._read()
        num_images = len(job.images)
        self._files = {row["name"]: from_json(row, num_images) for row in self._known["files"]}

    @property
    def files(self) -> list[Tried]:
        """All files that were tried."""
        return list(self._files.values())

    @property
    def place(self) -> str:
        """Where they are timed, and with how many threads."""
        return self._timer.name

    def remember(self, key: str, compute: Callable[[], Any]) -> Any:
        """Return a measurement that is kept beside the files, as JSON types."""
        if key not in self._known:
            self._known[key] = compute()
            self._write()
        return self._known[key]

    def try_recipe(self, row: Recipe) -> Tried:
        """Return the file of a recipe that stores all layers alike, made, checked and timed."""
        return self._timed(self.make_recipe(row))

    def try_types(self, types: Types) -> Tried:
        """Return the static integer file whose layers have these types, made, checked and timed."""
        return self._timed(self.make(types))

    def recipe_of(self, file: Tried) -> Recipe:
        """Return the recipe of a tried file."""
        return recipe(file.name) if file.types is None else mixed_recipe(self.layers, file.types)

    def profile(self, file: Tried) -> list[float]:
        """Return the ms of each layer of a file, from a profile of its operations."""
        found: list[float] = self.remember(
            f"{_LAYER_MS}{file.name}", lambda: self._timer.profile(self._path_of(file))
        )
        return found

    def make_recipe(self, row: Recipe) -> Tried:
        """Make and check the file of a recipe that stores all layers alike, without timing it."""
        if row == STATIC:
            return self.make(uniform(self.layers, "int8"))
        return self._make(Tried(name=row.name), row)

    def make(self, types: Types) -> Tried:
        """Make and check the file of a mix, without timing it."""
        name = "mixed_" + "".join(_LETTERS[of] for of in types)
        mixed = mixed_recipe(self.layers, types)
        if set(types) == {"int8"}:
            name = mixed.name
        return self._make(Tried(name=name, types=types), mixed)

    def time(self, files: Sequence[Tried], processes: int, again: bool = False) -> list[Tried]:
        """Time files in turn, each in fresh processes, so that all see the same load.

        Args:
            files: The files; those that are refused are not timed.
            processes: Number of processes that each file has run in, in the end.
            again: Whether earlier latencies are left out.
        """
        timed = {file.name: file for file in files}
        if again:
            timed = {name: replace(file, latencies_ms=()) for name, file in timed.items()}
        for index in range(processes):
            for name in [*timed][:: 1 if index % 2 == 0 else -1]:
                file = timed[name]
                if not file.reasons and len(file.latencies_ms) <= index:
                    timed[name] = self._time(file)
                    self._keep(timed[name])
        return list(timed.values())

    def _timed(self, file: Tried) -> Tried:
        (timed,) = self.time([file], _PROCESSES)
        return timed

    def _make(self, file: Tried, row: Recipe) -> Tried:
        """Return a known file, or make and check it."""
        if file.name not in self._files:
            self._keep(self._make_new(file, row))
        return self._files[file.name]

    def _make_new(self, file: Tried, row: Recipe) -> Tried:
        try:
            made = make_file(self._job, row)
        except OSError:
            raise
        except Exception as error:
            return replace(file, reasons=(f"{_NOT_MADE}: {failure_reason(error).rstrip('.')}",))
        write_atomic(self._path_of(file), made.content)
        expected = (
            self._job.reference.argmax(axis=1) if self._job.labels is None else self._job.labels
        )
        drop = made.row["drop_points"]
        audit = made.row["audit"]
        return replace(
            file,
            reasons=tuple(made.row["reasons"]),
            size_bytes=made.row["size_bytes"],
            sha256=made.row["sha256"],
            drop_points=100 * (1 - made.row["agreement"]) if drop is None else drop,
            divergence=divergence(self._job.reference, made.outputs),
            correct=made.outputs.argmax(axis=1) == expected,
            delegated=(audit["delegated_nodes"], audit["nodes"], audit["partitions"]),
        )

    def _time(self, file: Tried) -> Tried:
        """Time a file in one process more."""
        try:
            latency = self._timer.time(self._path_of(file))
        except PlaceError:
            raise
        except (Error, ModelFileError) as error:
            return replace(file, reasons=(f"{_NOT_TIMED}: {failure_reason(error).rstrip('.')}",))
        return replace(file, latencies_ms=(*file.latencies_ms, latency))

    def _path_of(self, file: Tried) -> Path:
        """Return the path of a file, which is made again if it is not there."""
        path = self._folder / f"{file.name}.tflite"
        if file.size_bytes and not path.is_file():
            write_atomic(path, make_file(self._job, self.recipe_of(file)).content)
        return path

    def _keep(self, file: Tried) -> None:
        self._files[file.name] = file
        self._known["files"] = [to_json(each) for each in self._files.values()]
        self._write()

    def _write(self) -> None:
        write_atomic(self._path, json.dumps(self._known, indent=1) + "\n")

    def _read(self) -> dict[str, Any]:
        """Return what is known of the same network on the same machine, or the beginning of it."""
        new = {"made_of": self._made_of(), "timed_at": self._timed_at(), "files": []}
        try:
            known: dict[str, Any] = json.loads(self._path.read_bytes())
        except FileNotFoundError:
            return new
        except (OSError, ValueError):
            known = {}
        if known.get("made_of") != new["made_of"]:
            log(f"{self._path} is of another network or other versions, and is replaced")
            return new
        files = [row for row in known["files"] if not _failed(row)]  # those are tried again
        if known.get("timed_at") != new["timed_at"]:
            log(f"{self._path} is of another place or machine; its files are timed again")
            known = {key: value for key, value in known.items() if not key.startswith(_LAYER_MS)}
            files = [{**row, "latencies_ms": []} for row in files]
        else:
            log(f"{len(files)} files are known from {self._path}")
        return {**known, "timed_at": new["timed_at"], "files": files}

    def _made_of(self) -> dict[str, Any]:
        """Return what the content of the files and their accuracy depend on."""
        job = self._job
        found = versions()
        return {
            "float32": hashlib.sha256(job.float32.content).hexdigest(),
            "data": job.source.dataset.name,
            "split": job.split,
            "num_images": len(job.images),
            "versions": {name: found.get(name) for name in ("ai-edge-litert", "litert-quantizer")},
        }

    def _timed_at(self) -> dict[str, Any]:
        machine = host()._asdict()
        return {"place": self._timer.name, **{key: machine[key] for key in MACHINE}}


def _failed(row: Mapping[str, Any]) -> bool:
    """Return whether a file could not be made or timed, which may have been for once."""
    return any(reason.startswith((_NOT_MADE, _NOT_TIMED)) for reason in row["reasons"])
