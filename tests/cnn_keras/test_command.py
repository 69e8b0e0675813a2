from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from cnn_keras.command import one_line, quiet, write_atomic, write_together
from cnn_keras.errors import Error


def test_a_file_is_complete_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.txt"
    write_atomic(path, "first")
    write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomic(tmp_path / "taken", "a folder stands there")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "taken"]


def test_files_that_belong_together_are_all_new_or_all_old(tmp_path: Path) -> None:
    figure, record = tmp_path / "record.svg", tmp_path / "record.json"
    write_together({figure: "first", record: "first"})
    with pytest.raises(OSError, match="no_folder"):
        write_together({figure: "second", record / "no_folder": "second"})
    assert [figure.read_text(), record.read_text()] == ["first", "first"]
    assert sorted(tmp_path.iterdir()) == [record, figure]


def test_text_that_is_not_utf_8_is_escaped(tmp_path: Path) -> None:
    write_atomic(tmp_path / "file.txt", "größe \udcff")  # as in the name of a file
    assert (tmp_path / "file.txt").read_bytes() == "größe \\udcff".encode()


def test_quiet_discards_the_output_of_native_code(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet(1, 2):
        os.write(1, b"from C++")
        os.write(2, b"from C++")
    os.write(1, b"after")
    out, err = capfd.readouterr()
    assert (out, err) == ("after", "")


def test_the_line_names_a_file_with_the_full_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert one_line(Error("Not read:\nbroken.")) == "Not read: broken."
    assert one_line(Error("Not read: broken.", details="broken.\n")) == "Not read: broken."
    assert list(tmp_path.iterdir()) == []
    line = one_line(Error("Not read: broken.", details="broken.\nA page in größe."))
    (log,) = tmp_path.iterdir()
    assert line == f"Not read: broken. The full message is in {log}."
    assert log.read_text(encoding="utf-8") == "broken.\nA page in größe."
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert one_line(Error("Not read.", details="A page.")) == "Not read."


FILE = "{file}"
# A backend of Keras that is not installed here.
MISSING = next((name for name in ("openvino", "torch", "jax") if find_spec(name) is None), "theano")
INSTALLED = "name one that is installed: tensorflow, jax or torch."
CORRECT = "correct the file, or delete it."


@pytest.mark.parametrize(
    ("content", "backend", "setting", "cause", "hint"),
    [
        ('{"backend": "theano"}', "", f"the backend of {FILE} ", "theano", INSTALLED),
        ('{"backend": "mxnet"}', "", f"the backend of {FILE} ", "mxnet", INSTALLED),
        ('{"backend": "missing"}', "cntk", "KERAS_BACKEND=cntk ", "cntk", INSTALLED),
        ("{}", "theano", "KERAS_BACKEND=theano ", "theano", INSTALLED),
        (None, MISSING, f"KERAS_BACKEND={MISSING} ", MISSING, INSTALLED),
        (f'{{"backend": "{MISSING}"}}', "", f"the backend of {FILE} ", MISSING, INSTALLED),
        ('{"floatx": "bfloat16"}', "", f"{FILE} ", "`floatx`", CORRECT),
        ('{"floatx": "float8"}', "tensorflow", f"{FILE} ", "`floatx`", CORRECT),
        ('{"image_data_format": "th"}', "", f"{FILE} ", "`image_data_format`", CORRECT),
        ('{"epsilon": 1}', "", f"{FILE} ", "`epsilon`", CORRECT),
        ('["tensorflow"]', "", f"{FILE} ", "'list'", CORRECT),
    ],
)
def test_a_configuration_that_keras_refuses_is_named_in_one_line(
    content: str | None, backend: str, setting: str, cause: str, hint: str, tmp_path: Path
) -> None:
    file = tmp_path / "keras.json"
    if content is not None:
        file.write_text(content)
    done = subprocess.run(
        [sys.executable, "-m", "cnn_keras", "summary", "lenet5"],
        env={**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert f"Keras cannot start with {setting.replace(FILE, str(file))}(" in done.stderr
    assert cause in done.stderr
    assert done.stderr.endswith(f"): {hint}\n")
