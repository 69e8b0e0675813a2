from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from cnn_keras.errors import UsageError
from cnn_keras.report.figure_file import require_suffix, write_figure


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.PNG", b"\x89PNG")])
def test_the_suffix_is_the_format(name: str, start: bytes, tmp_path: Path) -> None:
    write_figure(Figure(), tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_another_suffix_is_refused() -> None:
    require_suffix(None)
    require_suffix(Path("a.svg"))
    with pytest.raises(UsageError, match=r"A figure is a file .svg or .png, not a.gif"):
        require_suffix(Path("a.gif"))
