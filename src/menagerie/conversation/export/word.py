"""A conversation as a Word document (ECMA-376): with real headings, its language, tables that have header rows, and
nothing in it that acts. What was said is text, wherever it came from."""

from __future__ import annotations

import functools
import io
import itertools
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from menagerie.conversation.export.document import Document, Exchange, Source
from menagerie.conversation.export.tables import Table, table_at

CODE: Final = "Menagerie Code"
"""The style of code in an answer."""
BOLD: Final = "bold"
"""That of a heading in an answer, which is no heading of the document."""
MONOSPACED: Final = "Consolas"

_TAGS: Final[dict[str, str]] = {"en": "en-CA", "fr": "fr-CA"}
_SPACE: Final = "{http://www.w3.org/XML/1998/namespace}space"
_BREAKS: Final = re.compile("([\n\t])")
_PARTS: Final = re.compile(r"[\n\t*`]")
_LONGEST: Final = 100_000
"""Characters of one text, whose rest is left out."""
_MOST_PARTS: Final = 5_000
"""Line ends, tabs and marks of one text: each can make elements of its own, of some hundred bytes each."""
_MOST_CHARACTERS: Final = 2_000_000
_MOST_ELEMENTS: Final = 300_000
"""Those of a document, which ends after the exchange that passes either."""
_FENCE: Final = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_BULLET: Final = re.compile(r"\s*[-*+]\s+")
_HEADING: Final = re.compile(r" {0,3}#{1,6}\s+")
_MARKED: Final = re.compile(r"(\*\*[^*\n]+\*\*|(?<!`)`[^`\n]+`(?!`))")


def word(document: Document, at: datetime) -> bytes:
    """The file. `at` is when it is made. Takes some milliseconds for each answer: not for the event loop."""
    return _Writer(document).write(at)


class _Writer:
    """One file that is being written. Its body is made element by element: of long texts, the library's own ways to do
    that make many seconds of work."""

    def __init__(self, document: Document) -> None:
        import docx
        from docx.enum.style import WD_STYLE_TYPE
        from docx.oxml.ns import qn
        from docx.shared import Pt
        from lxml import etree

        self._document = document
        self._file: Any = docx.Document()
        self._name: Any = functools.cache(qn)
        self._sub_element: Any = etree.SubElement
        self._body: Any = self._file.element.body
        self._characters = self._elements = 0
        code = self._file.styles.add_style(CODE, WD_STYLE_TYPE.PARAGRAPH)
        code.base_style = self._file.styles["No Spacing"]
        code.font.name, code.font.size = MONOSPACED, Pt(9)
        self._styles = {style.name: style.style_id for style in self._file.styles}

    def write(self, at: datetime) -> bytes:
        document = self._document
        section = self._body.sectPr
        self._body.remove(section)
        self._describe(at)
        self._paragraph(document.title, "Title")
        self._paragraph(document.word("generated"), "Intense Quote")
        pairs = [(fact.name, fact.value) for fact in document.facts]
        self._table((document.word("name"), document.word("value")), pairs, document.title)
        for exchange in document.exchanges:
            if self._characters > _MOST_CHARACTERS or self._elements > _MOST_ELEMENTS:
                self._paragraph(document.word("rest_left_out"), "Intense Quote")
                break
            self._exchange(exchange)
        self._body.append(section)
        made = io.BytesIO()
        self._file.save(made)
        return made.getvalue()

    def _describe(self, at: datetime) -> None:
        """Title, language and the rest of what a file tells of itself."""
        document, tag = self._document, _TAGS[self._document.language]
        properties = self._file.core_properties
        properties.title = document.title[:255]
        properties.subject = document.facts[0].value[:255]
        properties.author = properties.last_modified_by = "menagerie"
        properties.comments = document.word("generated")[:255]
        properties.keywords = properties.category = ""
        properties.language = tag
        properties.created = properties.modified = at.astimezone(UTC).replace(tzinfo=None)
        for part, name in ((self._file.styles, "w:lang"), (self._file.settings, "w:themeFontLang")):
            for language in part.element.iter(self._name(name)):
                language.set(self._name("w:val"), tag)

    def _exchange(self, exchange: Exchange) -> None:
        document = self._document
        self._paragraph(exchange.heading, "Heading 1")
        self._paragraph(exchange.asked)
        question, answer = _beginning(exchange.question), _beginning(exchange.answer)
        self._said(self._paragraph(style="Quote"), question, exchange.question_language)
        if len(question) < len(exchange.question):
            self._paragraph(document.word("left_out"), "Subtitle")
        self._paragraph(document.word("answer"), "Heading 2")
        spoken = exchange.answer_language
        for style, block in _blocks(answer):
            if isinstance(block, Table):
                caption = f"{document.word('answer')} ({exchange.heading})"
                self._table(block.head, block.rows, caption, spoken=spoken, marked=True)
                continue
            paragraph = self._paragraph(style=style)
            self._said(paragraph, block, spoken, marked=style != CODE, bold=style == BOLD)
        if len(answer) < len(exchange.answer):
            self._paragraph(document.word("left_out"), "Subtitle")
        if exchange.note:
            self._paragraph(exchange.note, "Subtitle")
        if exchange.facts:
            account = document.word("account")
            self._paragraph(account, "Heading 3")
            pairs = [(fact.name, fact.value) for fact in exchange.facts]
            self._table(
                (document.word("name"), document.word("value")), pairs, f"{account} ({exchange.heading})"
            )
        if exchange.sources:
            sources = document.word("sources")
            self._paragraph(sources, "Heading 3")
            names = tuple(document.word(name) for name in ("source_number", "source", "passage"))
            rows = [_row(document, one) for one in exchange.sources]
            self._table(names, rows, f"{sources} ({exchange.heading})")

    def _said(
        self, paragraph: Any, words: str, language: str, *, marked: bool = False, bold: bool = False
    ) -> None:
        """What somebody said, in a paragraph; where it is `marked`, Markdown's bold words and code are shown so."""
        is_other = language in _TAGS and language != self._document.language
        tag = _TAGS[language] if is_other else ""
        for piece in _MARKED.split(words) if marked else [words]:
            if marked and _MARKED.fullmatch(piece):
                is_code = piece.startswith("`")
                inside = piece[1:-1] if is_code else piece[2:-2]
                self._text(paragraph, inside, bold=bold or not is_code, code=is_code, tag=tag)
            elif piece:
                self._text(paragraph, piece, bold=bold, tag=tag)

    def _paragraph(self, words: str = "", style: str = "") -> Any:
        """A paragraph at the end of the document."""
        paragraph = self._child(self._body, "w:p")
        if style in self._styles:
            self._child(self._child(paragraph, "w:pPr"), "w:pStyle", val=self._styles[style])
        if words:
            self._text(paragraph, words)
        return paragraph

    def _text(
        self, paragraph: Any, words: str, *, bold: bool = False, code: bool = False, tag: str = ""
    ) -> None:
        """A run of text at the end of a paragraph, its lines and tabs kept."""
        run = self._child(paragraph, "w:r")
        if bold or code or tag:
            properties = self._child(run, "w:rPr")
            if code:
                self._child(properties, "w:rFonts", ascii=MONOSPACED, hAnsi=MONOSPACED)
            if bold:
                self._child(properties, "w:b")
            if tag:
                self._child(properties, "w:lang", val=tag)
        self._characters += len(words)
        for piece in _BREAKS.split(words):
            if piece in {"\n", "\t"}:
                self._child(run, "w:br" if piece == "\n" else "w:tab")
            elif piece:
                said = self._child(run, "w:t")
                said.text = piece
                said.set(_SPACE, "preserve")

    def _table(
        self,
        head: Sequence[str],
        rows: Sequence[Sequence[str]],
        caption: str,
        *,
        spoken: str = "",
        marked: bool = False,
    ) -> None:
        """A table with a row of headings that is repeated on every page, and a caption for who does not see it. Its
        words are in the language `spoken`, and `marked` as in `_said`."""
        table = self._child(self._body, "w:tbl")
        properties = self._child(table, "w:tblPr")
        self._child(properties, "w:tblStyle", val=self._styles["Table Grid"])
        self._child(properties, "w:tblW", type="auto", w="0")
        self._child(properties, "w:tblLook", firstRow="1", noVBand="1")
        for name in ("w:tblCaption", "w:tblDescription"):
            self._child(properties, name, val=caption[:255])
        grid = self._child(table, "w:tblGrid")
        for _ in head:
            self._child(grid, "w:gridCol")
        for number, cells in enumerate([head, *rows]):
            row = self._child(table, "w:tr")
            if number == 0:
                self._child(self._child(row, "w:trPr"), "w:tblHeader")
            for words in cells:
                paragraph = self._child(self._child(row, "w:tc"), "w:p")
                self._said(paragraph, words, spoken, marked=marked, bold=number == 0)
        self._paragraph()

    def _child(self, parent: Any, name: str, **attributes: str) -> Any:
        """A new last child of an element. `name` has the prefix `w:`, which the names of attributes go without."""
        self._elements += 1
        child = self._sub_element(parent, self._name(name))
        for attribute, value in attributes.items():
            child.set(self._name(f"w:{attribute}"), value)
        return child


