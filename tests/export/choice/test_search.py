from __future__ import annotations

import pytest

from export.choice.rule import Limits, best, best_in
from export.choice.search import Search
from export.recipes import recipe
from tests.export.choice.invented_files import InventedFiles

RECIPES = [recipe("float32"), recipe("static_wi8_ai8")]


def search(files: InventedFiles, limits: Limits, max_files: int = 36) -> Search:
    found = Search(files, files.layers, limits, max_files)
    found.run(RECIPES, files.costs)
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "limits",
    [
        Limits(max_drop=0.5),
        Limits(max_kb=60),
        Limits(max_kb=60, max_drop=1.0),
        Limits(max_ms=5.0),
        Limits(max_ms=4.0, max_drop=1.0),
        Limits(max_ms=5.0, max_kb=70, max_drop=0.5),
    ],
    ids=str,
)
def test_the_best_of_all_mixes_is_found(seed: int, limits: Limits) -> None:
    files = InventedFiles(seed)
    found = search(files, limits)
    chosen, everything = best(found.files, limits), files.all_files()
    expected = best(everything, limits)
    assert len(found.files) <= 36 < len(everything)
    assert (chosen is None) == (expected is None)
    if chosen and expected:
        equal = best_in(limits.within([chosen, *everything]), limits.order)
        assert chosen.name in {file.name for file in equal}


def test_no_file_is_tried_twice() -> None:
    files = InventedFiles(0)
    search(files, Limits(max_kb=60, max_drop=1.0))
    assert len(files.asked) == len(set(files.asked))


def test_limits_that_cannot_be_kept_end_after_some_files() -> None:
    files, limits = InventedFiles(0), Limits(max_kb=10)
    found = search(files, limits)
    assert best(found.files, limits) is None
    assert 4 < len(found.files) < 12
    smallest = min(file.value("size") for file in files.all_files())
    assert min(file.value("size") for file in found.files) == smallest
    assert len(search(files, limits, max_files=4).files) == 4
