"""OpenAI's streamed completions, from bytes to chunks: pure, whatever way the bytes came.

The framing is that of server-sent events (WHATWG HTML, 9.2), without the lone CR as an end of line, which no
engine writes. The payloads are `chat.completion.chunk` objects and, at the end, `[DONE]`.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.probabilities import TokenLogprob
from menagerie.engines.chat import Chunk, Usage

log = structlog.get_logger("menagerie.engines")

LONGEST_EVENT: Final = 1_048_576
"""Bytes of one event; a token's takes about 300."""
_DONE: Final = b"[DONE]"
_TRY_AGAIN: Final = {429, 502, 503, 504}
_TOO_LARGE: Final = re.compile(r"input \((\d+) tokens\) is too large.*batch size: (\d+)").search
"""How llama.cpp refuses a text that must be computed in one piece: an embedding."""


class _Delta(msgspec.Struct):
    content: str | None = None


class _Logprobs(msgspec.Struct):
    content: tuple[TokenLogprob, ...] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Event(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: _Error | str | None = None


class _Refusal(msgspec.Struct):
    error: _Error | str = ""


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode


class CompletionStream:
    """One answer as it arrives. Fed with bytes cut anywhere, it gives the same text however they were cut."""

    def __init__(self) -> None:
        self._rest = b""
        self._finish = ""
        self._usage: Usage | None = None
        self._logprobs: tuple[TokenLogprob, ...] = ()

    def feed(self, data: bytes) -> Chunk | None:
        """The text that `data` completes, of all its events together; None for none. With `[DONE]` comes the last
        chunk, the only one that has `finish`; what follows it is nothing.

        Raises `MenagerieError`: `engine.lost` for what is not a completion or longer than `LONGEST_EVENT`, and what
        an error event says.
        """
        if self._rest:
            data = self._rest + data
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        *events, self._rest = data.split(b"\n\n")
        if len(self._rest) > LONGEST_EVENT:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        text = ""
        for event in events:
            payload = _payload(event)
            if payload == _DONE:
                return Chunk(text, self._finish or "stop", self._usage, self._told())
            if payload:
                text += self._text(payload)
        return Chunk(text=text, logprobs=self._told()) if text else None

    def _told(self) -> tuple[TokenLogprob, ...]:
        """The probabilities that came since they were last told."""
        told, self._logprobs = self._logprobs, ()
        return told

    def _text(self, payload: bytes) -> str:
        try:
            event = _decode_event(payload)
        except (msgspec.DecodeError, UnicodeDecodeError) as garbage:
            log.warning("engine.garbage", length=len(payload))
            raise MenagerieError(ErrorCode.ENGINE_LOST) from garbage
        if event.usage is not None:
            self._usage = _usage(event.usage)
        if event.choices:
            choice = event.choices[0]
            if choice.finish_reason:
                self._finish = choice.finish_reason
            if choice.logprobs is not None:
                self._logprobs += choice.logprobs.content or ()
            return (choice.delta and choice.delta.content) or choice.text or ""
        if event.error is not None:
            raise _failure(event.error)
        return ""


def refusal(status: int, body: bytes) -> MenagerieError:
    """What a reply that is no stream means: `prompt.too_long`, `engine.unavailable` (try again), `engine.refused`."""
    try:
        error = _decode_refusal(body).error
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = body[:500].decode("utf-8", "replace")
    failure = _failure(error, status)
    if status in _TRY_AGAIN:
        return MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=2.0)
    return failure


def _payload(event: bytes) -> bytes:
    """The data of an event; empty for comments and fields that mean nothing here."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = [line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines)


def _usage(usage: _Usage) -> Usage:
    cached = usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else 0
    return Usage(prompt=usage.prompt_tokens, cached=cached or 0, answer=usage.completion_tokens)


def _failure(error: _Error | str, status: int = 200) -> MenagerieError:
    if isinstance(error, str):
        error = _Error(message=error)
    message = error.message or ""
    log.warning("engine.refused", status=status, message=message[:500])
    if error.type == "exceed_context_size_error" and error.n_ctx:
        return MenagerieError(ErrorCode.PROMPT_TOO_LONG, tokens=error.n_prompt_tokens, window=error.n_ctx)
    if too_large := _TOO_LARGE(message):
        tokens, window = map(int, too_large.groups())
        return MenagerieError(ErrorCode.PROMPT_TOO_LONG, tokens=tokens, window=window)
    if "context size" in message.lower():
        return MenagerieError(ErrorCode.ENGINE_UNAVAILABLE, retry_after=2.0)
    return MenagerieError(ErrorCode.ENGINE_REFUSED)
