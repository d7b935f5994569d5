"""Documents of every kind, written by the libraries that people's applications resemble, and by hand where none would
write such a thing."""

from __future__ import annotations

import io
import re
import zipfile
from email.message import EmailMessage
from typing import Any, Final

import docx
import odfdo
import openpyxl
import pptx
import pypdfium2 as pdfium
from docx.oxml.parser import OxmlElement
from PIL import Image
from pptx.util import Inches

CANAL: Final = "The Rideau Canal begins at the foot of Parliament Hill."
FRENCH: Final = "Le canal Rideau commence au pied de la colline du Parlement, et il est ouvert en été."


def word(**properties: str) -> bytes:
    """Headings, a list, a table, a text that was struck out and one that was put in."""
    document = docx.Document()
    document.core_properties.title = properties.get("title", "")
    document.add_heading("Fees", 1)
    document.add_paragraph("What a permit costs.")
    document.add_heading("Camping", 2)
    document.add_paragraph("With fire", style="List Bullet")
    document.add_paragraph("Without fire", style="List Bullet")
    table = document.add_table(rows=3, cols=2)
    for row, cells in zip(table.rows, [("Site", "Fee"), ("A | B", "11.50"), ("C", "12")], strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_heading("Boating", 2)
    paragraph = document.add_paragraph("Ask the warden.")
    for tag, inside, text in (("w:ins", "w:t", " Put in."), ("w:del", "w:delText", " Struck out.")):
        change = OxmlElement(tag)
        run, words = OxmlElement("w:r"), OxmlElement(inside)
        words.text = text
        run.append(words)
        change.append(run)
        paragraph._p.append(change)
    return _saved(document)


def without_properties(made: bytes) -> bytes:
    """A file of Word's or PowerPoint's as some programs write it: it says neither who made it nor what it is called."""
    left = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(made)) as whole, zipfile.ZipFile(left, "w") as part:
        for name in whole.namelist():
            if name == "docProps/core.xml":
                continue
            content = whole.read(name)
            if name in {"_rels/.rels", "[Content_Types].xml"}:
                content = re.sub(rb"<(Relationship|Override) [^>]*core\.xml[^>]*/>", b"", content)
            part.writestr(name, content)
    return left.getvalue()


def slides(title: str = "") -> bytes:
    """Two slides with titles, a table and notes."""
    deck = pptx.Presentation()
    deck.core_properties.title = title
    first = deck.slides.add_slide(deck.slide_layouts[1])
    first.shapes.title.text = "Opening"
    first.placeholders[1].text = CANAL
    first.notes_slide.notes_text_frame.text = "Smile."
    second = deck.slides.add_slide(deck.slide_layouts[5])
    second.shapes.title.text = "Fees"
    table = second.shapes.add_table(2, 2, Inches(1), Inches(1), Inches(4), Inches(1)).table
    for row, cells in enumerate([("Lock", "Fee"), ("Hogs Back", "9")]):
        for column, text in enumerate(cells):
            table.cell(row, column).text = text
    return _saved(deck)


def sheets() -> bytes:
    """Two sheets, the second of which has a cell far away."""
    book = openpyxl.Workbook()
    book.active.title = "Fees"
    for row in [("Site", "Fee", "Open"), ("A", 11.5, True), (None, None, None), ("C", 12, None)]:
        book.active.append(row)
    other = book.create_sheet("Tarifs")
    other["A1"] = "Emplacement"
    other["B1"] = "Prix"
    other["XFD900000"] = "loin"
    return _saved(book)


def opendocument_text() -> bytes:
    """Headings, a list, a table."""
    document = odfdo.Document("text")
    body = document.body
    body.clear()
    body.append(odfdo.Header(1, "Tarifs"))
    body.append(odfdo.Paragraph(FRENCH))
    body.append(odfdo.Header(2, "Camping"))
    body.append(odfdo.List(["Avec feu", "Sans feu"]))
    table = odfdo.Table("T", width=2, height=2)
    for row, cells in enumerate([("Emplacement", "Prix"), ("A", "11,50")]):
        for column, text in enumerate(cells):
            table.set_value((column, row), text)
    body.append(table)
    return _saved(document)


def opendocument_sheet() -> bytes:
    """A sheet that is filled to its end with rows and columns that are empty."""
    document = odfdo.Document("spreadsheet")
    document.body.clear()
    table = odfdo.Table("Tarifs")
    table.set_value((0, 0), "Emplacement")
    table.set_value((1, 0), "Prix")
    table.set_value((0, 1), "A")
    table.set_value((1, 1), 11.5)
    row = odfdo.Row()
    row.repeated = 1_048_574
    cell = odfdo.Cell(None)
    cell.repeated = 16_384
    row.append(cell)
    table.append(row)
    document.body.append(table)
    return _saved(document)


