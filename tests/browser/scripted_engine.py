"""An engine at an address whose answers follow what the prompt says, and stop where a test wants them to.

It speaks as much of OpenAI's chat API as the service asks for (`/health`, `/tokenize`, `/v1/chat/completions` as a
stream), and serves one page to be read for an answer. It lives in a thread of its own, so it outlives the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.browser.answers import ANSWERS, LONG_PAGE, PLAIN, SLOW_TOKENS, tokens_of

WAITS_S: Final = 20.0
"""So long a test waits for the engine to come to something."""


@dataclass
class Held:
    """An answer that waits in its middle until the test lets it go."""

    prompt: str
    sent: str
    go: asyncio.Event = field(default_factory=asyncio.Event)


class ScriptedEngine:
    """What it was asked, and how it answers.

    Words in the prompt choose the answer (`ANSWERS`) and how it comes: `slow` and `long` take their own texts, `hold`
    waits after the first eight tokens until `let_go`, `hang` never begins, `fail` ends in an error after eight tokens,
    `lost` in a broken connection. All else comes at `pace_s` seconds a token.
    """

    def __init__(self) -> None:
        self.url = ""
        self.pace_s = 0.0
        self.slow_pace_s = 0.02
        self.prompts: list[str] = []
        self.requests: list[dict[str, Any]] = []
        self.left = 0
        """Clients that went away in the middle of an answer."""
        self.finished = 0
        """Answers that were sent to their end."""
        self.sent: list[int] = []
        """Tokens that were sent of each answer, in the order of asking."""
        self._held: list[Held] = []
        self._loop = asyncio.new_event_loop()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-engine", daemon=True)
        self._runner: web.AppRunner | None = None

    def start(self) -> None:
        """Listen, in a thread of its own."""
        self._thread.start()
        self.url = (
            f"http://127.0.0.1:{asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)}"
        )

    def close(self) -> None:
        """End all answers and the thread."""
        assert self._runner
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # What a test says and waits for

    def forget(self) -> None:
        """Begin anew: nothing was asked, nobody is held."""
        self.let_go()
        with self._changed:
            self.prompts.clear()
            self.requests.clear()
            self.left = 0
            self.finished = 0
            self.sent.clear()
        self.pace_s, self.slow_pace_s = 0.0, 0.02

    def wait_asked(self, times: int) -> None:
        """Until it was asked so often."""
        self._wait(lambda: len(self.prompts) >= times, f"asked {times} times")

    def wait_held(self, answers: int = 1) -> None:
        """Until so many answers wait in their middle."""
        self._wait(lambda: len(self._held) >= answers, f"{answers} answers held")

    def wait_sent(self, tokens: int, of_answer: int) -> None:
        """Until so many tokens of one answer, by its number from 1, have been sent."""
        self._wait(
            lambda: len(self.sent) >= of_answer and self.sent[of_answer - 1] >= tokens, f"at token {tokens}"
        )

    def wait_finished(self, times: int = 1, within_s: float = WAITS_S) -> None:
        """Until so many answers were sent to their end."""
        self._wait(lambda: self.finished >= times, f"finished {times} times", within_s)

    def wait_left(self, times: int = 1) -> None:
        """Until so many clients have gone away in the middle."""
        self._wait(lambda: self.left >= times, f"left {times} times")

    def let_go(self) -> None:
        """All answers that wait go on to their end."""
        with self._changed:
            held, self._held = self._held, []
        for one in held:
            self._loop.call_soon_threadsafe(one.go.set)

    def _wait(self, condition: Callable[[], bool], what: str, within_s: float = WAITS_S) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, within_s), f"the engine was not {what}: {self.prompts}"

    # What the service hears

    async def _serve(self) -> int:
        app = web.Application(client_max_size=64 * 1_048_576)
        app.router.add_get("/health", _healthy)
        app.router.add_get("/page", _page)
        app.router.add_post("/tokenize", _tokenize)
        app.router.add_post("/apply-template", _template)
        app.router.add_post("/v1/chat/completions", self._chat)
        # The same engine under a name of its own: the service takes it for another, with a queue of its own.
        app.router.add_get("/narrow/health", _healthy)
        app.router.add_post("/narrow/tokenize", _tokenize)
        app.router.add_post("/narrow/apply-template", _template)
        app.router.add_post("/narrow/v1/chat/completions", self._chat)
        self._runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        return int(self._runner.addresses[0][1])

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        prompt = _asked(body["messages"])
        with self._changed:
            self.prompts.append(prompt)
            self.requests.append(body)
            self.sent.append(0)
            number = len(self.sent) - 1
            self._changed.notify_all()
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        try:
            await response.prepare(request)
            await self._answer(request, prompt, body, response, number)
        except (asyncio.CancelledError, ConnectionError):
            with self._changed:
                self.left += 1
                self._held = [one for one in self._held if one.prompt != prompt]
                self._changed.notify_all()
            raise
        return response

    async def _answer(
        self,
        request: web.Request,
        prompt: str,
        body: dict[str, Any],
        response: web.StreamResponse,
        asked: int,
    ) -> None:
        if "hang" in _words(prompt):
            await asyncio.Event().wait()
        text = answer_to(prompt)
        breaks = _words(prompt) & {"hold", "fail", "lost"}
        pace = self.slow_pace_s if "slow" in _words(prompt) else self.pace_s
        loop = asyncio.get_running_loop()
        began = loop.time()
        sent, number = "", 0
        for number, token in enumerate(tokens_of(text), 1):
            if breaks and number == 9:
                if "fail" in breaks:
                    await response.write(
                        b'data: {"error": {"message": "out of straw", "type": "server_error"}}\n\n'
                    )
                    return
                if "lost" in breaks:
                    assert request.transport
                    request.transport.abort()
                    return
                await self._hold(prompt, sent)
                began = loop.time() - number * pace
            if (early := began + number * pace - loop.time()) > 0:
                await asyncio.sleep(early)
            await response.write(_event({"choices": [{"index": 0, "delta": {"content": token}}]}))
            sent += token
            with self._changed:
                if asked < len(self.sent):
                    self.sent[asked] = number
                self._changed.notify_all()
            if number == body.get("max_tokens"):
                break
        finish = "length" if number == body.get("max_tokens") else "stop"
        usage = {"prompt_tokens": 100, "completion_tokens": number, "total_tokens": 100 + number}
        await response.write(_event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}))
        await response.write(_event({"choices": [], "usage": usage}) + b"data: [DONE]\n\n")
        with self._changed:
            self.finished += 1
            self._changed.notify_all()

    async def _hold(self, prompt: str, sent: str) -> None:
        held = Held(prompt, sent)
        with self._changed:
            self._held.append(held)
            self._changed.notify_all()
        await held.go.wait()


def answer_to(prompt: str) -> str:
    """The whole text with which a prompt is answered."""
    words = _words(prompt)
    return "\n\n".join(ANSWERS[word] for word in ANSWERS if word in words) or PLAIN


@contextmanager
def scripted_engine() -> Iterator[ScriptedEngine]:
    """An engine that listens, closed in the end."""
    engine = ScriptedEngine()
    engine.start()
    try:
        yield engine
    finally:
        engine.let_go()
        engine.close()


def _words(prompt: str) -> set[str]:
    return set(re.findall(r"\w+", prompt.lower()))


def _asked(messages: list[dict[str, Any]]) -> str:
    """What the person said last, without what was handed over before it."""
    content = next(one["content"] for one in reversed(messages) if one["role"] == "user")
    if not isinstance(content, str):
        content = "".join(part.get("text", "") for part in content)
    return str(content).rpartition("\n\n")[2]


def _event(payload: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(payload).encode() + b"\n\n"


async def _healthy(_: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


async def _page(_: web.Request) -> web.Response:
    return web.Response(text=LONG_PAGE, content_type="text/html", charset="utf-8")


async def _tokenize(request: web.Request) -> web.Response:
    text = ""
    with contextlib.suppress(ValueError, KeyError):
        text = (await request.json())["content"]
    return web.json_response({"tokens": list(range(len(tokens_of(text))))})


async def _template(request: web.Request) -> web.Response:
    return web.json_response({"prompt": await request.text()})


__all__ = ["SLOW_TOKENS", "ScriptedEngine", "answer_to", "scripted_engine"]
