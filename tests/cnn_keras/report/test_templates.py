from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from cnn_keras.report.templates import escape_markdown, html_environment, markdown_environment


def test_values_are_escaped_for_the_format(tmp_path: Path) -> None:
    (tmp_path / "page.j2").write_text("{{ value }}")
    value = "<b>|`a`\n[1]"
    html = html_environment(tmp_path).get_template("page.j2").render(value=value)
    assert html == "&lt;b&gt;|`a`\n[1]"
    markdown = markdown_environment(tmp_path).get_template("page.j2").render(value=value)
    assert markdown == r"&lt;b&gt;\|\`a\` \[1\]"
    assert markdown == escape_markdown(value)


def test_templates_share_the_style_sheet_and_refuse_unknown_names(tmp_path: Path) -> None:
    (tmp_path / "page.j2").write_text('{% include "style.css" %}{{ unknown }}')
    with pytest.raises(UndefinedError, match="unknown"):
        html_environment(tmp_path).get_template("page.j2").render()
    (tmp_path / "page.j2").write_text('{% include "style.css" %}')
    assert (
        "prefers-color-scheme: dark" in html_environment(tmp_path).get_template("page.j2").render()
    )
