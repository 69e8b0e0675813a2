from __future__ import annotations

import io
import json
import os

import pytest
from rich.console import Console

from cnn_keras.experiments.record import claims_table
from cnn_keras.machine import RUNTIME_PACKAGES, Host, cpu_name, host, instructions, versions
from export.benchmark.integer_speed import integer_note
from export.benchmark.results import table
from export.benchmark.runner import Row

SERVER = """\
processor : 0
model name : Intel(R) Xeon(R) Platinum 8481C
flags : fpu sse4_2 fma avx2 avx512f avx512_vnni amx_int8 avx_vnni
"""
RASPBERRY = """\
processor : 0
Features : fp asimd evtstrm crc32 cpuid asimdrdm asimddp
CPU implementer : 0x41
Model : Raspberry Pi 5 Model B Rev 1.0
"""
OLD_ARM = "Features : half thumb fastmult vfp edsp neon vfpv3\nHardware : BCM2835\n"


def test_instructions_in_the_spellings_of_x86_and_arm() -> None:
    server = ("FMA", "AVX2", "AVX-512F", "AVX-512 VNNI", "AVX-VNNI", "AMX int8")
    assert instructions(SERVER) == server
    assert instructions(RASPBERRY) == ("NEON", "dotprod")
    assert instructions(OLD_ARM) == ("NEON",)
    assert instructions("") == ()


def test_cpu_name() -> None:
    assert cpu_name(SERVER) == "Intel(R) Xeon(R) Platinum 8481C"
    assert cpu_name(RASPBERRY) == "Raspberry Pi 5 Model B Rev 1.0"
    assert cpu_name(OLD_ARM) == "BCM2835"
    assert cpu_name("") is None


def test_this_host() -> None:
    found = host()
    assert found.architecture == os.uname().machine
    assert found.kernel == os.uname().release
    assert found.cores >= 1
    assert found.memory_mb > 256
    assert found.cpu
    assert found.os
    json.dumps(found)


def test_versions() -> None:
    assert set(versions(RUNTIME_PACKAGES)) == {"python", "ai-edge-litert", "numpy"}


def machine(*names: str) -> Host:
    return Host("cpu", "x86_64", 2, names, None, 0.0, 8192, "Debian", "6.1")


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
    assert integer_note(machine("AVX2"), [FLOAT, row("a/net_int8.tflite", 1.05)]) is None
    assert integer_note(machine("AVX2"), [FLOAT]) is None


def test_noise_in_the_median_or_in_the_minimum_alone_needs_no_note() -> None:
    slow = row("a/net_int8.tflite", 2.0)
    assert integer_note(machine("AVX2"), [FLOAT, slow]) is not None
    lucky = slow._replace(latency_min_ms=FLOAT.latency_min_ms)
    assert integer_note(machine("AVX2"), [FLOAT, lucky]) is None


@pytest.mark.parametrize(
    ("instruction", "slow", "reason"),
    [
        ("AVX2", row("a/n.tflite", 2.0), "this CPU has no 8-bit dot product"),
        ("AVX-VNNI", row("a/n.tflite", 2.0, delegated_nodes=3), "2 of 5 operations run outside"),
        ("dotprod", row("a/n.tflite", 2.0), "not for want of instructions (it has dotprod)"),
        ("AVX2", row("a/n.tflite", 2.0, "int8", "float32"), "computes on float32 activations"),
        (
            "AVX-512 VNNI",
            row("a/n.tflite", 2.0, "int8", "int16", delegated_nodes=0),
            "5 of 5 operations run on LiteRT's own",
        ),
    ],
)
def test_note_gives_the_reason(instruction: str, slow: Row, reason: str) -> None:
    note = integer_note(machine(instruction), [FLOAT, slow])
    assert note is not None
    assert note.startswith("n.tflite takes 2.00 times (1 thread) as long as float32 here: ")
    assert reason in note


def test_note_is_one_line_a_file() -> None:
    rows = [FLOAT, FLOAT._replace(num_threads=2)]
    rows += [row("a/n.tflite", 2.0), row("a/n.tflite", 3.0, num_threads=2)]
    note = integer_note(machine("AVX2"), rows)
    assert note is not None
    assert note.startswith("n.tflite takes 2.00 times (1 thread) and 3.00 times (2 threads) as")
    assert len(note.splitlines()) == 1


def test_no_note_where_the_float_file_is_in_doubt() -> None:
    two = [FLOAT._replace(file="b/x.tflite"), FLOAT._replace(file="c/x.tflite")]
    assert integer_note(machine("AVX2"), [*two, row("a/n.tflite", 9.0)]) is None
    assert integer_note(machine("AVX2"), [*two, FLOAT, row("a/n.tflite", 9.0)]) is not None
    assert integer_note(machine("AVX2"), [FLOAT, row("a/n.tflite", 9.0, num_threads=2)]) is None


def test_no_note_between_networks() -> None:
    slow = row("a/n.tflite", 9.0)
    assert integer_note(machine("AVX2"), [FLOAT, slow], lambda file, other: True) is not None
    assert integer_note(machine("AVX2"), [FLOAT, slow], lambda file, other: False) is None
    other = FLOAT._replace(file="a/other.tflite")  # beside it, but of another network
    note = integer_note(
        machine("AVX2"), [other, FLOAT, slow], lambda file, other: "other" not in other
    )
    assert note is not None


def test_brackets_of_names_are_no_markup() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table([row("a/[bold]net.tflite", 1.0)._replace(inputs="noise")]))
    claims = [{"claim": "[bold]net errs", "holds": True, "value": 1.0, "interval": None}]
    console.print(claims_table({"claims": claims}))
    assert console.export_text().count("[bold]net") == 2
