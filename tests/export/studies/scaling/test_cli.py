from __future__ import annotations

import re
from pathlib import Path

import pytest

from export.cli import main

ROW = {
    "network": "vgg16",
    "precision": "float32",
    "images_per_s": 14921.2,
    "efficiency": 0.997,
    "hours": 2.263,
    "cores_per_accelerator": 0.342,
    "read_gb_s": 1.607,
    "network_gb": 0.969,
    "limit": "none",
}


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


def test_the_simulated_trainings_are_a_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measurements are tested with the study."""
    rows = [{**ROW, "accelerators": count} for count in (1, 64)]
    document = {"claims": [], "rows": rows}
    monkeypatch.setattr("export.studies.scaling.study.scaling", lambda *_, **__: document)
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["study", "scaling", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"vgg16 +float32 +64 +14,921 +99\.7% +2\.3 +0\.3 +1\.61 +969 +none", printed)
