from __future__ import annotations

import io

import pytest
from rich.console import Console

from cnn_keras.tables import significant, table


def printed(*arguments: object, **options: object) -> list[str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(table(*arguments, **options))  # type: ignore[arg-type]
    return [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]


def test_numbers_are_right_aligned_with_separators() -> None:
    lines = printed(("name", "parameters"), [("lenet5", 61_706), ("vgg16", 138_357_544)])
    assert "61,706" in lines[-3]
    assert lines[-3].index("61,706") + 6 == lines[-2].index("138,357,544") + 11


def test_brackets_are_not_markup_and_control_characters_are_not_printed() -> None:
    text = "\n".join(printed(("file",), [("a/[bold]net\x1b[2J",)], title="[red]", remarks=["[b]"]))
    assert "a/[bold]net\N{REPLACEMENT CHARACTER}[2J" in text
    assert "[red]" in text
    assert "[b]" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"),
        (0.02871, "0.0287"),
        (1.3, "1.30"),
        (9.999, "10.0"),
        (2801.7, "2,802"),
        (99.96, "100"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text
