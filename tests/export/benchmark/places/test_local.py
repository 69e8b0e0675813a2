from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from export.benchmark.places.adb import AdbOptions
from export.benchmark.places.local import Local, LocalOptions
from export.benchmark.places.place import Place, PlaceOptions


class Elsewhere(Local):
    name = "elsewhere"


@dataclass(frozen=True, kw_only=True)
class ElsewhereOptions(PlaceOptions):
    elsewhere: bool = False

    def places(self) -> list[Place]:
        return [*super().places(), *([Elsewhere()] if self.elsewhere else [])]


@dataclass(frozen=True, kw_only=True)
class Options(LocalOptions, AdbOptions, ElsewhereOptions):
    pass


def test_this_machine_is_the_place_unless_another_is_named() -> None:
    def names(options: Options) -> list[str]:
        return [place.name for place in options.places()]

    assert names(Options()) == ["local"]
    assert names(Options(elsewhere=True)) == ["elsewhere"]
    assert names(Options(elsewhere=True, local=True)) == ["local", "elsewhere"]


def test_a_program_for_android_does_not_profile_here() -> None:
    def profiled(**options: object) -> list[str]:
        places = Options(benchmark_model=Path("bm"), **options).places()  # type: ignore[arg-type]
        return [place.name for place in places if place.has_native_profile]

    assert profiled() == ["local"]
    assert profiled(elsewhere=True, local=True) == ["local"]
    assert profiled(adb=(), local=True) == ["adb"]
