from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.cards.card_file import CARD, read_card_file
from tests.fixtures.command_line import run_main


def test_a_card_is_written_again(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (folder / CARD).read_text()
    assert run_main(capsys, "card", folder, "--license", "mit")[0] == 0
    after = (folder / CARD).read_text()
    assert 'license: "mit"' in after
    assert run_main(capsys, "card", folder)[0] == 0
    assert (folder / CARD).read_text() == before


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace("teaching", "learning"),
        lambda text: text + "More.\n",
        lambda text: text.rpartition("<!--")[0],
        lambda text: "# My own card\n",
    ],
)
def test_an_edited_card_is_not_overwritten(
    folder: Path, capsys: pytest.CaptureFixture[str], edit: object
) -> None:
    path = folder / CARD
    assert callable(edit)
    written = path.read_text()
    path.write_text(edited := edit(written))
    code, out, err = run_main(capsys, "card", folder)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert "--overwrite" in err
    assert path.read_text() == edited
    assert run_main(capsys, "card", folder, "--overwrite")[0] == 0
    assert path.read_text() == written


def test_line_ends_of_windows_are_no_edit(folder: Path) -> None:
    path = folder / CARD
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    card = read_card_file(Run(folder))
    assert card is not None
    assert not card.is_edited


def test_a_run_without_a_card(folder: Path) -> None:
    (folder / CARD).unlink()
    assert read_card_file(Run(folder)) is None


def test_the_path_of_the_run_does_not_matter(folder: Path) -> None:
    moved = Path(shutil.move(folder, folder.with_name("moved")))
    card = read_card_file(Run(moved))
    assert card == read_card_file(Run(moved / "." / ".." / "moved"))
    assert card is not None
    assert card.files is not None
