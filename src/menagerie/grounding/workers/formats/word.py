"""DOCX: paragraphs under their headings, lists, tables, text boxes, notes; not what was struck out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from menagerie.grounding.workers.formats.archive import Archive
from menagerie.grounding.workers.formats.outline import Outline, UnreadableError
from menagerie.grounding.workers.formats.tables import markdown

_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_NAMED: Final = re.compile(r"heading (\d)", re.IGNORECASE)
_TITLES: Final = {"title": 1, "subtitle": 2}
_NO_TITLE: Final = "Word Document"
"""What the library says of a document that tells nothing of itself."""
_LOWEST: Final = 9
_AROUND: Final = frozenset(
    f"{_W}{name}" for name in ("sdt", "sdtContent", "ins", "moveTo", "customXml", "smartTag")
)
_GONE: Final = frozenset({f"{_W}del", f"{_W}moveFrom", f"{_W}sdtPr", f"{_W}pPr", f"{_W}rPr", _FALLBACK})
_NOTES: Final = ("/footnotes", "/endnotes")


def read_word(archive: Archive, outline: Outline) -> None:
    """The body of a document of Word's. Raises `broken`."""
    import docx

    try:
        document: Any = docx.Document(archive.rewritten())
    except (KeyError, ValueError, SyntaxError, AttributeError, IndexError) as fault:
        raise UnreadableError("broken") from fault
    title = document.core_properties.title or ""
    outline.title = "" if title == _NO_TITLE else title
    _blocks(document.element.body, outline, _levels(document))
    for relation in document.part.rels.values():
        if relation.reltype.endswith(_NOTES):
            _notes(relation.target_part.blob, outline)
    outline.end()


def _levels(document: Any) -> dict[str, int]:
    """The level of each style that is one of headings, or is made from one."""
    levels: dict[str, int] = {}
    based: dict[str, str] = {}
    for style in document.styles.element.iter(f"{_W}style"):
        name = style.get(f"{_W}styleId") or ""
        called = style.find(f"{_W}name")
        said = (called.get(f"{_W}val") or "") if called is not None else ""
        outline_level = style.find(f"{_W}pPr/{_W}outlineLvl")
        found = _NAMED.fullmatch(said)
        if found:
            levels[name] = int(found[1])
        elif said.lower() in _TITLES:
            levels[name] = _TITLES[said.lower()]
        elif outline_level is not None:
            levels[name] = _level(outline_level)
        base = style.find(f"{_W}basedOn")
        if base is not None:
            based[name] = base.get(f"{_W}val") or ""
    for name in based:
        above, seen = name, set[str]()
        while above not in levels and above in based and above not in seen and len(seen) < _LOWEST:
            seen.add(above)
            above = based[above]
        if above in levels:
            levels[name] = levels[above]
    return {name: level for name, level in levels.items() if 1 <= level <= _LOWEST}


def _level(element: Any) -> int:
    said = element.get(f"{_W}val") or ""
    return int(said) + 1 if said.isdecimal() and len(said) < 3 else 0


def _blocks(parent: Any, outline: Outline, levels: dict[str, int]) -> None:
    for child in parent.iterchildren():
        if child.tag == f"{_W}p":
            _paragraph(child, outline, levels)
        elif child.tag == f"{_W}tbl":
            _table(child, outline, levels)
        elif child.tag in _AROUND:
            _blocks(child, outline, levels)


def _paragraph(paragraph: Any, outline: Outline, levels: dict[str, int]) -> None:
    text = _text(paragraph)
    properties = paragraph.find(f"{_W}pPr")
    level, in_list = 0, ""
    if properties is not None:
        style = properties.find(f"{_W}pStyle")
        name = (style.get(f"{_W}val") or "") if style is not None else ""
        own = properties.find(f"{_W}outlineLvl")
        level = levels.get(name, 0) if own is None else _level(own)
        if properties.find(f"{_W}numPr") is not None or name.startswith("List"):
            in_list = "  " * min(_depth(properties), _LOWEST) + "- "
    if 1 <= level <= _LOWEST:
        outline.heading(level, text)
    elif text.strip():
        outline.add(in_list + text.strip(), tight=bool(in_list))


def _depth(properties: Any) -> int:
    found = properties.find(f"{_W}numPr/{_W}ilvl")
    return max(_level(found) - 1, 0) if found is not None else 0


def _table(table: Any, outline: Outline, levels: dict[str, int]) -> None:
    rows = [
        [" ".join(_text(one).strip() for one in cell.iter(f"{_W}p")) for cell in _inside(row, f"{_W}tc")]
        for row in _inside(table, f"{_W}tr")
    ]
    if max(map(len, rows), default=0) > 1:
        outline.add(markdown(rows))
        return
    for row in _inside(table, f"{_W}tr"):  # a frame around text, not a table
        for cell in _inside(row, f"{_W}tc"):
            _blocks(cell, outline, levels)


def _inside(parent: Any, tag: str) -> Iterator[Any]:
    """The children with this tag, those in wrappings too."""
    for child in parent.iterchildren():
        if child.tag == tag:
            yield child
        elif child.tag in _AROUND:
            yield from _inside(child, tag)


def _text(paragraph: Any) -> str:
    """What is written in a paragraph as it stands now."""
    pieces: list[str] = []
    open_: list[Any] = [paragraph]
    while open_:
        element = open_.pop()
        tag = element.tag
        if tag == f"{_W}t":
            pieces.append(element.text or "")
        elif tag == f"{_W}tab":
            pieces.append("\t")
        elif tag in {f"{_W}br", f"{_W}cr"}:
            pieces.append("\n")
        elif tag == f"{_W}noBreakHyphen":
            pieces.append("-")
        elif tag not in _GONE:
            if tag == f"{_W}p" and pieces:
                pieces.append("\n")  # in a text box
            open_.extend(reversed(element))
    return "".join(pieces)


def _notes(blob: bytes, outline: Outline) -> None:
    from docx.oxml.parser import parse_xml

    notes: Any = parse_xml(blob)
    for note in notes.iterchildren():
        if note.get(f"{_W}type") is None:
            outline.add(" ".join(_text(one).strip() for one in note.iter(f"{_W}p")))
