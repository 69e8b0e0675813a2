"""HTML and SVG that cannot be broken by what is put into them, and the look of a page.

Text becomes markup only through `tag`, which escapes every child that is not markup already. A page
is one file: no script, no font, nothing that is fetched.
"""

from __future__ import annotations

from html import escape

_VOID = frozenset({"br", "meta"})  # elements that HTML knows without an end tag


class Html(str):
    """Markup, as against text that still has to be escaped."""

    __slots__ = ()


def tag(element: str, /, *children: str, **attributes: str | float | None) -> Html:
    """Return an element.

    Args:
        element: Its name in HTML or SVG.
        children: Text, which is escaped, and markup, which is not.
        attributes: A trailing underscore is dropped (`class_`), others become hyphens
            (`aria_label`); those that are None are left out; numbers are rounded to hundredths.

    Example:
        >>> tag("p", "a < b", tag("b", "!"), class_="note")
        '<p class="note">a &lt; b<b>!</b></p>'
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if element in _VOID else f"</{element}>"
    return Html(f"<{element}{shown}>{join(children)}{end}")


def join(children: list[Html] | tuple[str, ...]) -> Html:
    """Return text and markup, one after the other, as markup."""
    return Html("".join(c if isinstance(c, Html) else escape(c, quote=False) for c in children))


def page(title: str, *body: Html) -> str:
    """Return a whole HTML document."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(STYLE)),
    )
    return "<!DOCTYPE html>\n" + tag("html", head, tag("body", *body), lang="en") + "\n"


def _attribute(value: str | float) -> str:
    return escape(value if isinstance(value, str) else f"{round(value, 2):g}")


