"""Texts of a deployment: Markdown without HTML, as pieces of our pages."""

from __future__ import annotations

from typing import Final

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")


def rendered(markdown: str, level: int = 2) -> Markup:
    """`markdown` as HTML. What is HTML in it stays text, a picture stays what was written, and its headings begin at
    `level`, so that they fit below those of the page."""
    tokens = _MARKDOWN.parse(markdown)
    highest = min((_level(token) for token in tokens if token.type == "heading_open"), default=2)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, _level(token) - highest + level)}"
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704 (html is off)


def _level(token: Token) -> int:
    return int(token.tag[1:])
