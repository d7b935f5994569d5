"""`/v1/responses`: an answer that a later request can go on from, on the sessions of the menagerie."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, Literal

import msgspec

from menagerie.conversation.running import Sampling, TurnRequest
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.locales import Language
from menagerie.store.turns import TurnRecord
from menagerie.web.keys import Caller
from menagerie.web.openai import options
from menagerie.web.openai.answer import Answer
from menagerie.web.openai.attached import documents
from menagerie.web.openai.fields import read, refuse_field
from menagerie.web.openai.items import Input, said, with_types
from menagerie.web.openai.models import who
from menagerie.web.services import Services

CHANNEL: Final = "openai.responses"
PREFIX: Final = "resp_"
UNSUPPORTED: Final = frozenset(
    {"context_management", "conversation", "max_tool_calls", "moderation", "prompt", "reasoning"}
)


class _Format(msgspec.Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    schema: Any
    name: str = "answer"
    description: str | None = None
    strict: bool | None = None


class _Text(msgspec.Struct, forbid_unknown_fields=True):
    format: options.AnyText | options.JsonObject | _Format = msgspec.field(default_factory=options.AnyText)


class _FunctionTool(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    name: options.FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class _NamedTool(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    name: str


class ResponseBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields of a request. Those that nothing is done with change no answer."""

    model: str
    input: Input
    instructions: str = ""
    previous_response_id: str = ""
    max_output_tokens: options.Tokens | None = None
    temperature: options.Temperature | None = None
    top_p: options.Share | None = None
    text: _Text = msgspec.field(default_factory=_Text)
    tools: list[_FunctionTool] = []
    tool_choice: options.Choice | _NamedTool = "auto"
    parallel_tool_calls: bool = True
    store: bool = True
    stream: bool = False
    stream_options: options.StreamOptions = msgspec.field(default_factory=options.StreamOptions)
    background: Literal[False] = False
    truncation: Literal["auto", "disabled"] = "auto"
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] = []
    top_logprobs: options.Alternatives | None = None
    metadata: options.Metadata = {}
    service_tier: Literal["auto", "default", "flex", "priority"] = "auto"
    user: str = ""
    safety_identifier: str = ""
    prompt_cache_key: str = ""
    prompt_cache_retention: str = ""


class Work(msgspec.Struct, frozen=True):
    """A decoded request, and the fields that its response says again."""

    turn: TurnRequest
    stream: bool
    logprobs: bool
    echo: dict[str, Any]


async def decode(
    services: Services, caller: Caller, language: Language, body: Mapping[str, object], *, batch: bool = False
) -> Work:
    """The turn that a request asks for. Raises `request.invalid` with the field that is wrong, `model.unknown`,
    `session.unknown` for a response to go on from that is not the caller's …"""
    asked = read(with_types(body), ResponseBody, UNSUPPORTED)
    found = await who(services, caller, asked.model)
    conversation = await asyncio.to_thread(said, asked.input)
    compiled = await _compiled(asked)
    named, choice = _choice(asked)
    functions = [
        (f"tools[{index}]", options.FunctionPart(tool.name, tool.description, tool.parameters))
        for index, tool in enumerate(asked.tools)
    ]
    tools = await options.toolbox(functions, choice, named, parallel=asked.parallel_tool_calls)
    logprobs = asked.top_logprobs is not None or "message.output_text.logprobs" in asked.include
    if logprobs and (compiled is not None or tools is not None):
        raise refuse_field("top_logprobs", "field_unsupported")
    instructions = "\n\n".join(part for part in (asked.instructions, conversation.instructions) if part)
    files = await documents(conversation.files, services.uploads, caller.user)
    session, earlier = await _before(services, caller, asked, found.name)
    turn = TurnRequest(
        persona=found.name,
        prompt=conversation.last.content,
        user=caller.user,
        language=language,
        channel=CHANNEL,
        session=session,
        documents=files,
        batch=batch,
        compiled=compiled,
        tools=tools,
        sampling=Sampling(
            max_tokens=asked.max_output_tokens,
            temperature=asked.temperature,
            top_p=asked.top_p,
            logprobs=(asked.top_logprobs or 0) if logprobs else None,
        ),
        history=(*earlier, *conversation.history),
        last=conversation.last,
        instructions=instructions,
        bypass=found.bare or (caller.may_bypass and bool(instructions)),
        kept=asked.store,
        charge=partial(services.rates.charge, caller.key),
    )
    return Work(turn, asked.stream, logprobs, _echo(asked, body))


def whole(work: Work, answer: Answer, *, status: str = "") -> dict[str, Any]:
    """The answer as a `response`; with `status` `in_progress` or `failed`, as far as there is one."""
    cut = answer.finish == "length" and work.turn.compiled is None
    status = status or ("incomplete" if cut else "completed")
    settled = status in {"completed", "incomplete"}
    return {
        "id": f"{PREFIX}{answer.turn}",
        "object": "response",
        "created_at": answer.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "output": output(answer, logprobs=work.logprobs) if settled else [],
        "usage": usage(answer) if settled else None,
        **work.echo,
        **({"menagerie": answer.account()} if settled else {}),
    }


