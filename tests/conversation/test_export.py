"""What people take along of a conversation: whole, in their language, and harmless whatever was said in it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import docx
import msgspec
import pytest
from docx.oxml.ns import qn
from markdown_it import MarkdownIt
from markdown_it.token import Token

from menagerie.conversation.export.document import Branch
from menagerie.conversation.export.download import Format, download
from menagerie.conversation.export.markdown import escaped, quoted
from menagerie.core.provenance import ModelFacts, Provenance, SourceFacts, Timings
from menagerie.locales import LANGUAGES, Language
from menagerie.store.conversations import Feedback, Summary, ToldTurn

NOON = datetime(2026, 11, 26, 17, 5, tzinfo=UTC)
FORMS: tuple[Format, ...] = ("md", "json", "docx")
ACCOUNT = Provenance(
    service="menagerie 0.1.0",
    persona="beaver",
    language="en",
    model=ModelFacts("tiny", "tiny-Q4.gguf", "ab" * 32, quantization="Q4_K_M", licence="Apache-2.0"),
    started="2026-11-26T12:05:00-05:00",
    prompt_tokens=1234,
    answer_tokens=56,
    sources=(
        SourceFacts(1, "text", characters=12),
        SourceFacts(
            2,
            "page",
            title="Beavers",
            address="https://example.ca/beavers?a=1&b=2",
            heading="Beavers › Teeth",
            page=3,
            language="fr",
            read="2026-11-26T12:05:01-05:00",
            passage="Their teeth are orange.\n\nThey grow.",
        ),
    ),
    timings=Timings(grounding_ms=100, queued_ms=200, first_token_ms=300, total_ms=4567.8),
)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- no end",
    "[x](javascript:alert(1))",
    "[x]( <JaVaScRiPt:alert(1)>)",
    "[x](&#106;avascript:alert(1))",
    "<javascript:alert(1)>",
    "![x](https://evil.example/seen.png)",
    "[1]: https://evil.example\n[x]: javascript:alert(1)",
    "> - [a\nb]: data:text/html,x",
    "[a\\\nb]: file:///etc/passwd\n\n[a\\\nb]",
    "* [a\\]\\\n  b]: file:///etc/passwd\n\n[a\\]\\\nb]",
    "```\nno end of this fence",
    "~~~~\n</details>\n```` \n# A heading",
    "`" * 50 + "<b>",
    "| a | b |\n|---|---|\n| ` | <script> ` |",
    "\x00\x01\x1b[31mred\x7f\x85\ufffe\u2028",
    "# A heading\n---\n***\n===",
    "{ HYPERLINK \"https://evil.example\" } =cmd|' /C calc'!A0",
    "x" * 100_000,
    "[" * 50_000 + "\n" * 50_000,
)


def turn(number: int, answer: str, **more: Any) -> ToldTurn:
    made = ToldTurn(
        id=f"t{number}",
        parent=f"t{number - 1}" if number > 1 else None,
        session="urn:uuid:1",
        prompt=f"Question {number}?",
        language="en",
        outcome="done",
        code="",
        accepted_at=NOON,
        answer=answer,
        provenance=msgspec.json.encode(ACCOUNT).decode(),
        feedback=None,
    )
    return msgspec.structs.replace(made, **more)


def branch(*turns: ToldTurn, language: Language = "en", **about: Any) -> Branch:
    summary = Summary(
        id="urn:uuid:1",
        persona="beaver",
        title="Teeth",
        named=True,
        language="en",
        started=NOON,
        last_at=NOON,
        turns=len(turns),
        newest=1,
        newest_turn="t1",
    )
    return Branch(
        about=msgspec.structs.replace(summary, **about),
        turns=turns,
        persona="The Beaver",
        language=language,
        zone=ZoneInfo("America/Toronto"),
        at=NOON,
    )


def markdown(*turns: ToldTurn, **more: Any) -> str:
    return download(branch(*turns, **more), "md").content.decode()


def word(*turns: ToldTurn, **more: Any) -> Any:
    return docx.Document(io.BytesIO(download(branch(*turns, **more), "docx").content))


def words_in(document: Any) -> str:
    pieces = document.element.body.iter("{*}t", "{*}br", "{*}tab", "{*}p")
    return "".join(piece.text if piece.tag.endswith("}t") else "\n" for piece in pieces)


WANTED: dict[Language, tuple[str, ...]] = {
    "en": (
        "AI-generated, check it",
        "Conversation number",
        "Thursday",
        "1,234",
        "4.6\u00a0s",
        "page 3",
        "12 characters",
        "in French",
    ),
    "fr": (
        "généré par une IA, à vérifier",
        "Numéro de la conversation",
        "jeudi",
        "1\u00a0234",
        "4,6\u00a0s",
        "page 3",
    ),
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("form", ["md", "docx"])
def test_a_file_tells_what_was_said_and_how_each_answer_came_about(form: Format, language: Language) -> None:
    turns = (turn(1, "They are orange [2]."), turn(2, "Yes."))
    told = markdown(*turns, language=language) if form == "md" else words_in(word(*turns, language=language))
    told = told.replace("\\_", "_")
    for wanted in (
        *WANTED[language],
        "Teeth",
        "urn:uuid:1",
        "The Beaver",
        "Question 1?",
        "They are orange [2].",
        "Question 2?",
        "tiny-Q4.gguf",
        "ab" * 32,
        "Q4_K_M",
        "Apache-2.0",
        "Beavers",
        "https://example.ca/beavers?a=1&b=2",
        "Their teeth are orange.",
    ):
        assert wanted in told, wanted
    assert told.count("ab" * 32) == 2


def test_json_has_the_documented_shape() -> None:
    rated = turn(1, "Yes \x00.", feedback=Feedback("good", "Right"))
    told = json.loads(
        download(
            branch(rated, turn(2, "", outcome="failed", code="engine.lost"), language="fr"), "json"
        ).content
    )
    assert (told["format"], told["version"]) == ("menagerie.conversation", 1)
    assert told["exported_at"] == "2026-11-26T12:05:00.000-05:00"
    assert "à vérifier" in told["notice"]
    assert told["conversation"]["id"] == "urn:uuid:1"
    first, second = told["turns"]
    assert (first["prompt"], first["parent"], first["ai_generated"]) == ("Question 1?", None, True)
    assert first["feedback"] == {"value": "good", "comment": "Right"}
    assert first["provenance"]["sources"][1]["passage"] == "Their teeth are orange.\n\nThey grow."
    assert (second["outcome"], second["parent"], second["ai_generated"]) == ("failed", "t1", False)
    assert "modèle" in second["message"]


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: repr(said[:20]))
@pytest.mark.parametrize("form", FORMS)
def test_whatever_was_said_makes_a_file(form: Format, said: str) -> None:
    source = SourceFacts(1, "page", title=said, address=said, heading=said, read=said, passage=said)
    account = msgspec.structs.replace(ACCOUNT, sources=(source,), model=ModelFacts(said, said))
    hostile = turn(1, said, prompt=said, provenance=msgspec.json.encode(account).decode())
    made = download(branch(hostile, title=said), form)
    assert made.content
    if form == "docx":
        opened = docx.Document(io.BytesIO(made.content))
        assert re.sub(r"[\x00-\x20\x7f-\x9f\ufffe\u2028]", "", said)[:50] in re.sub(
            r"\s|\u2028", "", words_in(opened)
        )


@pytest.mark.parametrize("said", HOSTILE, ids=lambda said: repr(said[:20]))
def test_in_markdown_nothing_that_was_said_leaves_its_place_or_acts(said: str) -> None:
    source = SourceFacts(1, "page", title=said, address=said, heading=said, passage=said)
    account = msgspec.structs.replace(ACCOUNT, sources=(source,), model=ModelFacts(said))
    hostile = turn(1, said, prompt=said, provenance=msgspec.json.encode(account).decode())
    told = markdown(hostile, turn(2, "Fine."), title=said)
    ours = outside_of_quotations(told)
    assert not re.search(r"(?<!\\)<(?!https://)|(?<!\\)[\[\]`]", ours)
    for token in tokens(told):
        assert token.type not in {"html_block", "html_inline", "image"}
        assert str(token.attrs.get("href", "https://")).startswith("https://"), token
    assert [line[:6] for line in ours.split("\n") if line.startswith("## ")] == ["## Que", "## Que"]
    assert "> Fine." in told
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", told)
    for line in ours.split("\n"):
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 3, line[:100]


class Trusting(MarkdownIt):
    """A reader that follows every address, as some do."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is the library's
        return True


