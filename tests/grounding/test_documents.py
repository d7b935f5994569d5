"""Every kind of file becomes a document that knows its headings and pages, or says in a word why it cannot."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.document import Document
from menagerie.grounding.documents import Documents
from menagerie.settings import Settings
from tests.grounding import files

Outline = list[tuple[tuple[str, ...], int, str]]


@pytest.fixture
async def documents() -> AsyncIterator[Documents]:
    made = Documents(Settings())
    yield made
    await made.close()


def outline(document: Document) -> Outline:
    return [(part.heading, part.page, part.text) for part in document.parts]


async def code(documents: Documents, body: bytes, **how: Any) -> tuple[ErrorCode, dict[str, Any]]:
    with pytest.raises(MenagerieError) as caught:
        await documents.read(body, **how)
    assert caught.value.message("en") != caught.value.message("fr")
    return caught.value.code, caught.value.values


async def test_a_document_of_words_keeps_headings_lists_and_tables(documents: Documents) -> None:
    document = await documents.read(files.word(title="Guide"), name="guide.docx")
    assert (document.title, document.language) == ("Guide", "en")
    assert outline(document) == [
        (("Fees",), 0, "Fees\n\nWhat a permit costs."),
        (
            ("Fees", "Camping"),
            0,
            "Camping\n\n- With fire\n- Without fire\n\n| Site | Fee |\n| --- | --- |\n| A \\| B | 11.50 |\n| C | 12 |",
        ),
        (("Fees", "Boating"), 0, "Boating\n\nAsk the warden. Put in."),
    ]


async def test_slides_are_parts_under_their_titles(documents: Documents) -> None:
    document = await documents.read(files.slides(), name="deck.pptx")
    assert (document.title, document.pages) == ("deck", 2)
    assert outline(document) == [
        (("Opening",), 1, f"Opening\n\n{files.CANAL}\n\nSmile."),
        (("Fees",), 2, "Fees\n\n| Lock | Fee |\n| --- | --- |\n| Hogs Back | 9 |"),
    ]


@pytest.mark.parametrize(("made", "name"), [(files.word(), "Fees.docx"), (files.slides(), "deck.pptx")])
async def test_a_document_that_tells_nothing_of_itself_has_no_title_of_a_librarys_making(
    documents: Documents, made: bytes, name: str
) -> None:
    document = await documents.read(files.without_properties(made), name=f"/home/ana/{name}")
    assert document.title == Path(name).stem


async def test_the_name_that_every_new_presentation_has_is_no_title(documents: Documents) -> None:
    for title in ("PowerPoint Presentation", "Présentation PowerPoint"):
        assert (await documents.read(files.slides(title), name="deck.pptx")).title == "deck"


async def test_sheets_are_tables_under_their_names(documents: Documents) -> None:
    document = await documents.read(files.sheets())
    assert outline(document) == [
        (("Fees",), 1, "| Site | Fee | Open |\n| --- | --- | --- |\n| A | 11.5 | TRUE |\n| C | 12 |  |"),
        (("Tarifs",), 2, "| Emplacement | Prix |\n| --- | --- |"),
    ]


async def test_open_documents_are_read_like_the_others(documents: Documents) -> None:
    text = await documents.read(files.opendocument_text())
    assert (text.title, text.language) == ("Tarifs", "fr")
    assert outline(text) == [
        (("Tarifs",), 0, f"Tarifs\n\n{files.FRENCH}"),
        (
            ("Tarifs", "Camping"),
            0,
            "Camping\n\n- Avec feu\n- Sans feu\n\n| Emplacement | Prix |\n| --- | --- |\n| A | 11,50 |",
        ),
    ]
    sheet = await documents.read(files.opendocument_sheet())
    assert outline(sheet) == [(("Tarifs",), 1, "| Emplacement | Prix |\n| --- | --- |\n| A | 11.5 |")]
    deck = await documents.read(files.opendocument_slides())
    assert outline(deck) == [(("Ouverture",), 1, f"Ouverture\n\n{files.FRENCH}")]


async def test_an_email_says_who_wrote_what_to_whom_and_names_what_is_attached(documents: Documents) -> None:
    headers = (
        "From: Ana Roy <ana@example.ca>\nTo: bo@example.ca\nDate: Thu, 26 Nov 2026 09:00:00 -0500\n"
        "Subject: Ouverture de l’écluse\n\nAttachment: plan.pdf"
    )
    document = await documents.read(files.mail())
    assert document.title == "Ouverture de l’écluse"
    assert outline(document) == [((), 0, f"{headers}\n\nElle ouvre demain.")]
    written_in_html = await documents.read(files.mail(html=True), name="message.eml")
    assert outline(written_in_html) == [((), 0, headers), (("Écluse",), 0, "Écluse\n\nElle ouvre demain.")]


async def test_a_pdf_has_pages_under_the_headings_of_its_outline(documents: Documents) -> None:
    pages = ["1. Fees\nA permit costs 5 dollars.\nBoats\nBoats are free.", "More of boats."]
    made = files.pdf(pages, outline=[("1. Fees", 0), ("Boats", 0)], title="Guide")
    document = await documents.read(made)
    assert (document.title, document.pages, document.pages_without_text) == ("Guide", 2, 0)
    assert outline(document) == [
        (("1. Fees",), 1, "1. Fees\nA permit costs 5 dollars."),
        (("Boats",), 1, "Boats\nBoats are free."),
        (("Boats",), 2, "More of boats."),
    ]


async def test_running_heads_of_a_pdf_are_dropped(documents: Documents) -> None:
    pages = [
        f"Parks Canada\nThe text of page {name}.\nEnd of {name}.\nPage {n}"
        for n, name in enumerate("abcdef", 1)
    ]
    document = await documents.read(files.pdf(pages))
    assert [part.text for part in document.parts] == [
        f"The text of page {name}.\nEnd of {name}." for name in "abcdef"
    ]


async def test_scanned_pages_are_recognized_and_said(documents: Documents) -> None:
    assert await code(documents, files.scanned(3)) == (ErrorCode.DOCUMENT_SCANNED, {"pages": 3})
    document = await documents.read(files.scanned(2, files.CANAL))
    assert (document.pages, document.pages_without_text, document.text) == (3, 2, files.CANAL)


async def test_markdown_keeps_its_headings_and_its_text(documents: Documents) -> None:
    written = "Guide\n=====\n\nIntro.\n\n## Fees ##\n\n```sh\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    document = await documents.read(written.encode(), name="guide.md")
    assert document.title == "Guide"
    assert outline(document) == [
        (("Guide",), 0, "Guide\n\nIntro."),
        (("Guide", "Fees"), 0, "Fees\n\n```sh\n# no heading\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
    ]
    assert outline(await documents.read(written.encode(), name="guide.txt")) == [((), 0, written.strip())]


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("Emplacement;Prix\nÀ l’eau;11,50\n", "a.csv"),
        ("Emplacement\tPrix\nÀ l’eau\t11,50\n", "a.tsv"),
        ('Emplacement,Prix\n"À\nl’eau","11,50"\n', "a.CSV"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
async def test_values_are_a_table_whatever_divides_them(
    documents: Documents, content: str, name: str, encoding: str
) -> None:
    document = await documents.read(content.encode(encoding), name=name)
    assert document.text == "| Emplacement | Prix |\n| --- | --- |\n| À l’eau | 11,50 |"


async def test_a_file_of_html_is_all_of_it_and_a_page_at_an_address_its_main_content(
    documents: Documents,
) -> None:
    page = (
        "<!doctype html><title>Tarifs</title><nav>Menu</nav><main><h1>Tarifs</h1><p>Ce que coûte<br>un permis.</p>"
        "<h2>Camping</h2><ul><li>Avec feu<ul><li>la nuit</ul><li>Sans feu</ul>"
        "<table><caption>Prix</caption><tr><th>Lieu<th>Prix<tr><td rowspan=2>A<td>1<tr><td>2</table>"
        f"<p hidden>caché</p><script>x</script></main><footer>Pied {'de page ' * 60}</footer>"
    ).encode()
    table = "| Lieu | Prix |\n| --- | --- |\n| A | 1 |\n| A | 2 |"
    main = [
        (("Tarifs",), 0, "Tarifs\n\nCe que coûte\nun permis."),
        (
            ("Tarifs", "Camping"),
            0,
            f"Camping\n\n- Avec feu\n  - la nuit\n- Sans feu\n\nPrix\n\n{table}",
        ),
    ]
    at_address = await documents.read(page, address="http://a.ca/tarifs")
    assert (at_address.title, at_address.address) == ("Tarifs", "http://a.ca/tarifs")
    assert outline(at_address) == main
    file = await documents.read(page, name="tarifs.html")
    assert outline(file)[0] == ((), 0, "Menu")
    assert "Pied de page" in file.text
    assert "caché" not in file.text


async def test_the_content_decides_what_a_file_is_and_not_its_name(documents: Documents) -> None:
    assert (await documents.read(files.word(), name="a.pdf")).parts[0].heading == ("Fees",)
    assert (await documents.read(files.pdf([files.CANAL]), name="a.txt")).text == files.CANAL
    assert (await documents.read(b'{"a": [1, 2]}', name="a.json")).text == '{"a": [1, 2]}'


async def test_a_name_with_a_path_is_no_path(documents: Documents) -> None:
    document = await documents.read(b"Text.", name="../../etc/passwd")
    assert (document.title, document.text) == ("passwd", "Text.")


async def test_a_file_on_the_disk_is_read_once_where_its_digest_is_known(
    documents: Documents, tmp_path: Path
) -> None:
    path = tmp_path / "a"
    path.write_bytes(files.CANAL.encode())
    document = await documents.read(path, digest="d1")
    path.unlink()
    assert await documents.read(path.parent, digest="d1") == document


async def test_what_was_read_lately_takes_no_time(documents: Documents) -> None:
    body = ("<main>" + f"<p>{files.CANAL}</p>" * 500 + "</main>").encode()
    await documents.read(body, address="http://a.ca/")
    began = time.perf_counter()
    again = await documents.read(body, address="http://b.ca/")
    assert time.perf_counter() - began < 0.03
    assert again.address == "http://b.ca/"


async def test_a_long_document_is_cut_and_says_how_long_it_was(documents: Documents) -> None:
    document = await documents.read(files.pdf([files.CANAL] * 3), most=60)
    assert [part.text for part in document.parts] == [files.CANAL, files.CANAL[:5]]
    assert document.characters == 3 * len(files.CANAL) + 4
    text = await documents.read(b"abc " * 1_000_000, most=1000)
    assert len(text.text) == 1000
    assert text.characters == pytest.approx(4_000_000, rel=0.01)


async def test_several_are_read_at_once_and_whoever_goes_away_ends_the_program(documents: Documents) -> None:
    slow = ("<p " + " ".join(f"a{number}=1" for number in range(300_000)) + ">x</p>").encode()
    leaving = [asyncio.create_task(documents.read(slow, address=f"http://a.ca/{n}", most=n)) for n in (5, 6)]
    await asyncio.sleep(0.5)
    for task in leaving:
        task.cancel()
    began = time.monotonic()
    await asyncio.gather(*leaving, return_exceptions=True)
    assert (await documents.read(b"Text.")).text == "Text."
    assert time.monotonic() - began < 2


async def test_what_many_ask_for_at_once_is_read_once_though_one_of_them_goes_away(
    documents: Documents,
) -> None:
    body = ("<main>" + f"<p>{files.CANAL}</p>" * 500 + "</main>").encode()
    asking = [
        asyncio.create_task(documents.read(body, address=f"http://a.ca/{number}", share="ann"))
        for number in range(8)
    ]
    programs: set[int] = set()
    await asyncio.sleep(0.01)
    asking[0].cancel()
    while not all(one.done() for one in asking):
        for one in psutil.Process().children():
            with contextlib.suppress(psutil.Error):
                programs |= {one.pid} if "".join(one.cmdline()[-1:]).endswith("read_document.py") else set()
        await asyncio.sleep(0.005)
    found = await asyncio.gather(*asking[1:])
    assert {one.address for one in found} == {f"http://a.ca/{number}" for number in range(1, 8)}
    assert len(programs) == 1


async def test_one_user_does_not_keep_another_waiting_for_all_of_theirs(documents: Documents) -> None:
    slow = ("<main>" + "<p>Word <b>x</b> and so on.</p>" * 20_000 + "</main>").encode()
    busy = [
        asyncio.create_task(documents.read(slow, address="http://a.ca/", most=most, share="ann"))
        for most in range(100_000, 100_006)
    ]
    await asyncio.sleep(0.2)
    assert (await documents.read(b"Text.", share="bob")).text == "Text."
    assert sum(one.done() for one in busy) <= 3
    for task in busy:
        task.cancel()
    await asyncio.gather(*busy, return_exceptions=True)
