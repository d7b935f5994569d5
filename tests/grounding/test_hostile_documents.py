"""What is broken, locked, endless or a bomb is refused by its name, within its time, and takes nothing down."""

from __future__ import annotations

import io
import random
import time
import zipfile
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding import documents as module
from menagerie.grounding.documents import Documents
from menagerie.settings import Settings
from tests.grounding import files

BROKEN = ErrorCode.DOCUMENT_BROKEN
ENCRYPTED = ErrorCode.DOCUMENT_ENCRYPTED
EMPTY = ErrorCode.DOCUMENT_EMPTY
TOO_LARGE = ErrorCode.DOCUMENT_TOO_LARGE
UNSUPPORTED = ErrorCode.DOCUMENT_UNSUPPORTED
DOCTYPE = b'<!DOCTYPE w [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.fixture
async def documents() -> AsyncIterator[Documents]:
    made = Documents(Settings())
    yield made
    await made.close()


async def refused(documents: Documents, body: bytes, **how: Any) -> MenagerieError:
    with pytest.raises(MenagerieError) as caught:
        await documents.read(body, **how)
    assert {caught.value.message("en"), caught.value.message("fr")} != {""}
    return caught.value


def zipped(**members: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return made.getvalue()


def with_entities(body: bytes, encoding: str = "utf-8") -> bytes:
    written = files.member(body, "word/document.xml").decode()
    start, _, rest = written.partition("?>")
    declared = f"{start.replace('UTF-8', encoding)}?>{DOCTYPE.decode()}{rest.replace('Ask', '&a; Ask')}"
    return files.changed(body, word__document_xml=b"", **{"word/document.xml": declared.encode(encoding)})


def locked_pdf() -> bytes:
    objects = "".join(
        f"{n} 0 obj\n{one}\nendobj\n"
        for n, one in enumerate(
            [
                "<< /Type /Catalog /Pages 2 0 R >>",
                "<< /Type /Pages /Kids [] /Count 0 >>",
                "<< /Filter /Standard /V 2 /R 3 /Length 128 /P -4 /O <"
                + "61" * 32
                + "> /U <"
                + "62" * 32
                + "> >>",
            ],
            1,
        )
    )
    return (
        f"%PDF-1.4\n{objects}trailer << /Size 4 /Root 1 0 R /Encrypt 3 0 R /ID [<00><00>] >>\n%%EOF".encode()
    )


def endless_pages() -> bytes:
    """A tree of pages whose branch is its own root."""
    return files.pdf(["x"]).replace(b"/Kids [4 0 R]", b"/Kids [2 0 R]").replace(b"/Count 1", b"/Count 9")


NAMED: list[tuple[str, Callable[[], bytes], ErrorCode]] = [
    ("nothing", lambda: b"", EMPTY),
    ("blanks", lambda: b" \n\t\0" * 100, EMPTY),
    ("a page without text", lambda: files.pdf([""]), EMPTY),
    ("a picture", lambda: b"\x89PNG\r\n\x1a\n" + bytes(100), UNSUPPORTED),
    ("a program", lambda: b"\x7fELF" + bytes(range(256)) * 8, UNSUPPORTED),
    ("noise", lambda: bytes(range(256)) * 8, UNSUPPORTED),
    ("rich text", lambda: b"{\\rtf1 x}", UNSUPPORTED),
    ("an archive of nothing known", lambda: zipped(a=b"x"), UNSUPPORTED),
    ("an old document of Word's", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), UNSUPPORTED),
    (
        "a locked document of Word's",
        lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le"),
        ENCRYPTED,
    ),
    (
        "a locked open document",
        lambda: files.changed(
            files.opendocument_text(), **{"META-INF/manifest.xml": b"<manifest:encryption-data/>"}
        ),
        ENCRYPTED,
    ),
    ("a locked PDF", locked_pdf, ENCRYPTED),
    ("a PDF of nothing", lambda: b"%PDF-1.7\n%%EOF", BROKEN),
    ("half an archive", lambda: files.word()[:9000], BROKEN),
    (
        "Word without a document",
        lambda: zipped(**{"[Content_Types].xml": b"<a/>", "word/x.xml": b"<a/>"}),
        BROKEN,
    ),
    (
        "Excel that is no XML",
        lambda: files.changed(files.sheets(), xl__workbook_xml=b"", **{"xl/workbook.xml": b"no"}),
        BROKEN,
    ),
    ("entities in Word", lambda: with_entities(files.word()), BROKEN),
    ("entities in Word, in UTF-16", lambda: with_entities(files.word(), "UTF-16"), BROKEN),
    ("entities in Word, in UTF-7", lambda: with_entities(files.word(), "UTF-7"), BROKEN),
    (
        "entities in an open document",
        lambda: files.changed(files.opendocument_text(), **{"content.xml": DOCTYPE + b"<a>&a;</a>"}),
        BROKEN,
    ),
]


