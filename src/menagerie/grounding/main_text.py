"""The text of a page, found by a program in a process of its own (`workers/main_text`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.net.page import Page

log = structlog.get_logger("menagerie.grounding")

SECONDS: Final = 15.0

_WORKER: Final = Path(__file__).parent / "workers" / "main_text.py"
_PASSED_ON: Final = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")


class MainText(msgspec.Struct, frozen=True):
    """What a page says. `characters` is how long `text` was before it was cut."""

    title: str
    text: str
    characters: int


async def find_text(page: Page, most: int, seconds: float = SECONDS) -> MainText:
    """Title and main text of a page, at most `most` characters of it.

    Raises `source.unreadable` where there is none, or it is not found within `seconds` and the memory that the program
    may use.
    """
    order = msgspec.json.encode({"kind": page.kind, "charset": page.charset, "most": most}) + b"\n"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        str(_WORKER),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(order + page.body)
        found = msgspec.json.decode(answer, type=MainText)
    except (TimeoutError, msgspec.DecodeError, ConnectionError) as failure:
        log.info("page.unreadable", status=process.returncode, failure=type(failure).__name__)
        raise MenagerieError(ErrorCode.SOURCE_UNREADABLE) from failure
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if not found.text:
        raise MenagerieError(ErrorCode.SOURCE_UNREADABLE)
    return found
