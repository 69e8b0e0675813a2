from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.trained import table
from cnn_keras.trained.table import TRAINED, find, is_name

DIGITS = TRAINED["lenet5:digits"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lenet5:digit", "'lenet5:digit'. Did you mean 'lenet5:digits'? lenet5 is trained on dig"),
        ("lenet:digits", "'lenet:digits'. Did you mean 'lenet5:digits'? See `list --weights`."),
        ("lenet5:cifar100", "lenet5 is trained on digits"),
    ],
)
def test_unknown_names_show_what_exists(name: str, message: str) -> None:
    with pytest.raises(UsageError, match="Unknown trained network") as error:
        find(name)
    assert message in str(error.value)


def test_an_existing_path_is_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_name(Path("lenet5:digits"))
    assert not is_name(Path("runs/lenet5:digits"))
    Path("lenet5:digits").mkdir()
    assert not is_name("lenet5:digits")


def test_weights_that_do_not_fit_their_hash_are_refused() -> None:
    with pytest.raises(Error, match=r"The weights of lenet5:digits are damaged: \S+ has the SHA"):
        replace(DIGITS, sha256="0" * 64).weights()


def test_a_missing_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(DIGITS.folder, tmp_path / "lenet5_digits")
    monkeypatch.setattr(table, "FOLDER", tmp_path)
    before = DIGITS.fingerprint()
    (tmp_path / "lenet5_digits/labels.txt").write_text("changed\n", encoding="utf-8")
    assert DIGITS.fingerprint() != before
    (tmp_path / "lenet5_digits/labels.txt").unlink()
    with pytest.raises(Error, match=r"lenet5:digits lacks .*labels\.txt\. Install"):
        DIGITS.fingerprint()
