"""The one client of every text engine, child process or address: OpenAI's chat API over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Generator, Sequence
from typing import Any, Final, Self

import aiohttp
import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest, Chunk, Scores, Vectors
from menagerie.engines.completion import CompletionStream, refusal

_CONNECT_SECONDS: Final = 10.0
_HEALTH_SECONDS: Final = 5.0
_SMALL_CALL_SECONDS: Final = 30.0
_LONGEST_REFUSAL: Final = 65_536
_LONGEST_REPLY: Final = 64 * 1_048_576
"""The tokens of the longest prompt, as decimal numbers; the vectors of some thousands of texts."""
_BUFFER: Final = 65_536
"""Bytes kept for a reader that is slower than the engine; then the engine's writes wait."""
_SAMPLING: Final = ("temperature", "seed", "top_p", "frequency_penalty", "presence_penalty")
_BYTES_A_TOKEN: Final = 3
"""For engines that cannot count: English and French text has about four bytes a token."""


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    total_tokens: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


class _Score(msgspec.Struct):
    index: int
    relevance_score: float


class _Scores(msgspec.Struct):
    results: list[_Score]
    usage: _Usage | None = None


_decode_tokens = msgspec.json.Decoder(_Tokens).decode
_decode_vectors = msgspec.json.Decoder(_Vectors).decode
_decode_scores = msgspec.json.Decoder(_Scores).decode


