"""`/v1/completions`: text in, text out. A persona takes it as a prompt; a bare model goes on with it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Final, Literal

import msgspec

from menagerie.conversation.running import TurnRequest
from menagerie.conversation.turn import Turns
from menagerie.core.events import Called, Token
from menagerie.core.probabilities import TokenLogprob
from menagerie.locales import Language
from menagerie.web.keys import Caller
from menagerie.web.openai import options
from menagerie.web.openai.answer import Answer, TurnFailedError, gather
from menagerie.web.openai.fields import read, refuse_field
from menagerie.web.openai.models import who
from menagerie.web.openai.stream import data
from menagerie.web.services import Services

CHANNEL: Final = "openai.completions"
UNSUPPORTED: Final = frozenset({"logit_bias", "suffix"})
MAX_PROMPTS: Final = 64

Prompt = str | Annotated[list[str], msgspec.Meta(min_length=1, max_length=MAX_PROMPTS)]


class CompletionBody(options.Drawing, forbid_unknown_fields=True, kw_only=True):
    """The fields of a request."""

    model: str
    prompt: Prompt
    stream: bool = False
    stream_options: options.StreamOptions = msgspec.field(default_factory=options.StreamOptions)
    max_tokens: options.Tokens | None = None
    logprobs: Annotated[int, msgspec.Meta(ge=0, le=5)] | None = None
    echo: Literal[False] = False
    n: Literal[1] = 1
    best_of: Literal[1] = 1
    user: str = ""


class Completions(msgspec.Struct, frozen=True):
    """A decoded request: a turn for each prompt."""

    turns: tuple[TurnRequest, ...]
    model: str
    stream: bool
    usage: bool
    logprobs: bool


async def decode(
    services: Services, caller: Caller, language: Language, body: Mapping[str, object], *, batch: bool = False
) -> Completions:
    """The turns that a request asks for. Raises `request.invalid` with the field, `model.unknown`."""
    asked = read(body, CompletionBody, UNSUPPORTED)
    found = await who(services, caller, asked.model)
    prompts = [asked.prompt] if isinstance(asked.prompt, str) else asked.prompt
    if asked.stream and len(prompts) > 1:
        raise refuse_field("prompt")
    sampling = asked.sampling(asked.max_tokens, asked.logprobs)
    turns = tuple(
        TurnRequest(
            persona=found.name,
            prompt=prompt,
            user=caller.user,
            language=language,
            channel=CHANNEL,
            batch=batch,
            sampling=sampling,
            raw=found.bare,
            kept=False,
            charge=partial(services.rates.charge, caller.key),
        )
        for prompt in prompts
    )
    return Completions(
        turns, asked.model, asked.stream, asked.stream_options.include_usage, asked.logprobs is not None
    )


async def gather_all(turns: Turns, asked: Completions) -> list[Answer]:
    """The answer to each prompt. Raises `TurnFailedError` for the first that fails; the others are then stopped."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(gather(turns, turn)) for turn in asked.turns]
    except ExceptionGroup as failures:
        raise next(
            (one for one in failures.exceptions if isinstance(one, TurnFailedError)), failures
        ) from None
    return [task.result() for task in tasks]


def whole(asked: Completions, answers: Sequence[Answer]) -> dict[str, Any]:
    """The answers as a `text_completion`."""
    usages = [answer.usage() for answer in answers]
    names = ("prompt_tokens", "completion_tokens", "total_tokens")
    choices = [
        {
            "index": index,
            "text": answer.text,
            "logprobs": _logprobs(answer.logprobs) if asked.logprobs else None,
            "finish_reason": answer.finish,
        }
        for index, answer in enumerate(answers)
    ]
    usage = {name: sum(one[name] for one in usages) for name in names}
    accounts = [answer.account() for answer in answers]
    return {**_head(asked, answers[0]), "choices": choices, "usage": usage, "menagerie": accounts}


class CompletionStream:
    """The answer as `text_completion` events."""

    def __init__(self, asked: Completions) -> None:
        self._asked = asked

    def begin(self, answer: Answer) -> Iterator[bytes]:
        """Nothing comes before the text."""
        yield from ()

    def tell(self, event: Token | Called, answer: Answer) -> Iterator[bytes]:
        """Text."""
        if isinstance(event, Token):
            yield self._chunk(answer, event.text, event.logprobs)

    def end(self, answer: Answer) -> Iterator[bytes]:
        """Why it ends, what it cost, and that it is whole."""
        yield self._chunk(answer, "", (), finish=answer.finish)
        if self._asked.usage:
            yield data({**_head(self._asked, answer), "choices": [], "usage": answer.usage()})
        yield b"data: [DONE]\n\n"

    def fail(self, answer: Answer, error: dict[str, object]) -> Iterator[bytes]:
        """The error; without `[DONE]` behind it."""
        yield data(error)

    def _chunk(
        self, answer: Answer, text: str, logprobs: Sequence[TokenLogprob], finish: str | None = None
    ) -> bytes:
        told = _logprobs(logprobs) if self._asked.logprobs else None
        choice = {"index": 0, "text": text, "logprobs": told, "finish_reason": finish}
        return data({**_head(self._asked, answer), "choices": [choice]})


def _head(asked: Completions, answer: Answer) -> dict[str, Any]:
    return {
        "id": f"cmpl-{answer.turn}",
        "object": "text_completion",
        "created": answer.created,
        "model": asked.model,
        "system_fingerprint": answer.fingerprint(),
    }


def _logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, Any]:
    offsets, at = [], 0
    for token in tokens:
        offsets.append(at)
        at += len(token.token)
    return {
        "tokens": [token.token for token in tokens],
        "token_logprobs": [token.logprob for token in tokens],
        "top_logprobs": [{one.token: one.logprob for one in token.top_logprobs} for token in tokens],
        "text_offset": offsets,
    }
