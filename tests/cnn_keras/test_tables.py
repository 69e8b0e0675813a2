from __future__ import annotations

import io

from rich.console import Console

from cnn_keras.tables import table


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
