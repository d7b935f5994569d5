"""HTML: its main content by landmarks, else by extraction; headings, lists and tables stay what they are."""

from __future__ import annotations

from typing import Any, Final

from lxml import etree
from lxml import html as lxml_html

from menagerie.grounding.workers.formats.encoding import decoded
from menagerie.grounding.workers.formats.outline import Outline, line
from menagerie.grounding.workers.formats.tables import MOST_COLUMNS, markdown

_TOO_SHORT: Final = 200
"""Characters below which a main text is rather a miss: then the text of the whole page counts."""
_NOTHING_THERE: Final = 80
"""… and of a landmark, which its author has drawn: one that a program fills in later."""
_LARGE_TREE: Final = 20_000
"""Elements beyond which only the fast heuristics are used; the others take minutes for some pages of that size."""
_HUGE_TREE: Final = 100_000
"""Elements beyond which none are."""
_MOST_SPAN: Final = 50
_SILENT_TAGS: Final = """
script style noscript template svg iframe object canvas audio video select button input textarea datalist
"""
_AROUND: Final = frozenset({"nav", "aside", "footer", "dialog"})
_AROUND_ROLES: Final = frozenset(
    {"navigation", "search", "banner", "contentinfo", "complementary", "dialog", "alertdialog"}
)
_BLOCK_TAGS: Final = """
address article aside blockquote body caption center dd details div dl dt fieldset figcaption figure footer form header
hgroup hr legend li main menu nav ol optgroup option p section summary table tbody td tfoot th thead tr ul
"""
_SILENT: Final = _SILENT_TAGS.split()
_BLOCKS: Final = frozenset(_BLOCK_TAGS.split())
_LEVELS: Final = {f"h{level}": level for level in range(1, 7)}
_LISTS: Final = frozenset({"ul", "ol", "menu"})


def read_html(body: bytes, charset: str, outline: Outline, *, main_only: bool) -> None:
    """The text of a page: with `main_only` what is there to be read, without menus and notices around it."""
    tree = parsed(decoded(body, charset, is_html=True))
    if tree is None:
        return
    etree.strip_elements(tree, *_SILENT, with_tail=False)
    outline.title = line(tree.findtext(".//title") or tree.findtext(".//h1") or "")
    if main_only:
        _read_main(tree, outline)
    else:
        _Writer(outline, everything=True).write(tree)


def read_fragment(text: str, outline: Outline) -> None:
    """All the text of the HTML in an e-mail or the like."""
    tree = parsed(text)
    if tree is not None:
        etree.strip_elements(tree, *_SILENT, with_tail=False)
        _Writer(outline, everything=True).write(tree)


def parsed(text: str) -> Any:
    """The tree of a page; None where there is none."""
    parser = lxml_html.HTMLParser(
        encoding="utf-8", collect_ids=False, default_doctype=False, remove_comments=True, remove_pis=True
    )
    try:
        return lxml_html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.LxmlError, ValueError, AssertionError):
        return None


def _read_main(tree: Any, outline: Outline) -> None:
    """By landmarks; where there are none, or next to nothing is in them, by extraction; else all of it."""
    whole = outline.fresh()
    _Writer(whole, everything=True).write(tree)
    for landmark in _landmarks(tree):
        found = outline.fresh()
        _Writer(found).write(landmark)
        if found.characters >= min(_NOTHING_THERE, whole.characters):
            return outline.take(found)
    found = outline.fresh()
    _extract(tree, found)
    enough = max(min(_TOO_SHORT, whole.characters), 1)
    return outline.take(found if found.characters >= enough else whole)


def _landmarks(tree: Any) -> list[Any]:
    mains: list[Any] = tree.xpath("//main | //*[@role='main']")
    articles: list[Any] = tree.xpath("//article")
    return mains[:1] + (articles if len(articles) == 1 else [])


def _extract(tree: Any, outline: Outline) -> None:
    """What trafilatura finds, in its own few elements, which are given the names that HTML has for them."""
    elements = sum(1 for _ in tree.iter())
    if elements > _HUGE_TREE:
        return
    import trafilatura

    found: Any = trafilatura.bare_extraction(
        tree, fast=elements > _LARGE_TREE, include_comments=False, with_metadata=False
    )
    if not found or found.body is None:
        return
    names = {"list": "ul", "item": "li", "row": "tr", "cell": "td", "lb": "br", "quote": "blockquote"}
    for element in found.body.iter("head", *names):
        level = element.get("rend", "h2")
        element.tag = names.get(element.tag) or (level if level in _LEVELS else "h2")
    _Writer(outline, everything=True).write(found.body)


