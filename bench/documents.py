"""Documents: how fast their text is had, and what a page adds to a turn before its engine starts."""

from __future__ import annotations

import asyncio
import statistics
import time

from bench.figure import Figure
from menagerie.grounding.chunking import passages_of
from menagerie.grounding.documents import Documents
from menagerie.settings import Settings

PAGES = 1_000
LINES = 38
"""Of a page; some 2,500 characters."""
SENTENCES = (
    "Anyone in Canada may ask a federal institution for the records that it keeps.",
    "L’institution a trente jours pour répondre, ou plus si cela est raisonnable.",
    "What would harm a third party may be withheld.",
    "Quiconque n’est pas satisfait peut se plaindre à la commissaire.",
)
_RESOURCES = "/Resources << /Font << /F1 3 0 R >> >>"
GOAL = 100
ADDED_MS = 30


async def ingestion(repeats: int) -> list[Figure]:
    """Pages a second of a PDF of 1,000 pages, from its bytes to its passages, with the start of the program."""
    rates, reading, passages = [], [], 0
    for round_ in range(repeats):
        body = _pdf(PAGES, round_)
        documents = Documents(Settings())
        began = time.perf_counter()
        document = await documents.read(body)
        reading.append(time.perf_counter() - began)
        passages = len(list(passages_of(document, "document")))
        rates.append(PAGES / (time.perf_counter() - began))
        await documents.close()
        if document.pages != PAGES or len(document.text) < 2_000 * PAGES:
            raise RuntimeError(f"{document.pages} pages, {len(document.text)} characters")
    rate = statistics.median(rates)
    read = statistics.median(reading)
    detail = f"{PAGES} pages of 2,500 characters, {passages} passages, {repeats} times; read in {read:.2f} s"
    return [Figure("pages of PDF a second: text and passages", rate, f"≥ {GOAL}", rate >= GOAL, detail)]


async def pages(repeats: int) -> list[Figure]:
    """What reading a page of HTML takes: one that was read lately, one that is new, and one that finds no program
    ready for it. Fetching is not in it."""
    documents = Documents(Settings())
    known, fresh, cold = [], [], []
    for round_ in range(max(repeats, 5)):
        body = _html(round_)
        documents.prepare()
        await asyncio.sleep(2)
        fresh.append(await _timed(documents, body))
        known.append(await _timed(documents, body))
        cold.append(await _timed(documents, _html(-1 - round_)))
    await documents.close()
    size = len(_html(0)) // 1024
    return [
        _added("a page that was read lately", known, f"≤ {ADDED_MS}", size),
        _added("a new page", fresh, "", size),
        _added("a new page right behind another", cold, "", size),
    ]


def _added(what: str, seconds: list[float], goal: str, size: int) -> Figure:
    value = statistics.median(seconds) * 1000
    detail = f"{len(seconds)} times, {size} KiB of HTML; slowest {max(seconds) * 1000:.1f} ms"
    return Figure(f"ms to the text of {what}", value, goal, value <= ADDED_MS, detail)


async def _timed(documents: Documents, body: bytes) -> float:
    began = time.perf_counter()
    await documents.read(body, kind="html", address="http://a.ca/", most=200_000)
    return time.perf_counter() - began


def _html(number: int) -> bytes:
    sections = "".join(
        f"<h2>Section {section}</h2>" + f"<p>{number}. {' '.join(SENTENCES)}</p>" * 20
        for section in range(10)
    )
    menu = "<nav>" + "<li><a href='/'>Menu</a></li>" * 300 + "</nav>"
    return f"<!doctype html><title>Page {number}</title>{menu}<main><h1>Page</h1>{sections}</main>".encode()


def _pdf(pages: int, seed: int) -> bytes:
    """A PDF with lines of text, each page with a running head and its number."""
    kids = " ".join(f"{4 + 2 * page} 0 R" for page in range(pages))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Count {pages} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for page in range(pages):
        lines = [
            f"Guide {seed}",
            *(SENTENCES[(page + line) % 4] for line in range(LINES)),
            f"Page {page + 1}",
        ]
        shown = "".join(f"({line}) Tj T* " for line in lines)
        content = f"BT /F1 11 Tf 14 TL 50 800 Td {shown}ET"
        objects += [
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] {_RESOURCES} /Contents {5 + 2 * page} 0 R >>",
            f"<< /Length {len(content.encode('cp1252'))} >>\nstream\n{content}\nendstream",
        ]
    made, places = bytearray(b"%PDF-1.7\n"), []
    for number, one in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{one}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    made += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(made)}\n%%EOF\n"
    ).encode("ascii")
    return bytes(made)
