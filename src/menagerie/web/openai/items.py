"""The input of a response: messages, calls and their results, as OpenAI's API writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from menagerie.core.messages import Message, ToolCall
from menagerie.web.openai.attached import MAX_FILES, Attached, attached
from menagerie.web.openai.fields import Many, refuse_field
from menagerie.web.openai.messages import Said
from menagerie.web.openai.pictures import MAX_IMAGES, image


class _InputText(msgspec.Struct, tag_field="type", tag="input_text", forbid_unknown_fields=True):
    text: str


class _OutputText(msgspec.Struct, tag_field="type", tag="output_text", forbid_unknown_fields=True):
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class _Refusal(msgspec.Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True):
    refusal: str


class _InputImage(msgspec.Struct, tag_field="type", tag="input_image", forbid_unknown_fields=True):
    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"
    file_id: None = None


class _InputFile(msgspec.Struct, tag_field="type", tag="input_file", forbid_unknown_fields=True):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None
    detail: Literal["auto", "low", "high"] = "auto"
    file_url: None = None


class _MessageItem(msgspec.Struct, tag_field="type", tag="message", forbid_unknown_fields=True):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | Many[_InputText | _OutputText | _Refusal | _InputImage | _InputFile]
    id: str | None = None
    status: str | None = None
    phase: str | None = None


class _CallItem(msgspec.Struct, tag_field="type", tag="function_call", forbid_unknown_fields=True):
    call_id: str
    name: str
    arguments: str
    id: str | None = None
    status: str | None = None


class _OutputItem(msgspec.Struct, tag_field="type", tag="function_call_output", forbid_unknown_fields=True):
    call_id: str
    output: str | Many[_InputText]
    id: str | None = None
    status: str | None = None


Item = _MessageItem | _CallItem | _OutputItem
Input = str | Many[Item]


def with_types(body: Mapping[str, object]) -> Mapping[str, object]:
    """The request with `type: message` in every item that has a role and no type: OpenAI lets it be left out."""
    given = body.get("input")
    if not isinstance(given, list):
        return body
    items = [
        {"type": "message", **item}
        if isinstance(item, dict) and "role" in item and "type" not in item
        else item
        for item in given
    ]
    return {**body, "input": items}


def said(given: Input) -> Said:
    """The conversation that `given` adds. Raises `request.invalid` where it ends with neither the user nor a result."""
    if isinstance(given, str):
        return Said("", (), Message("user", given))
    instructions: list[str] = []
    messages: list[Message] = []
    files: list[Attached] = []
    for index, item in enumerate(given):
        match item:
            case _MessageItem(role="system" | "developer", content=content):
                instructions.append(_words(content))
            case _MessageItem(role=role, content=content):
                pictures = _images(content, f"input[{index}].content")
                files += _files(content, f"input[{index}].content")
                kind: Literal["user", "assistant"] = "user" if role == "user" else "assistant"
                messages.append(Message(kind, _words(content), images=pictures))
            case _CallItem():
                call = ToolCall(item.call_id, item.name, item.arguments)
                if messages and messages[-1].role == "assistant":
                    last = messages.pop()
                    messages.append(msgspec.structs.replace(last, calls=(*last.calls, call)))
                else:
                    messages.append(Message("assistant", "", calls=(call,)))
            case _OutputItem():
                messages.append(Message("tool", _words(item.output), answers=item.call_id))
    pictures_in_all = sum(len(message.images) for message in messages)
    too_many = pictures_in_all > MAX_IMAGES or len(files) > MAX_FILES
    if not messages or messages[-1].role not in {"user", "tool"} or too_many:
        raise refuse_field("input")
    return Said("\n\n".join(instructions), tuple(messages[:-1]), messages[-1], tuple(files))


def _words(content: str | Sequence[Any]) -> str:
    if isinstance(content, str):
        return content
    pieces = (getattr(part, "text", "") or getattr(part, "refusal", "") for part in content)
    return "\n".join(piece for piece in pieces if piece)


def _images(content: str | Sequence[Any], path: str) -> tuple[str, ...]:
    if isinstance(content, str):
        return ()
    return tuple(
        image(part.image_url, f"{path}[{index}].image_url")
        for index, part in enumerate(content)
        if isinstance(part, _InputImage)
    )


def _files(content: str | Sequence[Any], path: str) -> list[Attached]:
    if isinstance(content, str):
        return []
    return [
        attached(f"{path}[{index}]", part.file_id, part.file_data, part.filename)
        for index, part in enumerate(content)
        if isinstance(part, _InputFile)
    ]
