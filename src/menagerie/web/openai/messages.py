"""The messages of a chat as OpenAI's API writes them, and as the menagerie understands them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from menagerie.core.messages import Message, ToolCall
from menagerie.web.openai.attached import MAX_FILES, Attached, attached
from menagerie.web.openai.fields import Many, refuse_field
from menagerie.web.openai.pictures import MAX_IMAGES, image


class _Text(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    text: str


class _Refusal(msgspec.Struct, tag_field="type", tag="refusal", forbid_unknown_fields=True):
    refusal: str


class _Url(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class _Image(msgspec.Struct, tag_field="type", tag="image_url", forbid_unknown_fields=True):
    image_url: _Url


class _FileOf(msgspec.Struct, forbid_unknown_fields=True):
    file_id: str | None = None
    file_data: str | None = None
    filename: str | None = None


class _File(msgspec.Struct, tag_field="type", tag="file", forbid_unknown_fields=True):
    file: _FileOf


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    arguments: str


class _Call(msgspec.Struct, forbid_unknown_fields=True):
    id: str
    function: _Function
    type: Literal["function"] = "function"


class _System(msgspec.Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    content: str | Many[_Text]
    name: str | None = None


class _Developer(msgspec.Struct, tag_field="role", tag="developer", forbid_unknown_fields=True):
    content: str | Many[_Text]
    name: str | None = None


class _User(msgspec.Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    content: str | Many[_Text | _Image | _File]
    name: str | None = None


class _Assistant(msgspec.Struct, tag_field="role", tag="assistant", forbid_unknown_fields=True):
    content: str | Many[_Text | _Refusal] | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: Many[_Call] | None = None
    annotations: list[Any] | None = None
    audio: None = None
    function_call: None = None


class _Tool(msgspec.Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    content: str | Many[_Text]
    tool_call_id: str


ChatMessage = _System | _Developer | _User | _Assistant | _Tool


class Said(msgspec.Struct, frozen=True):
    """A conversation: what the caller instructs, what was said before, and the last message, which is answered; the
    files in any of them."""

    instructions: str
    history: tuple[Message, ...]
    last: Message
    files: tuple[Attached, ...] = ()


def said(messages: Sequence[ChatMessage]) -> Said:
    """The conversation in `messages`. Raises `request.invalid` where it is empty, ends with neither the user nor a
    tool, or holds a picture or a file that is none."""
    instructions: list[str] = []
    others: list[Message] = []
    files: list[Attached] = []
    for index, message in enumerate(messages):
        if isinstance(message, _System | _Developer):
            instructions.append(_words(message.content))
        else:
            others.append(_message(message, f"messages[{index}]"))
            files += _files(message.content, f"messages[{index}].content")
    if not others or others[-1].role not in {"user", "tool"}:
        raise refuse_field("messages")
    if sum(len(message.images) for message in others) > MAX_IMAGES or len(files) > MAX_FILES:
        raise refuse_field("messages")
    return Said("\n\n".join(instructions), tuple(others[:-1]), others[-1], tuple(files))


def _message(message: _User | _Assistant | _Tool, path: str) -> Message:
    match message:
        case _User(content=content):
            return Message("user", _words(content), images=_images(content, f"{path}.content"))
        case _Tool(content=content, tool_call_id=call):
            return Message("tool", _words(content), answers=call)
        case _Assistant(content=content, tool_calls=calls, refusal=refusal):
            made = tuple(
                ToolCall(call.id, call.function.name, call.function.arguments) for call in calls or ()
            )
            return Message("assistant", _words(content or refusal or ""), calls=made)


def _words(content: str | Sequence[_Text | _Image | _File | _Refusal]) -> str:
    if isinstance(content, str):
        return content
    pieces = (
        part.text if isinstance(part, _Text) else part.refusal if isinstance(part, _Refusal) else ""
        for part in content
    )
    return "\n".join(piece for piece in pieces if piece)


def _images(content: str | Sequence[_Text | _Image | _File], path: str) -> tuple[str, ...]:
    if isinstance(content, str):
        return ()
    return tuple(
        image(part.image_url.url, f"{path}[{index}].image_url.url")
        for index, part in enumerate(content)
        if isinstance(part, _Image)
    )


def _files(content: str | Sequence[Any] | None, path: str) -> list[Attached]:
    if content is None or isinstance(content, str):
        return []
    return [
        attached(f"{path}[{index}].file", part.file.file_id, part.file.file_data, part.file.filename)
        for index, part in enumerate(content)
        if isinstance(part, _File)
    ]