@pytest.mark.parametrize(("make", "code"), [one[1:] for one in NAMED], ids=[one[0] for one in NAMED])
async def test_what_cannot_be_read_says_why(
    documents: Documents, make: Callable[[], bytes], code: ErrorCode
) -> None:
    assert (await refused(documents, make())).code == code


async def test_half_a_pdf_is_read_as_far_as_it_goes_or_is_broken(documents: Documents) -> None:
    whole = files.pdf([files.CANAL] * 50)
    try:
        assert files.CANAL in (await documents.read(whole[: len(whole) // 2])).text
    except MenagerieError as failure:
        assert failure.code in {BROKEN, EMPTY}  # noqa: PT017 - either will do


async def test_a_pdf_of_ten_thousand_pages_is_too_large(documents: Documents) -> None:
    failure = await refused(documents, files.pdf(["x"] * 10_000))
    assert (failure.code, failure.values) == (TOO_LARGE, {"limit": 5000, "unit": "pages"})
    assert "5000 pages" in failure.message("fr")


async def test_an_endless_tree_of_pages_ends(documents: Documents) -> None:
    began = time.monotonic()
    failure = await refused(documents, endless_pages())
    assert failure.code in {BROKEN, EMPTY}
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("size", [20_000_000, 400_000_000])
async def test_an_archive_that_unpacks_to_very_much_is_a_bomb(documents: Documents, size: int) -> None:
    bomb = files.changed(files.word(), **{"word/document.xml": b"<a>" + b" " * size + b"</a>"})
    assert len(bomb) < 1_000_000
    failure = await refused(documents, bomb)
    assert (failure.code, failure.values["unit"]) == (TOO_LARGE, "ratio")


async def test_an_archive_of_very_many_files_is_too_large(documents: Documents) -> None:
    failure = await refused(documents, zipped(**{f"word/{number}.xml": b"" for number in range(20_001)}))
    assert (failure.code, failure.values["unit"]) == (TOO_LARGE, "files")


async def test_a_sheet_of_very_many_cells_is_too_large(documents: Documents) -> None:
    numbers = random.Random(1)
    rows = ["".join(f"<c><v>{numbers.randrange(10**9)}</v></c>" for _ in range(150))] * 14_000
    sheet = (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
        + "".join(f"<row>{row}</row>" for row in rows)
        + "</sheetData></worksheet>"
    )
    body = files.changed(files.sheets(), **{"xl/worksheets/sheet1.xml": sheet.encode()})
    began = time.monotonic()
    failure = await refused(documents, body)
    assert (failure.code, failure.values["unit"]) == (TOO_LARGE, "cells")
    assert time.monotonic() - began < 60


async def test_pictures_and_programs_in_a_document_are_not_looked_at(documents: Documents) -> None:
    body = files.changed(
        files.word(), **{"word/vbaProject.bin": b"\0" * 300_000_000, "../../escape.xml": b"<a/>"}
    )
    assert "Ask the warden." in (await documents.read(body)).text


async def test_messages_within_messages_end(documents: Documents) -> None:
    header = b"From: a@b.ca\nTo: b@b.ca\nContent-Type: message/rfc822\n\n"
    began = time.monotonic()
    try:
        await documents.read(header * 20_000 + b"Subject: x\n\nText.")
    except MenagerieError as failure:
        assert failure.code == BROKEN  # noqa: PT017 - either will do
    assert time.monotonic() - began < 30


async def test_a_hundred_megabytes_of_text_are_cut(documents: Documents) -> None:
    body = b"Le canal Rideau. " * 6_000_000
    document = await documents.read(body, most=100_000)
    assert len(document.text) == 100_000
    assert document.characters > 90_000_000
    assert document.language == "fr"


async def test_what_is_beyond_the_limit_of_the_service_is_not_looked_at() -> None:
    documents = Documents(Settings(max_document=2048))
    failure = await refused(documents, b"x" * 2049)
    assert (failure.code, failure.values) == (TOO_LARGE, {"limit": 2048, "unit": "bytes"})
    assert "2048 octets" in failure.message("fr")
    await documents.close()


async def test_what_takes_too_long_is_left(documents: Documents, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS", 1)
    page = "<p " + " ".join(f"a{number}=1" for number in range(600_000)) + ">x</p>"
    failure = await refused(documents, page.encode(), kind="html")
    assert (failure.code, failure.values) == (TOO_LARGE, {"limit": 1, "unit": "seconds"})


@pytest.mark.parametrize("mark", ["\0", "\u200b", "\u202e", "\ufffe"])
async def test_what_no_person_sees_is_no_text(documents: Documents, mark: str) -> None:
    body = f"Le canal{mark} Rideau, pour 10\u00a0000 dollars. {'Il est ouvert. ' * 20}".encode()
    assert (await documents.read(body)).text.startswith("Le canal Rideau, pour 10 000 dollars.")
