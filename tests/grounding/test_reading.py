"""The programs that read: one for each document, ended with whoever asked, with the service, or saying too much."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import msgspec
import psutil
import pytest

from menagerie.grounding.reading import LateError, Readers, TooMuchError

ORDER = {"kind": "", "charset": "", "name": "", "most": 10_000, "main_only": True, "path": "", "seconds": 5}
SLOW = b"<p " + b"a=1 " * 5_000_000 + b">x</p>"
SERVICE = """
import asyncio
from menagerie.grounding.reading import Readers
async def main():
    readers = Readers()
    readers.prepare()
    await readers._ahead
    print("ready", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


def order(**changed: object) -> bytes:
    return msgspec.json.encode({**ORDER, **changed}) + b"\n"


def programs() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "read_document.py" in " ".join(one.cmdline())]


async def ask(readers: Readers, *, most: int = 10_000, seconds: float = 5, body: bytes = b"Text.") -> bytes:
    return await readers.ask(order(), body, seconds=seconds, most=most, warm=True)


async def ready(readers: Readers) -> psutil.Process:
    """The program that waits for an order."""
    readers.prepare()
    assert readers._ahead is not None
    process = await readers._ahead
    assert process is not None
    return psutil.Process(process.pid)


async def test_the_program_that_waits_reads_the_next_document_and_another_takes_its_place() -> None:
    readers = Readers()
    waiting = await ready(readers)
    assert b"Text." in await ask(readers)
    assert not waiting.is_running() or waiting.status() == psutil.STATUS_ZOMBIE
    assert await ready(readers) != waiting
    await readers.close()
    assert programs() == []


async def test_where_the_program_that_waits_has_died_another_reads() -> None:
    readers = Readers()
    (await ready(readers)).kill()
    await asyncio.sleep(0.1)
    assert b"Text." in await ask(readers)
    await readers.close()
    assert programs() == []


async def test_closed_nothing_is_left_and_nothing_begins() -> None:
    readers = Readers()
    readers.prepare()
    await readers.close()
    readers.prepare()
    await asyncio.sleep(0)
    assert programs() == []


async def test_one_that_says_too_much_or_takes_too_long_is_ended() -> None:
    readers = Readers()
    with pytest.raises(TooMuchError):
        await ask(readers, most=1000, body=b"Text. " * 1000)
    with pytest.raises(LateError):
        await ask(readers, seconds=-100, body=SLOW)
    await readers.close()
    assert programs() == []


async def test_whoever_goes_away_ends_the_program() -> None:
    readers = Readers()
    leaving = asyncio.create_task(ask(readers, body=SLOW))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    await readers.close()
    assert programs() == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does this")
async def test_the_program_ends_with_its_service() -> None:
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVICE, stdout=asyncio.subprocess.PIPE, env={**os.environ}
    )
    assert service.stdout is not None
    assert await service.stdout.readline() == b"ready\n"
    (program,) = psutil.Process(service.pid).children()
    service.send_signal(signal.SIGKILL)
    await service.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        program.wait(5)
    assert not program.is_running()
