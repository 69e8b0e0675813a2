from __future__ import annotations

import pytest

from export.benchmark.integer_speed import integer_note
from export.benchmark.runner import Row


def row(file: str, p50: float, dtype: str = "int8", activations: str = "int8", **other: int) -> Row:
    values = dict.fromkeys(Row._fields, 0)
    values |= {"num_threads": 1, "nodes": 5, "delegated_nodes": 5, "partitions": 1} | other
    return Row(**values)._replace(  # type: ignore[arg-type]
        file=file,
        dtype=dtype,
        activation_dtype=activations,
        latency_p50_ms=p50,
        latency_min_ms=0.9 * p50,
    )


FLOAT = row("a/net_float32.tflite", 1.0, "float32", "float32")


def test_no_note_when_integers_are_as_fast() -> None:
    assert integer_note(["AVX2"], [FLOAT, row("a/net_int8.tflite", 1.05)]) is None
    assert integer_note(["AVX2"], [FLOAT]) is None


def test_noise_in_the_median_or_in_the_minimum_alone_needs_no_note() -> None:
    slow = row("a/net_int8.tflite", 2.0)
    assert integer_note(["AVX2"], [FLOAT, slow]) is not None
    lucky = slow._replace(latency_min_ms=FLOAT.latency_min_ms)
    assert integer_note(["AVX2"], [FLOAT, lucky]) is None


@pytest.mark.parametrize(
    ("instruction", "slow", "reason"),
    [
        ("AVX2", row("a/n.tflite", 2.0), "this CPU has no 8-bit dot product"),
        ("AVX-VNNI", row("a/n.tflite", 2.0, delegated_nodes=3), "2 of 5 operations run outside"),
        ("dotprod", row("a/n.tflite", 2.0), "this CPU has an 8-bit dot product (dotprod)"),
        ("AVX2", row("a/n.tflite", 2.0, "int8", "float32"), "computes on float32 activations"),
        (
            "AVX-512 VNNI",
            row("a/n.tflite", 2.0, "int8", "int16", delegated_nodes=0),
            "5 of 5 operations run on LiteRT's own",
        ),
    ],
)
def test_note_gives_the_reason(instruction: str, slow: Row, reason: str) -> None:
    note = integer_note([instruction], [FLOAT, slow])
    assert note is not None
    assert note.startswith("n.tflite takes 2.00 times (1 thread) as long as float32 here: ")
    assert reason in note


def test_note_is_one_line_a_file() -> None:
    rows = [FLOAT, FLOAT._replace(num_threads=2)]
    rows += [row("a/n.tflite", 2.0), row("a/n.tflite", 3.0, num_threads=2)]
    note = integer_note(["AVX2"], rows)
    assert note is not None
    assert note.startswith("n.tflite takes 2.00 times (1 thread) and 3.00 times (2 threads) as")
    assert len(note.splitlines()) == 1


def test_no_note_where_the_float_file_is_ambiguous() -> None:
    two = [FLOAT._replace(file="b/x.tflite"), FLOAT._replace(file="c/x.tflite")]
    assert integer_note(["AVX2"], [*two, row("a/n.tflite", 9.0)]) is None
    assert integer_note(["AVX2"], [*two, FLOAT, row("a/n.tflite", 9.0)]) is not None
    assert integer_note(["AVX2"], [FLOAT, row("a/n.tflite", 9.0, num_threads=2)]) is None


def test_no_note_between_networks() -> None:
    slow = row("a/n.tflite", 9.0)
    assert integer_note(["AVX2"], [FLOAT, slow], lambda file, other: True) is not None
    assert integer_note(["AVX2"], [FLOAT, slow], lambda file, other: False) is None
    other = FLOAT._replace(file="a/other.tflite")  # beside it, but of another network
    note = integer_note(["AVX2"], [other, FLOAT, slow], lambda file, other: "other" not in other)
    assert note is not None
