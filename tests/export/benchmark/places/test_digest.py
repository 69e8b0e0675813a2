from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.benchmark.places import digest
from export.benchmark.places.digest import DigestError, Reference, Rule, compare
from export.benchmark.places.local import outputs_of
from export.benchmark.places.place import Outputs
from export.benchmark.runner import LoadOptions
from export.benchmark.runner_process import RunnerProcess

File = Callable[[str], Path]


def reference(path: Path) -> Reference:
    with RunnerProcess(LoadOptions(str(path), warmup_secs=0.0)) as process:
        return digest.reference(path, outputs_of(process), process.loaded.output)


def changed(expected: Reference, change: NDArray[Any] | float) -> Outputs:
    """Return the outputs with something added to the largest one of the first image."""
    raw = expected.outputs.copy()
    raw[0, raw[0].argmax()] += np.asarray(change).astype(raw.dtype)
    return Outputs(raw, expected.delegated_nodes)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("float32", Rule.FLOAT),
        ("float16", Rule.FLOAT),
        ("dynamic", Rule.DYNAMIC),
        ("int8", Rule.STATIC),
        ("int16", Rule.STATIC),
    ],
)
def test_the_rule_follows_from_how_a_file_computes(name: str, rule: Rule, file: File) -> None:
    expected = reference(file(name))
    assert expected.rule is rule
    found = compare(expected, Outputs(expected.outputs, expected.delegated_nodes))
    assert (found.images, found.equal, found.max_difference, found.agreement) == (32, True, 0, 1)
    assert found.distinct_outputs == 32


def test_integers_may_differ_by_one_step(file: File) -> None:
    expected = reference(file("int8"))
    assert expected.step == pytest.approx(1 / 256)
    one = compare(expected, changed(expected, 1))
    assert not one.equal
    assert one.max_difference == pytest.approx(1.0)
    with pytest.raises(DigestError, match="differs by 2 quantization steps, more than one"):
        compare(expected, changed(expected, 2))


def test_the_step_of_a_float_output_is_that_of_its_integers(file: File) -> None:
    """The file of 16-bit integers has a float output, which is dequantized in the file."""
    expected = reference(file("int16"))
    assert expected.outputs.dtype == "float32"
    assert expected.step == pytest.approx(1 / 32768)
    assert compare(expected, changed(expected, expected.step)).max_difference == pytest.approx(1)
    with pytest.raises(DigestError, match="quantization steps"):
        compare(expected, changed(expected, 2 * expected.step))


def test_floats_may_differ_by_a_fraction_of_the_largest_output(file: File) -> None:
    expected = reference(file("float32"))
    largest = expected.outputs.max()
    assert compare(expected, changed(expected, 1e-5 * largest)).max_difference < 2e-5
    with pytest.raises(DigestError, match=r"differs by 3.0e-05 of the largest one"):
        compare(expected, changed(expected, 3e-5 * largest))


def test_a_dynamic_file_is_judged_by_its_predictions(file: File) -> None:
    expected = reference(file("dynamic"))
    raw = expected.outputs.copy()
    raw[0, (raw[0].argmax() + 1) % 10] = 1.0
    assert compare(expected, Outputs(raw, expected.delegated_nodes)).agreement == 31 / 32
    raw[1, (raw[1].argmax() + 1) % 10] = 1.0
    with pytest.raises(DigestError, match="another class for 2 of 32 images"):
        compare(expected, Outputs(raw, expected.delegated_nodes))


def test_a_tie_that_is_broken_otherwise_is_another_prediction(file: File) -> None:
    expected = reference(file("int8"))
    outputs = expected.outputs.copy()
    outputs[0, :2] = outputs[0].max() + 1, outputs[0].max()
    tied = expected._replace(outputs=outputs)
    raw = outputs.copy()
    raw[0, :2] = raw[0, 1::-1]
    with pytest.raises(DigestError, match="another class for 1 of 32 images"):
        compare(tied, Outputs(raw, expected.delegated_nodes))


def test_kernels_without_xnnpack_are_refused(file: File) -> None:
    expected = reference(file("float32"))
    with pytest.raises(DigestError, match="XNNPACK runs no operation there, and 5 here"):
        compare(expected, Outputs(expected.outputs, 0))
    compare(expected, Outputs(expected.outputs, None))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_outputs_that_are_not_finite_are_refused(value: float, file: File) -> None:
    expected = reference(file("float32"))
    with pytest.raises(DigestError, match="NaN or infinity"):
        compare(expected, changed(expected, value))


def test_outputs_of_another_shape_or_type_are_refused(file: File) -> None:
    expected = reference(file("float32"))
    with pytest.raises(DigestError, match=r"float32 outputs \(31, 10\), and float32 \(32, 10\)"):
        compare(expected, Outputs(expected.outputs[:-1], 5))
    with pytest.raises(DigestError, match="float64 outputs"):
        compare(expected, Outputs(expected.outputs.astype(np.float64), 5))