def _row(document: Document, source: Source) -> tuple[str, str, str]:
    address = f"{document.word('address')} {source.address}" if source.address else ""
    about = "\n".join(part for part in (source.called, *source.details, address) if part)
    passage = _beginning(source.passage)
    if len(passage) < len(source.passage):
        passage = f"{passage}\n[{document.word('left_out')}]"
    return str(source.number), _beginning(about), passage


def _beginning(words: str) -> str:
    """As much of a text as a document takes."""
    parts = itertools.islice(_PARTS.finditer(words, 0, _LONGEST), _MOST_PARTS, None)
    return words[: next((part.start() for part in parts), _LONGEST)]


def _blocks(words: str) -> Iterator[tuple[str, str | Table]]:
    """The tables and paragraphs of a text in Markdown, each with its style: empty for plain ones."""
    waiting: list[str] = []
    fence, lines, at = "", words.split("\n"), 0
    while at < len(lines):
        line = lines[at]
        at += 1
        opened = _FENCE.match(line)
        if fence:
            if opened and opened[1].startswith(fence) and not line[opened.end() :].strip():
                yield CODE, "\n".join(waiting)
                waiting, fence = [], ""
            else:
                waiting.append(line)
            continue
        bullet, heading = _BULLET.match(line), _HEADING.match(line)
        end, table = table_at(lines, at - 1)
        if waiting and (opened or bullet or heading or table or not line.strip()):
            yield "", "\n".join(waiting)
            waiting = []
        if table:
            yield "", table
            at = end
        elif end >= at:
            waiting += lines[at - 1 : end]
            at = end
        elif opened:
            fence = opened[1]
        elif bullet:
            yield "List Bullet", line[bullet.end() :]
        elif heading:
            yield BOLD, line[heading.end() :]
        elif line.strip():
            waiting.append(line)
    if waiting:
        yield CODE if fence else "", "\n".join(waiting)
