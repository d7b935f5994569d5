"""A conversation as Markdown (CommonMark with the tables of GitHub's). What was said is quoted: whatever it contains
ends with the quotation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from menagerie.conversation.export.account import Fact
from menagerie.conversation.export.document import Document, Exchange, Source

_SPECIAL: Final = re.compile(r"[\\`*_\[\]<>|~&$]")
_ACTIVE: Final = re.compile(
    r"""
      <(?!https?://[^\s<>]*>)[A-Za-z/!?]     # a tag, a comment, an address that is none of the web
    | \]\((?!\s*<?https?://)                 # a link that leads elsewhere than to the web
    | !\[                                    # a picture, which is fetched when the file is read
    | ^[\ \t>*+\-\d.)]*+\[(?:[^\[\]\\]|\\[\s\S])*+\]: # what makes links of all such brackets in the file
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
_BLANKS: Final = re.compile(r"[ \t\n\u2028\u2029]+")
_TICKS: Final = re.compile("`+")
_WEB: Final = re.compile(r"https?://[^\s<>\"|\\]+", re.IGNORECASE)


def markdown(document: Document) -> str:
    """The file, its lines ended by `\\n`."""
    return "\n".join(_lines(document)) + "\n"


def quoted(words: str) -> list[str]:
    """Lines that show `words` as what they are. Markdown is quoted, and its blocks end with the quotation; where it has
    anything that would act on its reader or on the rest of the file, it is shown letter by letter."""
    if _ACTIVE.search(words):
        fence = "`" * max(3, 1 + max(map(len, _TICKS.findall(words)), default=0))
        return [f"{fence}text", *words.split("\n"), fence]
    return [f"> {line}".rstrip() for line in words.split("\n")]


def escaped(words: str) -> str:
    """Words on one line, with nothing that Markdown would take for a sign."""
    return _SPECIAL.sub(r"\\\g<0>", _BLANKS.sub(" ", words).strip())


def _lines(document: Document) -> Iterator[str]:
    yield from (f"# {escaped(document.title)}", "", f"**{escaped(document.word('generated'))}**", "")
    yield from _table(document, document.facts)
    for exchange in document.exchanges:
        yield from _exchange(document, exchange)


def _exchange(document: Document, exchange: Exchange) -> Iterator[str]:
    yield from (
        "",
        f"## {escaped(exchange.heading)}",
        "",
        escaped(exchange.asked),
        "",
        *quoted(exchange.question),
    )
    yield from ("", f"### {escaped(document.word('answer'))}")
    if exchange.answer:
        yield from ("", *quoted(exchange.answer))
    if exchange.note:
        yield from ("", f"*{escaped(exchange.note)}*")
    if exchange.facts:
        yield from ("", f"#### {escaped(document.word('account'))}", "")
        yield from _table(document, exchange.facts)
    if exchange.sources:
        yield from ("", f"#### {escaped(document.word('sources'))}")
    for source in exchange.sources:
        yield from _source(document, source)


def _source(document: Document, source: Source) -> Iterator[str]:
    yield from ("", f"##### {source.number}. {escaped(source.called)}")
    if source.details:
        yield from ("", escaped("; ".join(source.details)))
    if source.address:
        yield from ("", f"{document.word('address')} {_address(source.address)}")
    if source.passage:
        yield from ("", *quoted(source.passage))


def _table(document: Document, facts: Sequence[Fact]) -> Iterator[str]:
    yield from (f"| {document.word('name')} | {document.word('value')} |", "|---|---|")
    yield from (f"| {escaped(one.name)} | {escaped(one.value)} |" for one in facts)


def _address(address: str) -> str:
    return f"<{address}>" if _WEB.fullmatch(address) else escaped(address)