def tokens(told: str) -> Iterator[Token]:
    """What a reader of Markdown makes of a file."""
    for token in Trusting("gfm-like", {"html": True, "linkify": False}).parse(told):
        yield token
        yield from token.children or ()


def outside_of_quotations(told: str) -> str:
    """The lines of a file of Markdown that are neither in a block quotation nor in a fence."""
    kept: list[str] = []
    fence = ""
    for line in told.split("\n"):
        opened = re.match(r"(`{3,})text$", line)
        if fence:
            fence = "" if line == fence else fence
        elif opened:
            fence = opened[1]
        elif not line.startswith(">"):
            kept.append(line)
    assert fence == ""
    return "\n".join(kept)


def test_harmless_markdown_is_quoted_as_it_is_and_everything_else_shown_letter_by_letter() -> None:
    harmless = "**Bold** [site](https://example.ca) <https://example.ca>\n\n```py\na < b\n```\n| a |\n|---|"
    assert quoted(harmless) == [f"> {line}".rstrip() for line in harmless.split("\n")]
    assert quoted("<b>x</b>\n````\n") == ["`````text", "<b>x</b>", "````", "", "`````"]


def test_a_word_on_one_line_is_free_of_signs() -> None:
    assert escaped("a|b\n`c` [d](e) <f> *g* _h_ $i$ &amp; \\") == (
        r"a\|b \`c\` \[d\](e) \<f\> \*g\* \_h\_ \$i\$ \&amp; " + "\\\\"
    )


