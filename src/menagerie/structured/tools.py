"""Functions that a model may have called, on any model: it decides under a grammar, then gives arguments that meet the
function's schema, or answers as it would have without.

Chat templates have formats of their own for calls, and engines drop what a template has no place for, without a word.
So the functions are told in words, and every call is a constrained answer, with all that `constrained` promises.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from menagerie.core.marks import without_marks
from menagerie.core.messages import Message, ToolCall
from menagerie.engines.chat import ChatRequest, Chunk, Usage
from menagerie.locales import Language, text
from menagerie.structured.answer import Account, Chat, constrained
from menagerie.structured.schema import CompiledSchema, compile_soon

MAX_CALLS: Final = 8
"""Calls of one answer."""
_DECISION_TOKENS: Final = 96


class Tool(msgspec.Struct, frozen=True):
    """A function: what it does, and what its arguments must meet."""

    name: str
    description: str
    compiled: CompiledSchema


class Toolbox:
    """The functions of one request. `must`: the answer is a call; `parallel`: it may be several."""

    def __init__(
        self, tools: Sequence[Tool], decision: CompiledSchema, *, must: bool, parallel: bool
    ) -> None:
        self.tools = {tool.name: tool for tool in tools}
        self.must = must
        self.parallel = parallel
        self.decision = decision

    @classmethod
    async def of(cls, tools: Sequence[Tool], *, must: bool, parallel: bool) -> Toolbox:
        """A toolbox of at least one tool."""
        names: list[str | None] = [tool.name for tool in tools]
        choices = names if must and not parallel else [*names, None]
        decision = {
            "type": "object",
            "properties": {"call": {"enum": choices}},
            "required": ["call"],
            "additionalProperties": False,
        }
        return cls(tools, await compile_soon(decision), must=must, parallel=parallel)

    def told(self, language: Language) -> str:
        """The functions, in words for the model."""
        lines = [
            json.dumps(
                {"name": tool.name, "description": tool.description, "parameters": tool.compiled.schema},
                ensure_ascii=False,
            )
            for tool in self.tools.values()
        ]
        return text("prompt.tools", language, tools="\n".join(lines))


async def calling(
    chat: Chat,
    request: ChatRequest,
    toolbox: Toolbox,
    language: Language,
    otherwise: CompiledSchema | None,
    account: Account,
) -> AsyncGenerator[Chunk, None]:
    """The answer to `request`, whose messages tell of `toolbox`: calls, or text as without tools, under `otherwise`
    where it is given. Raises as `constrained`."""
    answer = _Calling(chat, request, toolbox, language, account)
    name = await answer.choose() if len(toolbox.tools) > 1 or not toolbox.must else next(iter(toolbox.tools))
    if name is None:
        plain = (
            chat(request) if otherwise is None else constrained(chat, request, otherwise, language=language)
        )
        async with aclosing(plain) as chunks:
            async for chunk in chunks:
                yield answer.with_decisions(chunk)
        return
    while name is not None:
        call = await answer.call(toolbox.tools[name])
        if call is None:
            break
        yield Chunk(calls=(call,))
        more = toolbox.parallel and len(answer.calls) < MAX_CALLS
        name = await answer.choose() if more else None
    yield Chunk(finish="tool_calls", usage=answer.usage)


class _Calling:
    """One answer that decides, and calls."""

    def __init__(
        self, chat: Chat, request: ChatRequest, toolbox: Toolbox, language: Language, account: Account
    ) -> None:
        self.calls: list[ToolCall] = []
        self.usage = Usage()
        self._chat = chat
        self._request = msgspec.structs.replace(request, stop=(), logprobs=None)
        self._toolbox = toolbox
        self._language = language
        self._account = account

    async def choose(self) -> str | None:
        """The function that is wanted next; None for none."""
        must = self._toolbox.must and not self.calls
        key = "prompt.tool_choice_required" if must else "prompt.tool_choice"
        example = {"call": '{"call": "NAME"}', "none": '{"call": null}'}
        asked = text(key, self._language, **example)
        decision = await self._constrained(asked, self._toolbox.decision, _DECISION_TOKENS, temperature=0.0)
        name: str | None = json.loads(decision)["call"]
        if name is None and must:
            return next(iter(self._toolbox.tools))
        return name

    async def call(self, tool: Tool) -> ToolCall | None:
        """A call of `tool`, with arguments that meet its schema; None for one that was made already."""
        schema = json.dumps(tool.compiled.schema, ensure_ascii=False)
        asked = text("prompt.tool_arguments", self._language, name=tool.name, schema=schema)
        arguments = await self._constrained(asked, tool.compiled, self._request.max_tokens)
        if any((one.name, one.arguments) == (tool.name, arguments) for one in self.calls):
            return None
        call = ToolCall(f"call_{uuid.uuid4().hex[:24]}", tool.name, arguments)
        self.calls.append(call)
        return call

    def with_decisions(self, chunk: Chunk) -> Chunk:
        """A chunk of the answer in words; its usage counts what the decision has written, too."""
        if chunk.usage is None:
            return chunk
        usage = msgspec.structs.replace(chunk.usage, answer=chunk.usage.answer + self.usage.answer)
        return msgspec.structs.replace(chunk, usage=usage)

    async def _constrained(
        self, asked: str, compiled: CompiledSchema, tokens: int, temperature: float | None = None
    ) -> str:
        request = msgspec.structs.replace(
            self._request,
            messages=self._messages(asked),
            max_tokens=min(tokens, self._request.max_tokens),
            temperature=self._request.temperature if temperature is None else temperature,
        )
        answer = ""
        account = Account(written=self._account.written)
        chunks = constrained(self._chat, request, compiled, language=self._language, account=account)
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    answer += chunk.text
                    if chunk.usage:
                        self._count(chunk.usage)
        finally:
            self._account.attempts += account.attempts
            self._account.written = account.written
        return answer

    def _messages(self, asked: str) -> tuple[Message, ...]:
        """The conversation, the calls made so far, and what is asked now. The beginning stays the same from one to
        the next, so that the engine's cache serves it."""
        *before, last = self._request.messages
        asked = without_marks(asked)
        if not self.calls:
            if last.role != "user":
                return (*before, last, Message("user", asked))
            return (*before, msgspec.structs.replace(last, content=f"{last.content}\n\n{asked}"))
        made = "\n".join(
            text("prompt.tool_call", self._language, name=call.name, call=call.id, arguments=call.arguments)
            for call in self.calls
        )
        return (*before, last, Message("assistant", without_marks(made)), Message("user", asked))

    def _count(self, usage: Usage) -> None:
        first = self.usage if self.usage.prompt else usage
        self.usage = Usage(first.prompt, first.cached, self.usage.answer + usage.answer)