class HttpEngine:
    """A text engine behind an address: a Unix socket's path or an `http(s)://…` base address.

    Connections are not kept: llama.cpp's listener closes idle ones without notice, and opening one costs 0.1 ms.
    `native` tells that the engine is ours: it takes LLGuidance grammars and tells how far it is with a prompt. It is
    given no schema: llama.cpp's own way from a schema to a grammar has no bounds.
    """

    def __init__(self, address: str, *, key: str, model: str, token_timeout: float, native: bool) -> None:
        unix = address.endswith(".sock")
        connector = aiohttp.UnixConnector(path=address, limit=0, force_close=True) if unix else None
        self._session = aiohttp.ClientSession(
            connector=connector or aiohttp.TCPConnector(limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None, connect=_CONNECT_SECONDS),
            headers=({"Authorization": f"Bearer {key}"} if key else {}) | {"Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_BUFFER,
        )
        self._base = "http://engine" if unix else address.rstrip("/").removesuffix("/v1")
        self._model = model
        self._native = native
        self._counts = True
        self._token_timeout = token_timeout
        self._clock = asyncio.get_running_loop().time
        self._heard_at = self._clock()
        self.hung = False
        """Whether the engine was silent on every answer when it last kept one waiting for too long."""

    async def close(self) -> None:
        """Close every connection; running generations end with `engine.lost`."""
        await self._session.close()

    async def chat(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Generate; see `TextEngine.chat`. Events that arrive together become one chunk."""
        answer = CompletionStream()
        with self._failures(self._token_timeout):
            async with asyncio.timeout(self._token_timeout):
                response = await self._session.post(
                    f"{self._base}/v1/{'completions' if request.raw else 'chat/completions'}",
                    data=msgspec.json.encode(self._body(request)),
                    headers={"Content-Type": "application/json"},
                    allow_redirects=False,
                )
            async with response:
                if response.status != 200:
                    raise refusal(response.status, await _read(response, _LONGEST_REFUSAL))
                with _Patience(response, self._token_timeout, request.until) as patience:
                    while data := await response.content.readany():
                        self._heard_at = patience.heard_at = self._clock()
                        chunk = answer.feed(data)
                        if chunk is not None:
                            patience.heard_at = math.inf  # it is the reader who takes the time now
                            yield chunk
                            if chunk.finish:
                                return
                            patience.heard_at = self._clock()
        raise MenagerieError(ErrorCode.ENGINE_LOST)

    async def count(self, text: str) -> int:
        """How many tokens `text` is; an estimate for an engine that does not tell.

        Raises `MenagerieError`: `engine.lost`, `engine.unavailable`, `engine.timeout`.
        """
        if self._counts:
            status, reply = await self._small_call("/tokenize", {"content": text})
            with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError):
                if status == 200:
                    return len(_decode_tokens(reply).tokens)
            self._counts = self._native
        return -(-len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN)

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """The vector of each of `texts`, in their order; the model sets how many numbers one has. An empty text has
        none, and is refused with all the others.

        Raises `MenagerieError`: `prompt.too_long` where a text is longer than the window, `engine.refused`,
        `engine.lost` also for what is no vectors, `engine.unavailable`, `engine.timeout`.
        """
        if not texts:
            return Vectors([], 0)
        reply = await self._computed("/v1/embeddings", {"input": list(texts), "encoding_format": "float"})
        with _garbage_is_loss():
            answer = _decode_vectors(reply)
            vectors = {vector.index: vector.embedding for vector in answer.data}
            return Vectors([vectors[index] for index in range(len(texts))], _tokens(answer.usage))

    async def rerank(self, query: str, documents: Sequence[str]) -> Scores:
        """How well each of `documents` answers `query`, in their order (the rerank API of Jina and Cohere).

        Raises `MenagerieError` as `embed` does; `prompt.too_long` where the query and a document together are longer
        than the window.
        """
        if not documents:
            return Scores([], 0)
        body = {"query": query, "documents": list(documents), "top_n": len(documents)}
        reply = await self._computed("/v1/rerank", body)
        with _garbage_is_loss():
            answer = _decode_scores(reply)
            scores = {score.index: score.relevance_score for score in answer.results}
            return Scores([scores[index] for index in range(len(documents))], _tokens(answer.usage))

    async def healthy(self) -> bool:
        """Whether the engine's listener answers: `/health`, or the list of models where it has no such path."""
        for path in ("/health", "/v1/models"):
            with contextlib.suppress(MenagerieError), self._failures(_HEALTH_SECONDS):
                async with self._session.get(
                    f"{self._base}{path}",
                    timeout=aiohttp.ClientTimeout(total=_HEALTH_SECONDS),
                    allow_redirects=False,
                ) as response:
                    if response.status == 200:
                        return True
        return False

    async def takes_system_messages(self) -> bool:
        """Whether the model's chat template has a place for a system message; asked of the template itself. An
        engine at an address that does not tell is taken to have one.

        Raises `MenagerieError`, for an engine of ours: `engine.lost`, `engine.timeout`.
        """
        probe = "menagerie-probe"
        messages = [{"role": "system", "content": probe}, {"role": "user", "content": "?"}]
        try:
            status, reply = await self._small_call("/apply-template", {"messages": messages})
        except MenagerieError:
            if self._native:
                raise
            return True
        return probe.encode() in reply if status == 200 else not self._native

    async def _small_call(self, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        return await self._call(path, body, min(_SMALL_CALL_SECONDS, self._token_timeout))

    async def _computed(self, path: str, body: dict[str, Any]) -> bytes:
        """The reply to what takes as long as an answer; raises what a refusal means."""
        if self._model:
            body["model"] = self._model
        status, reply = await self._call(path, body, self._token_timeout)
        if status != 200:
            raise refusal(status, reply)
        return reply

    async def _call(self, path: str, body: dict[str, Any], seconds: float) -> tuple[int, bytes]:
        with self._failures(seconds):
            async with self._session.post(
                f"{self._base}{path}",
                data=msgspec.json.encode(body),
                headers={"Content-Type": "application/json"},
                timeout=aiohttp.ClientTimeout(total=seconds),
                allow_redirects=False,
            ) as response:
                return response.status, await _read(response, _LONGEST_REPLY)

    @contextlib.contextmanager
    def _failures(self, timeout: float) -> Generator[None, None, None]:
        """What goes wrong on the way, as one of our errors. `timeout` in seconds is the one that applies inside."""
        if self._session.closed:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        try:
            yield
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as unreachable:
            if self._native:
                raise MenagerieError(ErrorCode.ENGINE_LOST) from unreachable
            raise MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=5.0) from unreachable
        except TimeoutError as hung:
            self.hung = self._clock() - self._heard_at > timeout / 2
            raise MenagerieError(ErrorCode.ENGINE_TIMEOUT, seconds=int(timeout)) from hung
        except (aiohttp.ClientError, OSError) as lost:
            raise MenagerieError(ErrorCode.ENGINE_LOST) from lost

    def _body(self, request: ChatRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "max_tokens": request.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if request.raw:
            body["prompt"] = request.messages[-1].content
        else:
            body["messages"] = [_wire(message) for message in request.messages]
        if self._model:
            body["model"] = self._model
        if self._native:
            body["return_progress"] = True
        for name in _SAMPLING:
            if (value := getattr(request, name)) is not None:
                body[name] = value
        if request.stop:
            body["stop"] = request.stop
        if request.logprobs is not None:
            body |= _logprobs(request.logprobs, raw=request.raw)
        if request.grammar and self._native:
            body["grammar"] = request.grammar
        elif request.schema is not None and not self._native:
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": request.schema},
            }
        return body


@contextlib.contextmanager
def _garbage_is_loss() -> Generator[None, None, None]:
    """A reply that is not what was asked for counts as none."""
    try:
        yield
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as garbage:
        raise MenagerieError(ErrorCode.ENGINE_LOST) from garbage


def _tokens(usage: _Usage | None) -> int:
    return max(usage.prompt_tokens, usage.total_tokens) if usage else 0


def _wire(message: Message) -> dict[str, Any]:
    if not message.images:
        return {"role": message.role, "content": message.content}
    parts: list[dict[str, Any]] = [{"type": "text", "text": message.content}] if message.content else []
    parts += [{"type": "image_url", "image_url": {"url": image}} for image in message.images]
    return {"role": message.role, "content": parts}


def _logprobs(alternatives: int, *, raw: bool) -> dict[str, Any]:
    return {"logprobs": alternatives} if raw else {"logprobs": True, "top_logprobs": alternatives}


class _Patience:
    """Ends a response on which nothing comes for `seconds`, as a time-out, or that is not over at `until`. One timer
    serves a whole answer: setting one anew for each piece costs as much as reading it."""

    def __init__(self, response: aiohttp.ClientResponse, seconds: float, until: float | None) -> None:
        self._response = response
        self._seconds = seconds
        self._until = math.inf if until is None else until
        self._loop = asyncio.get_running_loop()
        self._ended: Exception | None = None
        self.heard_at = self._loop.time()

    def __enter__(self) -> Self:
        self._timer = self._loop.call_soon(self._look)
        return self

    def __exit__(self, kind: object, failure: BaseException | None, trace: object) -> None:
        self._timer.cancel()
        if self._ended and isinstance(failure, aiohttp.ClientError):
            raise self._ended from failure

    def _look(self) -> None:
        now = self._loop.time()
        silent_at = self.heard_at + self._seconds
        if now >= min(silent_at, self._until):
            late = now >= self._until
            self._ended = MenagerieError(ErrorCode.TURN_TIMEOUT) if late else TimeoutError()
            self._response.close()
        else:
            look_at = min(silent_at, self._until, now + self._seconds)
            self._timer = self._loop.call_at(look_at, self._look)


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, up to about `most` bytes of it."""
    body = bytearray()
    async for data in response.content.iter_any():
        body += data
        if len(body) >= most:
            break
    return bytes(body)
