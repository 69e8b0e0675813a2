from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import pytest

from cnn_keras.errors import UsageError
from export.benchmark.comparison.rounds import Repetitions
from export.benchmark.measurements import MeasurementOptions, measure_files
from export.benchmark.places.digest import DigestError
from export.benchmark.places.local import Local
from export.benchmark.places.place import Job, LoadedFile, Measured, Outputs, Place, PlaceError
from export.benchmark.runner import TimingOptions
from export.tflite.interpreter import ModelFileError
from tests.fixtures.command_line import read_json_lines

QUICK = MeasurementOptions(
    timing=TimingOptions(5, 0.0), warmup_secs=0.0, repetitions=Repetitions(2, 2)
)


def test_measurements_are_appended_and_failures_do_not_stop_the_others(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.tflite"
    found = measure_files([missing, file("float32")], QUICK._replace(threads=(1, 2)))
    assert [row["num_threads"] for row in found.documents] == [1, 2]
    documents = json.loads(json.dumps(found.documents))  # tuples become lists
    assert read_json_lines(tmp_path / "benchmarks.jsonl") == documents
    assert [failure["file"] for failure in found.failures] == [str(missing)]
    with pytest.raises(ModelFileError):
        measure_files([missing], QUICK)


def test_a_comparison_has_a_conclusion_and_both_rows(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    found = measure_files([file("float32")], QUICK._replace(vs=[file("int8")], out=out))
    assert [Path(row["file"]).stem for row in found.documents] == ["float32", "int8"]
    assert found.documents[0]["vs"]["conclusion"] == found.conclusions[0]
    assert [line["vs"] is None for line in read_json_lines(out)] == [False, True]


def test_nothing_to_measure() -> None:
    assert measure_files([], QUICK).documents == []


class Elsewhere(Place):
    """This machine under another name, which can fail."""

    def __init__(self, name: str, flip: int = 0, reachable: bool = True) -> None:
        self.name = name
        self.open = False
        self._flip = flip
        self._reachable = reachable

    def __enter__(self) -> Self:
        if not self._reachable:
            raise PlaceError(f"{self.name} cannot be reached.")
        self.open = True
        return self

    def __exit__(self, *_: object) -> None:
        self.open = False

    @contextmanager
    def load(self, job: Job) -> Iterator[LoadedFile]:
        assert self.open
        with Local().load(job) as loaded:
            yield Flipped(loaded, self._flip)


class Flipped(LoadedFile):
    """A file with another first output; it must not be timed."""

    def __init__(self, loaded: LoadedFile, flip: int) -> None:
        self._loaded = loaded
        self._flip = flip

    def outputs(self) -> Outputs:
        raw, delegated_nodes = self._loaded.outputs()
        raw[0, 0] += self._flip
        return Outputs(raw, delegated_nodes)

    def measure(self) -> Measured:
        assert not self._flip
        return self._loaded.measure()


def test_each_place_gives_a_row_and_a_failing_one_leaves_the_others(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    places = [
        Local(),
        Elsewhere("gone", reachable=False),
        Elsewhere("wrong", flip=9),
        Elsewhere("board"),
    ]
    found = measure_files([file("int8")], QUICK._replace(threads=(1, 2)), places)
    assert [(row["place"], row["num_threads"]) for row in found.documents] == [
        ("local", 1),
        ("local", 2),
        ("board", 1),
        ("board", 2),
    ]
    assert all(row["digest"]["equal"] for row in found.documents)
    assert json.loads(json.dumps(found.documents)) == read_json_lines(tmp_path / "benchmarks.jsonl")
    gone, *wrong = found.failures
    assert gone == {"place": "gone", "reason": "gone cannot be reached."}
    assert [failure["place"] for failure in wrong] == ["wrong", "wrong"]
    assert all("is not timed at wrong: " in failure["reason"] for failure in wrong)
    assert not any(place.open for place in places[1:] if isinstance(place, Elsewhere))


def test_places_are_not_connected_for_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    missing = [tmp_path / "a.tflite", tmp_path / "b.tflite"]
    found = measure_files(missing, QUICK, [Elsewhere("gone", reachable=False)])
    assert [failure.get("file") for failure in found.failures] == list(map(str, missing))


def test_the_failure_of_the_only_file_at_the_only_place_is_an_error(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    with pytest.raises(PlaceError, match="gone cannot be reached"):
        measure_files([file("int8")], QUICK, [Elsewhere("gone", reachable=False)])
    with pytest.raises(DigestError, match=r"int8\.tflite is not timed at wrong: it predicts"):
        measure_files([file("int8")], QUICK, [Elsewhere("wrong", flip=9)])
    assert not (tmp_path / "benchmarks.jsonl").exists()


@pytest.mark.parametrize(
    ("where", "options"),
    [
        (
            "--sustained works on this machine and over --ssh",
            QUICK._replace(sustained_secs=1),
        ),
        (
            "--profile works on this machine, over --ssh and with --adb --benchmark-model",
            QUICK._replace(profile=True),
        ),
    ],
)
def test_a_place_that_lacks_an_option_is_refused(
    where: str, options: MeasurementOptions, file: Callable[[str], Path]
) -> None:
    with pytest.raises(UsageError, match=f"^{where}, not board"):
        measure_files([file("int8")], options, [Elsewhere("board")])


def test_files_are_compared_on_this_machine_alone(file: Callable[[str], Path]) -> None:
    with pytest.raises(UsageError, match="--vs compares files on this machine alone"):
        measure_files([file("int8")], QUICK._replace(vs=[file("int8")]), [Elsewhere("board")])
