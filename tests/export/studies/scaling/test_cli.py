from __future__ import annotations

from pathlib import Path

import pytest

from export.cli import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--accelerators", "0"], "--accelerators must be at least 1, not 0"),
        (["--accelerators", "8", "8"], "--accelerators takes one or more different values"),
        (["--networks", "resnet51"], "Unknown network 'resnet51'"),
        (["--network-gbit-s", "0"], "--network-gbit-s must be above 0"),
        (["--images", "1"], "--images must be at least 32, not 1"),
    ],
)
def test_wrong_options_are_one_line(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["study", "scaling", "--out", str(tmp_path), *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
