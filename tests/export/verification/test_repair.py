from __future__ import annotations

from collections.abc import Callable

import pytest

import export
from cnn_keras.errors import Error
from export.conversion.quantize import Ranges, calibrate
from export.recipes import Limits, Recipe, recipe
from export.verification.audit import audit
from export.verification.refusal import problems
from export.verification.repair import repair
from export.verification.verify import Verdict, verify
from tests.fixtures.trained_network import Trained

STATIC = recipe("static_wi8_ai8")


@pytest.fixture(scope="module")
def ranges(trained: Trained) -> Ranges:
    return calibrate(trained.float32, trained.calibration)


@pytest.fixture
def check(trained: Trained) -> Callable[[bytes, Recipe], Verdict]:
    def verify_by(content: bytes, row: Recipe) -> Verdict:
        return verify(content, trained.reference, trained.images, trained.labels, row)

    return verify_by


def test_two_layers_in_floating_point_repair_it(
    trained: Trained, ruined_float32: bytes, check: Callable[[bytes, Recipe], Verdict]
) -> None:
    ranges = calibrate(ruined_float32, trained.calibration)
    broken = export.quantize(ruined_float32, STATIC, ranges)
    assert not check(broken, STATIC).accepted
    found = repair(ruined_float32, STATIC, ranges, check, trained.images[:8])
    assert found.verdict.accepted
    assert 1 <= len(found.layers) <= 2
    assert problems(audit(found.content), found.recipe) == []
    assert problems(audit(found.content), STATIC) != []  # which does not allow the islands
    assert len(broken) < len(found.content) < len(ruined_float32)


def test_a_file_that_passes_is_not_changed(
    trained: Trained, ranges: Ranges, check: Callable[[bytes, Recipe], Verdict]
) -> None:
    file = export.quantize(trained.float32, STATIC, trained.calibration)
    found = repair(trained.float32, STATIC, ranges, check, trained.images[:8])
    assert (found.content, found.layers, found.files) == (file, (), 1)


def test_an_impossible_repair_is_reported(
    trained: Trained, ranges: Ranges, check: Callable[[bytes, Recipe], Verdict]
) -> None:
    impossible = STATIC._replace(limits=Limits(0.5, 0.95, max_abs_error=-1.0))
    with pytest.raises(Error, match="No set of layers in floating point repairs the file: differs"):
        repair(trained.float32, impossible, ranges, check, trained.images[:2])