STYLE = """
:root {
  --paper: #f7f7f5; --card: #ffffff; --ink: #1c232d; --muted: #57616e; --rule: #dde1e6;
  --accent: #1f5f99; --warm: #b04f14; --good: #1a6843; --bad: #a32d25;
  --heat: 38 104 170; --miss: 214 106 30;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171c; --card: #1b1f26; --ink: #e7eaef; --muted: #a4aebb; --rule: #333a45;
    --accent: #82b8e8; --warm: #eb9a60; --good: #71cb9e; --bad: #f29187;
    --heat: 72 138 208; --miss: 214 110 40;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-text-size-adjust: 100%;
}
body > * { max-width: 1344px; margin-inline: auto; padding-inline: 24px; }
header { padding-block: 48px 8px; }
h1, h2, h3 { line-height: 1.2; text-wrap: balance; margin: 0; }
h1 { font-size: 32px; letter-spacing: -0.02em; }
h2 { font-size: 24px; letter-spacing: -0.01em; }
h2 small { color: var(--muted); font-size: 16px; font-weight: 400; letter-spacing: 0; }
h3 { font-size: 16px; }
header p { max-width: 84ch; margin: 16px 0 0; }
header .eyebrow { margin: 0 0 8px; color: var(--muted); font-size: 14px; }
header .lead { font-size: 17px; }
section { padding-block: 40px 0; }
section:last-of-type { padding-bottom: 56px; }
a { color: var(--accent); }
nav ul { display: flex; flex-wrap: wrap; gap: 4px 24px; margin: 20px 0 0; padding: 0;
  list-style: none; }
code { font: 0.9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }

.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(190px, 1fr));
  gap: 16px 24px; margin: 16px 0 24px; padding: 16px 0; border-block: 1px solid var(--rule); }
.facts dt { color: var(--muted); font-size: 13px; }
.facts dd { margin: 0; font-size: 15px; overflow-wrap: break-word; }

.figures { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); }
figure { margin: 0; padding: 16px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; min-width: 0; break-inside: avoid; }
figure > svg, .confusion { margin-top: 12px; }
figcaption { color: var(--muted); font-size: 13px; margin-top: 12px; }
figcaption p { margin: 0; }
figcaption ul { margin: 4px 0 0; padding-left: 18px; }
svg { display: block; width: 100%; height: auto; max-width: 520px; margin-inline: auto;
  overflow: visible; }
svg text { fill: var(--muted); font-size: 12.5px; font-family: inherit; }
svg .name { fill: var(--ink); }
svg .axis { stroke: var(--muted); fill: none; }
svg .grid { stroke: var(--rule); fill: none; }
svg .mark { stroke: var(--muted); stroke-dasharray: 1 3; stroke-linecap: round; fill: none; }
svg .leader { stroke: var(--muted); stroke-width: 0.75; fill: none; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .first { stroke: var(--warm); } svg .second { stroke: var(--accent); }
svg .line.first { stroke-dasharray: 5 3; }
svg .dot.first { fill: var(--warm); } svg .dot.second { fill: var(--accent); }
svg .bubble { fill: rgb(var(--heat) / 0.28); stroke: var(--accent); stroke-width: 1.5; }

.confusion { width: 100%; border-collapse: separate; border-spacing: 1px; table-layout: fixed;
  font-size: 11px; line-height: 1.2; }
.confusion td { height: 28px; padding: 0; text-align: center; border-radius: 2px; }
.confusion td.right { background: rgb(var(--heat) / calc(0.08 + 0.47 * var(--share))); }
.confusion td.wrong { background: rgb(var(--miss) / calc(0.12 + 0.55 * var(--share))); }
.confusion td.none { background: rgb(128 128 128 / 0.07); color: var(--muted); }
.confusion th { font-weight: 400; color: var(--muted); }
.confusion th[scope=row] { width: 19%; padding-right: 6px; text-align: right;
  overflow-wrap: anywhere; }
.confusion thead td { height: auto; vertical-align: bottom; text-align: right; padding-right: 6px;
  width: 19%; color: var(--muted); }
.confusion thead th { vertical-align: bottom; padding: 0; }
.confusion thead span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 110px; }

.scroll { overflow-x: auto; margin-top: 16px; background: var(--card);
  border: 1px solid var(--rule); border-radius: 8px; }
.files { width: 100%; border-collapse: collapse; font-size: 13px; line-height: 1.4; }
.files caption { padding: 16px 16px 8px; text-align: left; color: var(--muted); font-size: 13px; }
.files caption b { display: block; color: var(--ink); font-size: 16px; }
.files th, .files td { padding: 7px; text-align: right; white-space: nowrap; }
.files tr > :first-child { padding-left: 16px; }
.files tr > :last-child { padding-right: 16px; }
.files thead tr + tr > :first-child { padding-left: 7px; }
.files thead th { color: var(--muted); font-weight: 500; vertical-align: bottom; }
.files thead th[scope=colgroup] { text-align: center; border-bottom: 1px solid var(--rule); }
.files tbody th, .files thead [rowspan] { text-align: left; }
.files td.verdict { text-align: left; }
.files tbody th { position: sticky; left: 0; background: var(--card); font-weight: 600; }
.files tbody { border-top: 1px solid var(--rule); }
.files .start { border-left: 1px solid var(--rule); }
.files .absent { text-align: center; color: var(--muted); font-style: italic; }
.files .why td { padding-top: 0; text-align: left; white-space: normal; color: var(--muted); }
.files .why b { font-weight: 600; }
.ship { color: var(--good); font-weight: 600; }
.refused { color: var(--bad); font-weight: 600; }

.notes { margin: 16px 0 0; padding: 12px 16px; background: var(--card);
  border: 1px solid var(--rule); border-left: 4px solid var(--warm); border-radius: 8px;
  font-size: 14px; }
.notes p { margin: 0; max-width: 110ch; overflow-wrap: anywhere; }
.notes p + p { margin-top: 8px; }
pre { margin: 8px 0 0; padding: 12px 16px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; white-space: pre-wrap; overflow-wrap: anywhere; }
.columns { columns: 2; column-gap: 48px; }
.columns > div { break-inside: avoid; }
section div > h3, section > h3 { padding-top: 24px; }
.terms { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 24px;
  margin: 8px 0 0; font-size: 14px; }
.terms dt { font-weight: 600; overflow-wrap: anywhere; }
.terms dd { margin: 0; overflow-wrap: anywhere; }

@media (max-width: 1100px) { .columns { columns: 1; } }
@media (max-width: 720px) {
  body > * { padding-inline: 16px; }
  header { padding-block: 28px 0; }
  h1 { font-size: 26px; } header .lead { font-size: 16px; }
  .facts { grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px 16px; font-size: 15px; }
  figure { padding: 12px; }
  .terms { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .terms dd { margin-bottom: 10px; }
  /* A row becomes a card; its cells say by themselves what they are. */
  .scroll { overflow: visible; background: none; border: 0; }
  .files, .files caption, .files tbody { display: block; }
  .files caption { padding: 0 0 8px; }
  .files thead { position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  .files tbody { margin-top: 8px; padding: 12px; background: var(--card);
    border: 1px solid var(--rule); border-radius: 8px; break-inside: avoid; }
  .files tr { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8px 12px; }
  .files tr > * { padding: 0 !important; text-align: left; white-space: normal; }
  .files tbody th { position: static; grid-column: span 2; font-size: 15px;
    overflow-wrap: anywhere; }
  .files td.verdict { text-align: right; font-size: 15px; }
  .files td[data-label]::before { content: attr(data-label); display: block; color: var(--muted);
    font-size: 12px; font-weight: 400; line-height: 1.25; }
  .files .absent, .files .why td { grid-column: 1 / -1; text-align: left; }
  .files .why { margin-top: 8px; }
  .files .start { border-left: 0; }
}
@media print {
  :root {
    --paper: #fff; --card: #fff; --ink: #000; --muted: #444; --rule: #bbb;
    --accent: #1f5f99; --warm: #b04f14; --good: #1a6843; --bad: #a32d25;
    --heat: 38 104 170; --miss: 214 106 30;
  }
  @page { size: A4 landscape; margin: 12mm; }
  body { font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body > * { max-width: none; padding-inline: 0; }
  header { padding-block: 0; }
  section { padding-block: 16pt 0; }
  section + section { break-before: page; }
  .facts { break-inside: avoid; font-size: 10pt; }
  nav { display: none; }
  .figures { grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 8pt; }
  .scroll { overflow: visible; break-inside: avoid; }
  .files { font-size: 7.5pt; }
  .files th, .files td { padding: 3pt 4pt; }
  .files tbody th { position: static; }
  .terms { font-size: 9pt; gap: 2pt 16pt; }
  h2, h3 { break-after: avoid; }
}
"""
