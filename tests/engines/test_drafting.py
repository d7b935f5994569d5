"""Drafting changes how fast an answer comes, never what it says."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import msgspec
import pytest

from menagerie.engines.child import Child
from menagerie.engines.plan import Load

pytestmark = pytest.mark.engine

TEXT = "one two three four five six seven eight nine ten. " * 6
PROMPTS = (f"{TEXT}Again.", "one two three", f"{TEXT}Once more: one two", "Hello", TEXT, "again and again")


class Asker:
    """Asks an engine for the most likely answer."""

    def __init__(self, child: Child, session: aiohttp.ClientSession) -> None:
        self._child = child
        self._session = session

    async def answer(self, prompt: str, **more: object) -> dict[str, Any]:
        body = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 120, "temperature": 0} | more
        headers = {"Authorization": f"Bearer {self._child.key}"}
        async with self._session.post(
            "http://engine/v1/chat/completions", json=body, headers=headers
        ) as reply:
            return dict(await reply.json())

    async def text(self, prompt: str, **more: object) -> str:
        return str((await self.answer(prompt, **more))["choices"][0]["message"]["content"])


@contextlib.asynccontextmanager
async def asker(load: Load) -> AsyncGenerator[Asker, None]:
    child = await Child.start(load, 60)
    try:
        connector = aiohttp.UnixConnector(child.address, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            yield Asker(child, session)
    finally:
        await child.stop()


@pytest.fixture
def drafting(tiny_load: Load) -> Load:
    return msgspec.structs.replace(tiny_load, draft=6)


async def test_tokens_are_drafted_and_some_are_right(drafting: Load) -> None:
    async with asker(drafting) as engine:
        timings = (await engine.answer(PROMPTS[0]))["timings"]
    assert 0 < timings["draft_n_accepted"] <= timings["draft_n"]


async def test_without_it_none_are_drafted(tiny_load: Load) -> None:
    async with asker(tiny_load) as engine:
        assert "draft_n" not in (await engine.answer(PROMPTS[0]))["timings"]


@pytest.mark.parametrize("grammar", ["", "%llguidance {}\n" + 'start: ("one two three " | /[0-9]/){30}'])
async def test_the_most_likely_answer_is_the_same_with_it(
    grammar: str, tiny_load: Load, drafting: Load
) -> None:
    more = {"grammar": grammar} if grammar else {}
    async with asker(tiny_load) as plain, asker(drafting) as drafter:
        for prompt in PROMPTS:
            assert await drafter.text(prompt, **more) == await plain.text(prompt, **more)


async def test_several_at_once_draft_each_for_itself(drafting: Load) -> None:
    """What they say may differ from what each says alone, as it may without drafting: sums of another order round
    another way, and random weights have near ties."""
    async with asker(drafting) as drafter:
        answers = await asyncio.gather(*map(drafter.answer, PROMPTS))
    assert all(answer["choices"][0]["finish_reason"] in {"stop", "length"} for answer in answers)
    assert all(answer["usage"]["completion_tokens"] > 0 for answer in answers)
    drafts = [answer["timings"].get("draft_n", 0) for answer in answers]
    assert sum(count > 0 for count in drafts) >= 2
