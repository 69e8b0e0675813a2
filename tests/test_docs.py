"""The documentation: its commands parse, its options and links exist, the README is short."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

import pytest

from cnn_keras.cli import Group, parse
from cnn_keras.data.sources import SOURCES
from cnn_keras.zoo import ZOO
from export.cli import COMMANDS
from export.recipes import RECIPES

ROOT = Path(__file__).parents[1]
WITH_COMMANDS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = [*WITH_COMMANDS, ROOT / "CONTRIBUTING.md", ROOT / "android_demo" / "README.md"]
README_LINES = 199

# A fenced block may be indented in a list, and inline code may contain a line break.
_BLOCK = re.compile(r"^( *)```sh\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.MULTILINE)
_VARIABLES = re.compile(r"(?:[A-Z_]+=\S+ +)*")


class Line(NamedTuple):
    """A command line of a page, without the program name."""

    page: str
    arguments: tuple[str, ...]


def lines_of(page: Path) -> Iterator[Line]:
    """Yield each command line of a page, except a lone `cnn-keras NAME` inside a sentence."""
    block_lines = [
        line
        for _, block in _BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.replace("\\\n", " ").splitlines()
    ]
    inline = [code for code in inline_code(page) if len(code.split()) > 2]
    for line in block_lines + inline:
        words = shlex.split(_VARIABLES.sub("", line.strip(), count=1), comments=True)
        if words[:1] == ["cnn-keras"]:
            yield Line(str(page.relative_to(ROOT)), tuple(words[1:]))


def inline_code(page: Path) -> list[str]:
    """Return the inline code of a page's sentences and tables."""
    sentences = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code in _INLINE.findall(sentences)]


LINES = list(dict.fromkeys(line for page in PAGES for line in lines_of(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = "".join(c for c in text if c.isalnum() or c in " -_").replace(" ", "-")
        numbers = (f"{slug}-{number}" for number in range(1, 100))
        found.add(slug if slug not in found else next(n for n in numbers if n not in found))
    return found


@pytest.mark.parametrize("line", LINES, ids=lambda line: f"{line.page}: {' '.join(line.arguments)}")
def test_command_lines_parse(line: Line) -> None:
    parse(COMMANDS, line.arguments, "cnn-keras")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_resolve(page: Path) -> None:
    for link in _LINK.findall(_FENCED.sub("", page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page}: {link} does not exist"
        assert not anchor or anchor in anchors(target), f"{page}: {link} has no such heading"


def commands() -> dict[tuple[str, ...], type]:
    """Return every command by its words, for example ``("study", "depth")``."""
    found: dict[tuple[str, ...], type] = {}
    for name, command in COMMANDS.items():
        if isinstance(command, Group):
            found |= {(name, member): kind for member, kind in command.commands.items()}
        else:
            found[name,] = command
    return found


def test_every_command_is_documented() -> None:
    shown = {line.arguments[:size] for line in LINES for size in (1, 2)}
    missing = [" ".join(words) for words in commands() if words not in shown]
    assert not missing


@pytest.mark.parametrize(
    "page", [*PAGES, ROOT / "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_options_exist(page: Path) -> None:
    known = {
        f"--{field.name.rstrip('_').replace('_', '-')}"
        for kind in commands().values()
        for field in fields(kind)
    }
    named = {
        word
        for code in inline_code(page)
        if not code.startswith("pip ")
        for word in re.findall(r"(?<!\S)--[a-z][a-z0-9-]*", code)
    }
    assert named <= known | {"--help"}


@pytest.mark.parametrize(
    ("page", "names"),
    [("README.md", RECIPES), ("docs/recipes.md", RECIPES), ("docs/networks.md", ZOO)],
)
def test_every_name_is_documented(page: str, names: dict[str, object]) -> None:
    assert set(names) <= set(inline_code(ROOT / page))


@pytest.mark.parametrize("name", SOURCES)
def test_the_license_of_a_data_set_is_documented(name: str) -> None:
    rows = (ROOT / "docs" / "data.md").read_text(encoding="utf-8").splitlines()
    (row,) = (line for line in rows if line.startswith("|") and f"`{name}`" in line.split("|")[1])
    assert row.split("|")[3].strip() == (SOURCES[name].license or "none stated")


def test_every_page_is_in_the_index() -> None:
    linked = {
        (ROOT / "docs" / link.partition("#")[0]).resolve()
        for link in _LINK.findall((ROOT / "docs" / "README.md").read_text(encoding="utf-8"))
    }
    for page in WITH_COMMANDS:
        assert page in linked or page.name == "README.md", f"docs/README.md does not list {page}"


def test_the_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= README_LINES
