from export.report.page import Html, page, tag


def test_text_is_escaped_and_markup_is_not() -> None:
    assert tag("p", "a < b & c", tag("b", "!")) == "<p>a &lt; b &amp; c<b>!</b></p>"


def test_attributes() -> None:
    made = tag("td", class_="a", data_label='"><x', colspan=2, style=None, r=1.23456)
    assert made == '<td class="a" data-label="&quot;&gt;&lt;x" colspan="2" r="1.23"></td>'


def test_void_elements_have_no_end() -> None:
    assert tag("br") == "<br>"


def test_joined_markup_is_text_again_unless_it_is_tagged() -> None:
    assert isinstance(tag("b"), Html)
    assert "&lt;b&gt;" in tag("p", tag("b") + tag("i"))  # `+` makes a plain string: never trusted


def test_page_title_is_escaped() -> None:
    text = page("<title>", tag("main"))
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert "<title>&lt;title&gt;</title>" in text