def opendocument_slides() -> bytes:
    """One slide."""
    document = odfdo.Document("presentation")
    document.body.clear()
    page = odfdo.DrawPage("p1", name="One")
    title = odfdo.Frame.text_frame("Ouverture", presentation_class="title")
    page.append(title)
    page.append(odfdo.Frame.text_frame(FRENCH))
    document.body.append(page)
    return _saved(document)


def mail(html: bool = False) -> bytes:
    """A message with an attachment."""
    message = EmailMessage()
    message["From"] = "Ana Roy <ana@example.ca>"
    message["To"] = "bo@example.ca"
    message["Date"] = "Thu, 26 Nov 2026 09:00:00 -0500"
    message["Subject"] = "Ouverture de l’écluse"
    if html:
        message.set_content("<h1>Écluse</h1><p>Elle ouvre <b>demain</b>.</p>", subtype="html")
    else:
        message.set_content("Elle ouvre demain.\n")
        message.add_alternative("<p>Autre chose.</p>", subtype="html")
    message.add_attachment(b"%PDF-1.4 secret", maintype="application", subtype="pdf", filename="../plan.pdf")
    return message.as_bytes()


def pdf(pages: list[str], *, outline: list[tuple[str, int]] | None = None, title: str = "") -> bytes:
    """A PDF with these pages, each line of a page a line there, and an outline of names and page numbers from 0."""
    kids = " ".join(f"{4 + 2 * number} 0 R" for number in range(len(pages)))
    objects = [
        "<< /Type /Catalog /Pages 2 0 R %s>>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{kids}] >>",
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    for number, text in enumerate(pages):
        lines = "".join(f"({_escaped(one)}) Tj T* " for one in text.split("\n"))
        content = f"BT /F1 11 Tf 14 TL 50 800 Td {lines}ET"
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> "
            f"/Contents {5 + 2 * number} 0 R >>"
        )
        objects.append(f"<< /Length {len(content.encode('cp1252'))} >>\nstream\n{content}\nendstream")
    if outline:
        root, first = len(objects) + 1, len(objects) + 2
        last = first + len(outline) - 1
        objects.append(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R /Count {len(outline)} >>")
        for number, (name, page) in enumerate(outline):
            after = f"/Next {first + number + 1} 0 R " if first + number < last else ""
            objects.append(
                f"<< /Title ({_escaped(name)}) /Parent {root} 0 R {after}/Dest [{4 + 2 * page} 0 R /Fit] >>"
            )
        objects[0] %= f"/Outlines {root} 0 R "
    else:
        objects[0] %= ""
    info = ""
    if title:
        objects.append(f"<< /Title ({_escaped(title)}) >>")
        info = f"/Info {len(objects)} 0 R "
    return _pdf_of(objects, info)


def _pdf_of(objects: list[str], more: str) -> bytes:
    made = bytearray(b"%PDF-1.7\n")
    places = []
    for number, one in enumerate(objects, 1):
        places.append(len(made))
        made += f"{number} 0 obj\n{one}\nendobj\n".encode("cp1252")
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    made += (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R {more}>>\nstartxref\n{len(made)}\n%%EOF\n"
    ).encode("cp1252")
    return bytes(made)


def scanned(pages: int, *texts: str) -> bytes:
    """A PDF of `pages` pictures, with pages of text behind them."""
    document = pdfium.PdfDocument(pdf(list(texts))) if texts else pdfium.PdfDocument.new()
    for index in range(pages):
        bitmap = pdfium.PdfBitmap.from_pil(Image.new("RGB", (60, 80), (200, 200, 200)))
        image = pdfium.PdfImage.new(document)
        image.set_bitmap(bitmap)
        image.set_matrix(pdfium.PdfMatrix().scale(595, 842))
        page = document.new_page(595, 842, index)
        page.insert_obj(image)
        page.gen_content()
    saved = io.BytesIO()
    document.save(saved)
    document.close()
    return saved.getvalue()


def changed(archive: bytes, **members: bytes) -> bytes:
    """The archive with other members in the place of some; `__` in a name is a slash."""
    given = {name.replace("__", "/"): content for name, content in members.items()}
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            if member.filename not in given:
                new.writestr(member.filename, old.read(member))
        for name, content in given.items():
            new.writestr(name, content)
    return made.getvalue()


def member(archive: bytes, name: str) -> bytes:
    """What is in a member."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return opened.read(name)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _saved(document: Any) -> bytes:
    made = io.BytesIO()
    document.save(made)
    return made.getvalue()
