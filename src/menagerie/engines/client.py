"""The one client of every text engine, child process or address: OpenAI's chat API over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import Any, Final

import aiohttp
import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest, Chunk, Usage

log = structlog.get_logger("menagerie.engines")

_CONNECT_SECONDS: Final = 10.0
_SMALL_CALL_SECONDS: Final = 30.0
_LONGEST_EVENT: Final = 1_048_576
_BYTES_A_TOKEN: Final = 3
"""For engines that cannot count: English and French text has about four bytes a token."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Error(msgspec.Struct):
    message: str = ""
    type: str | None = None
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Event(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | None = None


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Refusal(msgspec.Struct):
    error: _Error | str = ""


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_tokens = msgspec.json.Decoder(_Tokens).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode


class HttpEngine:
    """A text engine behind an address: a Unix socket's path or an `http(s)://…` base address.

    Connections are not kept: llama.cpp's listener closes idle ones without notice, and opening one costs 0.1 ms.
    `native` tells that the engine is ours: it takes LLGuidance grammars.
    """

    def __init__(self, address: str, *, key: str, model: str, token_timeout: float, native: bool) -> None:
        unix = address.endswith(".sock")
        connector = aiohttp.UnixConnector(path=address, limit=0, force_close=True) if unix else None
        self._session = aiohttp.ClientSession(
            connector=connector or aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS, sock_read=token_timeout),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_LONGEST_EVENT,
        )
        self._base = "http://engine" if unix else address.rstrip("/").removesuffix("/v1")
        self._model = model
        self._native = native
        self._counts = True
        self._token_timeout = token_timeout

    async def close(self) -> None:
        """Close every connection; running generations end with `engine.lost`."""
        await self._session.close()

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; see `TextEngine.chat`. Events that arrive together become one chunk."""
        try:
            async with self._session.post(
                f"{self._base}/v1/chat/completions",
                data=msgspec.json.encode(self._body(request)),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                if response.status != 200:
                    raise _refused(response.status, await response.content.read(_LONGEST_EVENT))
                async for chunk in _chunks(response.content):
                    yield chunk
        except TimeoutError as hung:
            raise MenagerieError(ErrorCode.ENGINE_TIMEOUT, seconds=int(self._token_timeout)) from hung
        except (aiohttp.ClientError, OSError) as lost:
            raise MenagerieError(ErrorCode.ENGINE_LOST) from lost

    async def count(self, text: str) -> int:
        """How many tokens `text` is; an estimate for an engine that does not tell."""
        if self._counts:
            with contextlib.suppress(aiohttp.ClientError, OSError, msgspec.DecodeError, TimeoutError):
                reply = await self._small_call("/tokenize", {"content": text})
                if reply is not None:
                    return len(_decode_tokens(reply).tokens)
                self._counts = False
        return len(text.encode()) // _BYTES_A_TOKEN + 1

    async def healthy(self) -> bool:
        """Whether the engine's listener answers: `/health`, or the list of models where it has no such path."""
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            for path in ("/health", "/v1/models"):
                async with self._session.get(
                    f"{self._base}{path}", timeout=aiohttp.ClientTimeout(total=5), allow_redirects=False
                ) as response:
                    if response.status == 200:
                        return True
        return False

    async def takes_system_messages(self) -> bool:
        """Whether the model's chat template has a place for a system message; asked of the template itself."""
        probe = "menagerie-probe"
        messages = [{"role": "system", "content": probe}, {"role": "user", "content": "?"}]
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
            reply = await self._small_call("/apply-template", {"messages": messages})
            return reply is not None and probe.encode() in reply
        return True

    async def _small_call(self, path: str, body: dict[str, Any]) -> bytes | None:
        async with self._session.post(
            f"{self._base}{path}",
            data=msgspec.json.encode(body),
            headers={"Content-Type": "application/json"},
            timeout=aiohttp.ClientTimeout(total=_SMALL_CALL_SECONDS),
            allow_redirects=False,
        ) as response:
            return await response.read() if response.status == 200 else None

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "messages": [_wire(message) for message in request.messages],
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if self._model:
            body["model"] = self._model
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if request.seed is not None:
            body["seed"] = request.seed
        if request.grammar and self._native:
            body["grammar"] = request.grammar
        elif request.schema is not None:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.schema},
            }
        return body


def _wire(message: Message) -> dict[str, str]:
    return {"role": message.role, "content": message.content}


async def _chunks(stream: aiohttp.StreamReader) -> AsyncGenerator[Chunk, None]:
    """Server-sent events to chunks. A stream that ends without `[DONE]` was cut: `engine.lost`."""
    rest = b""
    finish, usage = "", None
    async for data in stream.iter_any():
        rest += data
        if b"\r" in data:
            rest = rest.replace(b"\r\n", b"\n")
        if len(rest) > _LONGEST_EVENT:
            raise MenagerieError(ErrorCode.ENGINE_REFUSED)
        *events, rest = rest.split(b"\n\n")
        text = ""
        for event in events:
            if not event.startswith(b"data:"):
                continue
            payload = event[5:].strip()
            if payload == b"[DONE]":
                yield Chunk(text=text, finish=finish or "stop", usage=usage)
                return
            decoded = _decoded(payload)
            if decoded.choices:
                choice = decoded.choices[0]
                text += choice.delta.content or ""
                finish = choice.finish_reason or finish
            if decoded.usage is not None:
                usage = _usage(decoded.usage)
        if text:
            yield Chunk(text=text)
    raise MenagerieError(ErrorCode.ENGINE_LOST)


def _decoded(payload: bytes) -> _Event:
    try:
        event = _decode_event(payload)
    except msgspec.DecodeError as garbage:
        raise MenagerieError(ErrorCode.ENGINE_REFUSED) from garbage
    if event.error is not None:
        log.warning("engine.error_event", message=event.error.message[:500])
        raise _error(event.error)
    return event


def _usage(usage: _Usage) -> Usage:
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Usage(prompt=usage.prompt_tokens, cached=cached or 0, answer=usage.completion_tokens)


def _refused(status: int, body: bytes) -> MenagerieError:
    try:
        error = _decode_refusal(body).error
    except msgspec.DecodeError:
        error = ""
    if isinstance(error, str):
        error = _Error(message=error or body[:500].decode("utf-8", "replace"))
    log.warning("engine.refused", status=status, message=error.message[:500])
    if status in {429, 503}:
        return MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=2.0)
    return _error(error)


def _error(error: _Error) -> MenagerieError:
    if error.type == "exceed_context_size_error" and error.n_ctx:
        return MenagerieError(ErrorCode.PROMPT_TOO_LONG, tokens=error.n_prompt_tokens, window=error.n_ctx)
    if "context size" in error.message.lower():
        return MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=2.0)
    return MenagerieError(ErrorCode.ENGINE_REFUSED)
