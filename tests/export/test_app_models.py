from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main


def test_files_are_added_to_the_app(
    lenet_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("export.app_models.APP", tmp_path)
    command = ("export", lenet_run.path, "--out", tmp_path / "out", "--android")
    code, _, err = run_main(capsys, *command)
    assert code == 2
    assert "No Android app in" in err
    assert not (tmp_path / "out").exists()
    (tmp_path / "app/src/main").mkdir(parents=True)
    assert run_main(capsys, *command)[0] == 0
    copies = sorted((tmp_path / "app/src/main/assets/models").iterdir())
    name = lenet_run.path.name
    assert [path.name for path in copies] == [
        f"{name}_float32.tflite",
        f"{name}_static_wi8_ai8.tflite",
    ]
    for path in copies:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()
