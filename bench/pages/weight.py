"""How many bytes the chat page takes before the first message, and whom it asks for them."""

from __future__ import annotations

import asyncio
import gzip

from playwright.sync_api import Response
from tests.browser.conftest import ask

from bench.figure import Figure
from bench.pages.browser import CHAT, at_most, stage

_KIB = 1000
"""Kilobytes as browsers show them."""


async def weight() -> list[Figure]:
    """The sizes after gzip (level 6) of every script and style sheet that the page loads until nothing has been
    requested for half a second, and the requests to other hosts, until an answer with a table, code and maths has been
    shown."""
    return await asyncio.to_thread(_weight)


def _weight() -> list[Figure]:
    with stage() as (browser, house):
        page = browser.new_page(base_url=house.origin)
        loaded: list[Response] = []
        elsewhere: list[str] = []
        page.on("response", lambda response: loaded.append(response))  # noqa: PLW0108
        page.on(
            "request",
            lambda asked: (
                None if asked.url.startswith((house.origin, "data:")) else elsewhere.append(asked.url)
            ),
        )
        page.goto(CHAT, wait_until="load")
        at_load = sum(_sizes(loaded, "script").values()) / _KIB
        page.wait_for_load_state("networkidle")
        before = {kind: _sizes(loaded, kind) for kind in ("script", "stylesheet", "font", "document")}
        loaded.clear()
        ask(page, "a table, code and maths")
        house.engine.wait_finished(2)
        page.wait_for_timeout(2000)
        after = {kind: _sizes(loaded, kind) for kind in ("script", "stylesheet", "font")}
    first = {kind: sum(sizes.values()) / _KIB for kind, sizes in before.items()}
    later = {kind: sum(sizes.values()) / _KIB for kind, sizes in after.items()}
    return [
        at_most(
            "chat page: scripts before the first message", first["script"], 90, "kB gzip",
            f"{len(before['script'])} files, {at_load:.1f} kB of them before the page has loaded; "
            f"{later['script']:.1f} kB more with the first answer",
        ),
        at_most(
            "chat page: style sheets before the first message", first["stylesheet"], 25, "kB gzip",
            f"{len(before['stylesheet'])} files; {later['stylesheet']:.1f} kB more with the first answer; "
            f"the document {first['document']:.1f} kB, fonts {first['font'] + later['font']:.0f} kB",
        ),
        at_most("chat page: requests to other hosts", len(elsewhere), 0, "requests", ", ".join(elsewhere) or "none"),
    ]  # fmt: skip


def _sizes(responses: list[Response], kind: str) -> dict[str, int]:
    """Bytes after gzip, by address: of fonts, which are compressed already, as they are."""
    bodies = {one.url: one.body() for one in responses if one.request.resource_type == kind and one.ok}
    return {
        url: len(body) if kind == "font" else len(gzip.compress(body, 6, mtime=0))
        for url, body in bodies.items()
    }