@pytest.mark.parametrize(("language", "tag"), [("en", "en-CA"), ("fr", "fr-CA")])
def test_a_word_file_has_a_language_properties_headings_and_tables_with_header_rows(
    language: Language, tag: str
) -> None:
    opened = word(turn(1, "Orange."), language=language)
    properties = opened.core_properties
    assert (properties.title, properties.author, properties.language) == ("Teeth", "menagerie", tag)
    assert properties.created.replace(tzinfo=UTC) == NOON
    styles = [paragraph.style.name for paragraph in opened.paragraphs]
    assert styles[0] == "Title"
    assert [name for name in styles if name.startswith("Heading")] == [
        f"Heading {level}" for level in (1, 2, 3, 3)
    ]
    defaults = opened.styles.element.find(".//{*}docDefaults//{*}lang")
    assert defaults.get(qn("w:val")) == tag
    assert len(opened.tables) == 3
    for table in opened.tables:
        assert table._tbl.tr_lst[0].find(".//{*}tblHeader") is not None
        assert table._tbl.tblPr.find("{*}tblCaption") is not None
        assert all(cell.text for cell in table.rows[0].cells)


def test_a_word_file_marks_what_is_said_in_the_other_language() -> None:
    opened = word(turn(1, "Oui.", language="fr"))
    marked = [
        run.text
        for paragraph in opened.paragraphs
        for run in paragraph.runs
        if run._r.find(".//{*}lang") is not None and run._r.find(".//{*}lang").get(qn("w:val")) == "fr-CA"
    ]
    assert marked == ["Question 1?"]


def test_a_word_file_has_no_fields_links_or_parts_that_act() -> None:
    content = download(
        branch(*(turn(number, said) for number, said in enumerate(HOSTILE, 1))), "docx"
    ).content
    with zipfile.ZipFile(io.BytesIO(content)) as packed:
        names = packed.namelist()
        body = packed.read("word/document.xml").decode()
        relations = packed.read("word/_rels/document.xml.rels").decode()
    assert not re.search(r"<w:(?:hyperlink|fldSimple|fldChar|instrText|object|drawing|altChunk)\b", body)
    assert "External" not in relations
    assert not any(re.search("vba|activeX|embed", name) for name in names)


def test_a_word_file_shows_code_lists_and_bold_words() -> None:
    answer = "# Steps\n\n- **Gnaw** it\n- `pull`\n\n```sh\nls *.wood\n```\nDone ```x``` now."
    opened = word(turn(1, answer))
    said = [
        (paragraph.style.name, paragraph.text)
        for paragraph in opened.paragraphs
        if paragraph.text in {"Steps", "Gnaw it", "pull", "ls *.wood"} or paragraph.text.startswith("Done")
    ]
    assert said == [
        ("Normal", "Steps"),
        ("List Bullet", "Gnaw it"),
        ("List Bullet", "pull"),
        ("Menagerie Code", "ls *.wood"),
        ("Normal", "Done ```x``` now."),
    ]


def test_a_table_in_an_answer_is_a_table_with_a_header_row_and_its_marks() -> None:
    answer = "Prices:\n| Tree | `Cost` |\n|:---|---:|\n| **Oak** | a \\| b |\n| Elm |\n\nDone."
    opened = word(turn(1, answer))
    table = next(one for one in opened.tables if one.rows[0].cells[0].text == "Tree")
    assert [[cell.text for cell in row.cells] for row in table.rows] == [
        ["Tree", "Cost"],
        ["Oak", "a | b"],
        ["Elm", ""],
    ]
    assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
    assert table.rows[1]._tr.trPr is None
    assert table.rows[1].cells[0].paragraphs[0].runs[0].bold
    texts = [paragraph.text for paragraph in opened.paragraphs]
    assert "Prices:" in texts
    assert "Done." in texts
    assert not any("|" in one for one in texts)


