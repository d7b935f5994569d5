"""Rows answered by a running service, over its own interfaces: `/toil` under a schema, `/gpt` for text."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import msgspec

from menagerie.batches.failures import AnswerError
from menagerie.batches.pace import MOST
from menagerie.batches.rows import Row
from menagerie.batches.work import Work
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language
from menagerie.net.client import NetworkError, open_client, read_limited, send
from menagerie.settings import Settings

PRIORITY: Final = {"X-Menagerie-Priority": "batch"}
"""Asks a service to let people go first."""
FINISH_HEADER: Final = "X-Menagerie-Finish"
LARGEST_ANSWER: Final = 16 * 1_048_576

_PASSING: Final = frozenset({408, 425, 429, 502, 503, 504})
_OURSELVES: Final = frozenset({401, 403})
"""Statuses that say nothing of a row, but of who asks."""


class _Error(msgspec.Struct):
    code: str
    message: str
    retry_after: float | None = None


class _Refusal(msgspec.Struct):
    error: _Error


class _Engine(msgspec.Struct):
    state: str
    slots: int = 0


class _Overview(msgspec.Struct):
    engines: list[_Engine]


class _Stats(msgspec.Struct):
    overview: _Overview


class ServiceAsk:
    """An `Ask` of the service at `url`. To be made by `service_at`."""

    def __init__(self, client: aiohttp.ClientSession, url: str, key: str, work: Work) -> None:
        self._client = client
        self._url = url.rstrip("/")
        self._work = work
        self._headers = {"Accept": "application/json", "Accept-Language": work.language, **PRIORITY}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    async def __call__(self, row: Row) -> bytes:
        """The line of a row's answer."""
        work = self._work
        prompt = work.prompt(row)
        persona = quote(work.persona, safe="")
        if work.compiled is None:
            body = urlencode({"prompt": prompt}).encode()
            answer, finish = await self._post(f"/gpt/{persona}", body, "application/x-www-form-urlencoded")
        else:
            body = msgspec.json.encode({"prompt": prompt, "schema": work.schema})
            answer, finish = await self._post(f"/toil/{persona}", body, "application/json")
        return work.answer_line(row, answer, finish)

    async def check(self) -> None:
        """Whether the service knows the persona. Raises `AnswerError` where it does not, or does not answer."""
        async with self._asked("GET", f"/describe/{quote(self._work.persona, safe='')}") as response:
            if response.status != 200:
                raise await self._refusal(response)

    async def slots(self) -> int | None:
        """The slots of the service's largest engine that is ready; None where it does not tell."""
        try:
            async with self._asked("GET", "/platform/stats.json") as response:
                stats = msgspec.json.decode(await read_limited(response, LARGEST_ANSWER), type=_Stats)
        except (AnswerError, NetworkError, msgspec.DecodeError):
            return None
        ready = [engine.slots for engine in stats.overview.engines if engine.state == "ready"]
        return max(ready, default=None)

    async def _post(self, path: str, body: bytes, kind: str) -> tuple[str, str]:
        async with self._asked("POST", path, body, {"Content-Type": kind}) as response:
            if response.status != 200:
                raise await self._refusal(response)
            answer = await read_limited(response, LARGEST_ANSWER)
            return answer.decode("utf-8", "replace"), response.headers.get(FINISH_HEADER, "")

    @asynccontextmanager
    async def _asked(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> AsyncGenerator[aiohttp.ClientResponse, None]:
        try:
            sent = {**self._headers, **(headers or {})}
            async with send(self._client, method, self._url + path, body, headers=sent) as response:
                yield response
        except NetworkError as failure:
            raise self._unreachable(failure) from failure

    def _unreachable(self, failure: NetworkError) -> AnswerError:
        """The service is not there; or it went away in the middle of an answer, which concerns that row alone."""
        language: Language = self._work.language
        if failure.reason == "interrupted":
            return AnswerError.of(MenagerieError(ErrorCode.ENGINE_LOST), language)
        gone = AnswerError.of(MenagerieError(ErrorCode.SERVICE_UNREACHABLE, url=self._url), language)
        gone.passing, gone.fatal = failure.reason == "unreachable", True
        return gone

    async def _refusal(self, response: aiohttp.ClientResponse) -> AnswerError:
        """What the service says of a row that it does not answer."""
        body = await read_limited(response, LARGEST_ANSWER)
        try:
            told = msgspec.json.decode(body, type=_Refusal).error
        except (msgspec.DecodeError, UnicodeDecodeError):
            error = MenagerieError(ErrorCode.SERVICE_REFUSED, url=self._url, number=response.status)
            refusal = AnswerError.of(error, self._work.language)
            refusal.passing, refusal.fatal = response.status in _PASSING, True
            return refusal
        fatal = response.status in _OURSELVES or told.code == ErrorCode.PERSONA_UNKNOWN
        passing = True if response.status == 429 else None
        return AnswerError(
            told.code, told.message, retry_after=told.retry_after, passing=passing, fatal=fatal
        )


@asynccontextmanager
async def service_at(url: str, key: str, work: Work, settings: Settings) -> AsyncGenerator[ServiceAsk, None]:
    """A way to ask the service at `url`."""
    patience_s = settings.turn_timeout + 60
    async with open_client(
        settings, connections=MOST, read_seconds=patience_s, proxies=not _is_here(url)
    ) as client:
        yield ServiceAsk(client, url, key, work)


async def answers(url: str, settings: Settings) -> bool:
    """Whether a menagerie is running at `url`."""
    try:
        async with (
            open_client(settings, read_seconds=10, proxies=not _is_here(url)) as client,
            send(client, "GET", url.rstrip("/") + "/healthz") as response,
        ):
            told = msgspec.json.decode(await read_limited(response, 65_536))
    except (NetworkError, msgspec.DecodeError, UnicodeDecodeError):
        return False
    return isinstance(told, dict) and told.get("status") == "alive"


def _is_here(url: str) -> bool:
    """Whether an address is of this machine: no proxy leads there."""
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host.startswith("127.") or host == "::1"