def output(answer: Answer, *, logprobs: bool = False) -> list[dict[str, Any]]:
    """The items of an answer: what it says, then what it calls."""
    items = [message_item(answer, "completed", logprobs=logprobs)] if answer.text or not answer.calls else []
    return items + [call_item(call.id, call.name, call.arguments, "completed") for call in answer.calls]


def message_item(answer: Answer, status: str, *, logprobs: bool = False) -> dict[str, Any]:
    """The item of what is said."""
    content = [text_part(answer, logprobs=logprobs)] if status == "completed" else []
    return {
        "id": f"msg_{answer.turn}",
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def text_part(answer: Answer, *, logprobs: bool = False) -> dict[str, Any]:
    """The words of an answer."""
    told = msgspec.to_builtins(answer.logprobs) if logprobs else []
    return {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": told}


def call_item(call: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    """The item of a call."""
    return {
        "id": call.replace("call_", "fc_", 1),
        "type": "function_call",
        "status": status,
        "call_id": call,
        "name": name,
        "arguments": arguments,
    }


def usage(answer: Answer) -> dict[str, Any]:
    """Its tokens, as a `response` tells them."""
    known = answer.usage()
    return {
        "input_tokens": known["prompt_tokens"],
        "input_tokens_details": known["prompt_tokens_details"],
        "output_tokens": known["completion_tokens"],
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": known["total_tokens"],
    }


async def stored(services: Services, caller: Caller, response: str) -> dict[str, Any]:
    """A response that was kept. Raises `session.unknown`, also for one that is somebody else's or was forgotten."""
    turn = response.removeprefix(PREFIX)
    record = await services.store.turns.get(turn)
    answered = await services.store.sessions.answer(turn, caller.user)
    forgotten = answered is None and record is not None and record.outcome == "done"
    if record is None or forgotten:
        raise MenagerieError(ErrorCode.SESSION_UNKNOWN)
    answer = Answer()
    answer.turn, answer.session, answer.created = turn, record.session, int(record.accepted_at.timestamp())
    if answered is not None:
        answer.pieces, answer.calls = [answered.content], list(answered.calls)
    return {
        "id": response,
        "object": "response",
        "created_at": answer.created,
        "status": _STATUS.get(record.outcome, "failed"),
        "error": None,
        "incomplete_details": None,
        "output": output(answer) if answered is not None else [],
        "usage": _recorded_usage(record),
        **_nothing_said(record.persona),
    }


_STATUS: Final = {"done": "completed", "accepted": "in_progress", "cancelled": "cancelled"}


def _recorded_usage(record: TurnRecord) -> dict[str, Any]:
    read, written = record.prompt_tokens or 0, record.answer_tokens or 0
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": record.cached_tokens or 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }


async def _before(
    services: Services, caller: Caller, asked: ResponseBody, persona: str
) -> tuple[str | None, tuple[Message, ...]]:
    """What a response goes on from: a session, or, where it is not to be kept, what was said. One conversation has one
    persona. To be asked for last: a session may be a branch, which is made here."""
    if not asked.previous_response_id:
        return None, ()
    turn, sessions = asked.previous_response_id.removeprefix(PREFIX), services.store.sessions
    try:
        conversation = await sessions.until(turn, caller.user)
        if conversation.persona != persona:
            raise refuse_field("model")
        if asked.store:
            return await sessions.after(turn, caller.user), ()
    except MenagerieError as unknown:
        unknown.values = {"field": "previous_response_id", **unknown.values}
        raise
    return None, tuple(one for one in conversation.messages if one.role != "system")


async def _compiled(asked: ResponseBody) -> Any:
    if isinstance(asked.text.format, options.JsonObject):
        return await options.compiled(None, "text.format")
    if isinstance(asked.text.format, _Format):
        return await options.compiled(asked.text.format.schema, "text.format.schema")
    return None


def _choice(asked: ResponseBody) -> tuple[dict[str, str], str]:
    """The function that must be called, if a certain one must, and how free the choice is otherwise."""
    if isinstance(asked.tool_choice, str):
        return {}, asked.tool_choice
    return {"name": asked.tool_choice.name, "path": "tool_choice.name"}, "required"


def _echo(asked: ResponseBody, body: Mapping[str, object]) -> dict[str, Any]:
    """The fields of the request that a response repeats."""
    given = {
        "instructions": asked.instructions or None,
        "max_output_tokens": asked.max_output_tokens,
        "metadata": asked.metadata,
        "parallel_tool_calls": asked.parallel_tool_calls,
        "previous_response_id": asked.previous_response_id or None,
        "store": asked.store,
        "temperature": 1.0 if asked.temperature is None else asked.temperature,
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": [{"strict": True, **tool} for tool in msgspec.to_builtins(asked.tools)],
        "top_logprobs": asked.top_logprobs or 0,
        "top_p": 1.0 if asked.top_p is None else asked.top_p,
        "truncation": asked.truncation,
        "user": asked.user or None,
    }
    return {**_nothing_said(asked.model), **given}


def _nothing_said(model: str) -> dict[str, Any]:
    return {
        "model": model,
        "background": False,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "auto",
    }