@pytest.mark.parametrize(
    "malformed",
    [
        "| a | b |\n|---|\n| 1 | 2 |",
        "| a | b |\n|---|---|\n| 1 | 2 | 3 |",
        "| a | b |",
        "| a | b |\n| - | x |",
        "|a" * 64 + "|\n" + "|-" * 64 + "|",
        "```\n| a |\n|---|\n```",
    ],
)
def test_a_malformed_table_stays_text_whole(malformed: str) -> None:
    opened = word(turn(1, malformed))
    assert malformed.strip("`\n") in [paragraph.text for paragraph in opened.paragraphs]


@pytest.mark.parametrize(
    ("persona", "title", "name", "full"),
    [
        ("Castor", "Écoles d’été", "castor-ecoles-d-ete-2026-11-26.md", "castor-écoles-d-été-2026-11-26.md"),
        ("Beaver", "", "beaver-2026-11-26.md", "beaver-2026-11-26.md"),
        ("Bœuf", 'a/../b\r\n\u202e"x;', "boeuf-a-b-x-2026-11-26.md", "bœuf-a-b-x-2026-11-26.md"),
        ("熊", "蜂蜜", "beaver-2026-11-26.md", "熊-蜂蜜-2026-11-26.md"),
    ],
)
def test_the_name_of_a_file_is_safe_and_readable(persona: str, title: str, name: str, full: str) -> None:
    told = msgspec.structs.replace(branch(turn(1, "Yes."), title=title), persona=persona)
    made = download(told, "md")
    assert (made.name, made.full_name) == (name, full)


@pytest.mark.parametrize("title", ["word " * 100, "x" * 500, "蜂" * 500, "é" * 500])
def test_the_name_of_a_file_is_never_longer_than_a_system_takes(title: str) -> None:
    made = download(branch(turn(1, "Yes."), title=title), "docx")
    assert made.name.endswith("-2026-11-26.docx")
    assert len(made.full_name.encode()) <= 200
    assert len(made.name) <= 200
    assert "wor-" not in made.name


def test_the_day_in_a_name_is_that_of_the_zone() -> None:
    late = datetime(2026, 11, 27, 4, 59, tzinfo=UTC)
    made = download(branch(turn(1, "Yes."), started=late), "json")
    assert made.name == "the-beaver-teeth-2026-11-26.json"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("account", [None, "{}", "not JSON"])
def test_an_answer_without_an_account_and_one_that_never_came_are_told_too(
    form: Format, account: str | None
) -> None:
    if form == "json" and account == "not JSON":
        account = None
    turns = (
        turn(1, "Yes.", provenance=account),
        turn(2, "Par", outcome="cancelled", code="turn.cancelled"),
        turn(3, "", outcome="failed", code="no.such.code", provenance=None),
        turn(4, "", outcome="accepted", provenance=None),
    )
    made = download(branch(*turns), form).content
    told = words_in(docx.Document(io.BytesIO(made))) if form == "docx" else made.decode()
    assert "This could not be answered." in told
    if form != "json":
        assert "broken off" in told
        assert "still being written" in told


LONG = {
    "lines": "a\n" * 100_000,
    "tabs": "\t" * 345_000,
    "marks": "**a**`b`" * 40_000,
    "lists": "- a\n" * 50_000,
    "characters": "é" * 150_000,
}


@pytest.mark.parametrize("said", LONG.values(), ids=LONG)
def test_a_long_text_has_only_its_beginning_in_a_word_file_which_says_so(said: str) -> None:
    source = SourceFacts(1, "page", title="Far", address="https://example.ca/", passage=said)
    account = msgspec.json.encode(msgspec.structs.replace(ACCOUNT, sources=(source,))).decode()
    opened = word(turn(1, said, prompt=said, provenance=account), turn(2, "Fine."), language="fr")
    assert len(list(opened.element.body.iter())) < 80_000
    told = words_in(opened)
    assert len(told) < 400_000
    assert told.count("trop longue pour un fichier Word") == 3
    assert "Fine." in told


def test_a_long_conversation_has_only_its_beginning_in_a_word_file_which_says_so() -> None:
    for said, most in (("a" * 90_000, 24), ("**a** " * 2_400, 60)):
        opened = word(*(turn(number, said, prompt="?", provenance=None) for number in range(1, 81)))
        told = words_in(opened)
        assert len(told) < 2_300_000
        assert len(list(opened.element.body.iter())) < 350_000
        assert told.count("Asked on") <= most
        assert told.count("The rest of this conversation") == 1