class _Writer:
    """Writes the text of a tree into an outline, in one walk."""

    def __init__(self, outline: Outline, *, everything: bool = False) -> None:
        self._outline = outline
        self._everything = everything
        self._words: list[str] = []
        self._level = 0
        self._lists: list[int] = []
        """Of each open list the number of its last item; -1 where it has no numbers."""
        self._item = ""

    def write(self, root: Any) -> None:
        """All that is under `root`."""
        walker = etree.iterwalk(root, events=("start", "end"))
        for event, element in walker:
            if event == "start":
                if self._skipped(element) or self._special(element):
                    walker.skip_subtree()
                else:
                    self._open(element)
                    self._words.append(element.text or "")
            else:
                self._close(element)
                if element is not root:
                    self._words.append(element.tail or "")
        self._flush()
        self._outline.end()

    def _skipped(self, element: Any) -> bool:
        if (
            element.tag == "title"
            or element.get("hidden") is not None
            or element.get("aria-hidden") == "true"
        ):
            return True
        if "display:none" in (element.get("style") or "").replace(" ", ""):
            return True
        return not self._everything and (element.tag in _AROUND or element.get("role") in _AROUND_ROLES)

    def _special(self, element: Any) -> bool:
        """Tables and preformatted text are written at once; whether this was one."""
        if element.tag == "table" and _is_of_data(element):
            self._flush()
            caption = element.findtext("caption")
            self._outline.add(" ".join((caption or "").split()))
            self._outline.add(markdown(_rows(element)))
            return True
        if element.tag == "pre":
            self._flush()
            self._outline.add("".join(element.itertext()))
            return True
        return False

    def _open(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS or tag in _LEVELS:
            self._flush()
        if tag in _LEVELS:
            self._level = _LEVELS[tag]
        elif tag in _LISTS:
            self._lists.append(0 if tag == "ol" else -1)
        elif tag == "li":
            self._item = "  " * max(len(self._lists) - 1, 0) + self._bullet()
        elif tag == "br":
            self._words.append("\n")

    def _close(self, element: Any) -> None:
        tag = element.tag
        if tag in _BLOCKS or tag in _LEVELS:
            self._flush()
        if tag in _LEVELS:
            self._level = 0
        elif tag in _LISTS and self._lists:
            self._lists.pop()
        elif tag == "li":
            self._item = ""

    def _bullet(self) -> str:
        if not self._lists or self._lists[-1] < 0:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1]}. "

    def _flush(self) -> None:
        lines = (" ".join(one.split()) for one in _lines(self._words))
        text = "\n".join(one for one in lines if one)
        self._words.clear()
        if not text:
            return
        if self._level:
            self._outline.heading(self._level, text)
            return
        self._outline.add(self._item + text, tight=bool(self._item))
        self._item = ""


def _lines(words: list[str]) -> list[str]:
    """The pieces, in which only a `br` breaks a line."""
    return "".join(one if one == "\n" else one.replace("\n", " ") for one in words).split("\n")


def _is_of_data(table: Any) -> bool:
    """Whether it is a table of values, and not one that lays a page out."""
    if table.find(".//table") is not None or table.get("role") in {"presentation", "none"}:
        return False
    if any(table.find(f".//{tag}") is not None for tag in _LEVELS):
        return False
    return any(sum(1 for one in row if one.tag in {"td", "th"}) > 1 for row in table.iter("tr"))


def _rows(table: Any) -> list[list[str]]:
    """The cells of a table; what spans several rows is said in each."""
    rows: list[list[str]] = []
    spanning: dict[int, tuple[int, str]] = {}
    """Of each column that is taken from above: for how many rows still, and by what."""
    for row in table.iter("tr"):
        cells: list[str] = []
        ahead: dict[int, tuple[int, str]] = {}
        for cell in row.iterchildren("td", "th"):
            _take_spanning(cells, spanning, ahead)
            text = " ".join(" ".join(cell.itertext()).split())
            for index in range(_span(cell.get("colspan"))):
                said = "" if index else text
                ahead[len(cells)] = (_span(cell.get("rowspan")) - 1, said)
                cells.append(said)
            if len(cells) > MOST_COLUMNS:
                break
        _take_spanning(cells, spanning, ahead)
        spanning = {column: (left, text) for column, (left, text) in ahead.items() if left}
        rows.append(cells)
    return rows


def _take_spanning(
    cells: list[str], spanning: dict[int, tuple[int, str]], ahead: dict[int, tuple[int, str]]
) -> None:
    while (column := len(cells)) in spanning:
        left, text = spanning.pop(column)
        ahead[column] = (left - 1, text)
        cells.append(text)


def _span(said: str | None) -> int:
    return min(max(int(said), 1), _MOST_SPAN) if said and said.isdecimal() and len(said) < 6 else 1
