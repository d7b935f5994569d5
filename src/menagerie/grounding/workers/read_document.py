"""The program that reads a document: native parsers and slow heuristics meet the bytes of strangers here, where they
can be ended, and not in the service.

It reads one line of JSON, the order, from stdin, and behind it the document, unless the order names its path. It
writes one object of JSON to stdout, an outline or a failure, and ends. Started with `--ahead` it makes itself ready
for pages before the order comes, and says so with an empty line.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import json
import logging
import os
import signal
import sys
import threading
import warnings
from pathlib import Path
from typing import Any, Final

from menagerie.grounding.workers.formats.archive import Archive
from menagerie.grounding.workers.formats.kinds import kind_of
from menagerie.grounding.workers.formats.outline import Outline, UnreadableError, line

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_NICE: Final = 10
_PR_SET_PDEATHSIG: Final = 1
_MEMORY: Final = 3 << 29
"""Bytes of address space: 1.5 GiB."""


def main() -> None:
    """Answer the one order."""
    _limit()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    gc.disable()
    if "--ahead" in sys.argv[1:]:
        _make_ready()
    order = json.loads(sys.stdin.buffer.readline() or b"null")
    if order is None:
        return
    _limit_time(order["seconds"])
    answer = json.dumps(_answer(order), ensure_ascii=False).encode("utf-8", "replace")
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    os._exit(0)  # nothing is to be tidied up, and whoever waits need not wait for it


def _make_ready() -> None:
    """Import what every page needs; and, behind whatever else the machine has to do, what some pages need."""
    importlib.import_module("menagerie.grounding.workers.formats.html")
    threading.Thread(target=_import_slowly, daemon=True).start()
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()


def _import_slowly() -> None:
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
    importlib.import_module("trafilatura")


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    try:
        body = Path(order["path"]).read_bytes() if order["path"] else sys.stdin.buffer.read()
        outline = read(body, order)
        return {
            "title": line(outline.title),
            "parts": outline.parts,
            "pages": outline.pages,
            "pages_without_text": outline.pages_without_text,
            "characters": int(outline.characters * outline.longer),
        }
    except UnreadableError as reason:
        return {"failure": reason.failure, **reason.values}
    except MemoryError:
        return {"failure": "too_large", "limit": _MEMORY >> 20, "unit": "memory"}
    except Exception:  # noqa: BLE001 - whatever a parser trips over, the file is what is broken
        return {"failure": "broken"}


def read(body: bytes, order: dict[str, Any]) -> Outline:
    """The outline of a document. Raises `UnreadableError`."""
    outline = Outline(order["most"])
    if not body.strip(b"\0\t\r\n "):
        raise UnreadableError("empty")
    kind = kind_of(body, order["kind"], order["name"])
    _read(kind, body, order, outline)
    outline.end()
    if not outline.parts:
        raise UnreadableError("empty")
    return outline


def _read(kind: str, body: bytes, order: dict[str, Any], outline: Outline) -> None:
    from menagerie.grounding.workers.formats import plain

    match kind:
        case "pdf":
            from menagerie.grounding.workers.formats.pdf import read_pdf

            read_pdf(body, outline)
        case "word":
            from menagerie.grounding.workers.formats.word import read_word

            read_word(Archive(body), outline)
        case "slides":
            from menagerie.grounding.workers.formats.slides import read_slides

            read_slides(Archive(body), outline)
        case "sheets":
            from menagerie.grounding.workers.formats.sheets import read_sheets

            read_sheets(Archive(body), outline)
        case "opendocument":
            from menagerie.grounding.workers.formats.opendocument import read_opendocument

            read_opendocument(Archive(body), outline)
        case "mail":
            from menagerie.grounding.workers.formats.mail import read_mail

            read_mail(body, outline)
        case "html":
            from menagerie.grounding.workers.formats.html import read_html

            read_html(body, order["charset"], outline, main_only=order["main_only"])
        case "markdown":
            plain.read_markdown(body, order["charset"], outline, order["most"])
        case "csv":
            plain.read_csv(body, order["charset"], outline, order["most"])
        case _:
            plain.read_plain(body, order["charset"], outline, order["most"])


def _limit() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _limit_time(seconds: int) -> None:
    if resource is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))


if __name__ == "__main__":
    main()
