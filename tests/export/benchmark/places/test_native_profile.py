from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from export.benchmark.places.native_profile import document
from export.benchmark.places.place import PlaceError
from export.benchmark.results_files import read_results
from export.cli import main
from tests.places import litert_profiler
from tests.places.android_phone.recorded import FAILED, PROFILE, TIMED

Program = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """A program in the place of `benchmark_model`, which prints a recorded output."""

    def written(text: str, code: int = 0) -> Path:
        path = tmp_path / "benchmark_model"
        output = tmp_path / "output.txt"
        output.write_text(text)
        path.write_text(
            f'#!/bin/sh\necho "$@" > {tmp_path}/flags\nstat -c %s input.bin > {tmp_path}/size\n'
            f"cat {output}\nexit {code}\n"
        )
        path.chmod(0o755)
        return path

    return written


def profile(file: Path, program: Path, out: Path) -> list[str]:
    quick = ("--min-secs", "0.05", "--warmup-secs", "0", "--num-runs", "5", "--profile-secs", "0.1")
    return [
        *("benchmark", str(file), "--profile", "--benchmark-model", str(program)),
        *("--out", str(out), *quick),
    ]


def test_the_profiles_are_shown_side_by_side(
    file: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """LiteRT's profiler, from the pip package, takes the place of the program."""
    program, out = tmp_path / "benchmark_model", tmp_path / "rows.jsonl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {litert_profiler.__file__} "$@"\n')
    program.chmod(0o755)
    assert main(profile(file("float32"), program, out)) == 0
    (found,) = read_results([out])[0]
    native = found.row["native_profile"]
    assert native["sum_ms"] == pytest.approx(sum(each["ms"] for each in native["operations"]))
    kinds = [each["op"].split(" (")[0] for each in native["operations"]]
    assert kinds[0] == "Convolution"
    assert kinds[-1] == "Softmax"
    assert len(kinds) >= len(found.row["profile"]["operations"])
    text = capsys.readouterr().out
    assert "Convolution (NHWC, F32) IGEMM" in text
    assert "CONV_2D" in text


def test_the_program_gets_the_settings_of_the_command(
    file: Callable[[str], Path], program: Program, tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    assert main(profile(file("int8"), program(TIMED + PROFILE), out)) == 0
    (found,) = read_results([out])[0]
    assert found.row["native_profile"]["sum_ms"] == pytest.approx(0.697)
    flags = (tmp_path / "flags").read_text()
    assert "--use_xnnpack=true --num_threads=1" in flags
    assert "--input_layer_shape=1,16,16,1" in flags
    assert flags.endswith("--enable_op_profiling=true\n")
    assert (tmp_path / "size").read_text() == "256\n"


@pytest.mark.parametrize(
    ("text", "code", "reason"),
    [
        (TIMED, 0, "prints no profile: build a newer version."),
        (FAILED, 1, "tensorflow/lite/kernels/batch_matmul.cc:353 lhs_data->type == rhs_data->type"),
        (
            "WARN: Unconsumed cmdline flags: --enable_op_profiling=true\n",
            0,
            "it does not know --enable_op_profiling=true; build a newer version.",
        ),
    ],
)
def test_failures_are_one_line(
    file: Callable[[str], Path],
    program: Program,
    tmp_path: Path,
    text: str,
    code: int,
    reason: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "rows.jsonl"
    assert main(profile(file("int8"), program(text, code), out)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("cnn-keras: ")
    assert reason in last
    assert not out.exists()


def test_a_program_that_cannot_be_started(
    file: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "benchmark_model"
    assert main(profile(file("int8"), missing, tmp_path / "rows.jsonl")) == 1
    assert f"Cannot start {missing}: No such file or directory." in capsys.readouterr().err


def test_an_output_without_a_profile_is_refused() -> None:
    with pytest.raises(PlaceError, match="the program prints no profile"):
        document("the program", TIMED)
