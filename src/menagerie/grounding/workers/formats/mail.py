"""E-mail: who wrote to whom, when, about what, and the words; of attachments the names only."""

from __future__ import annotations

import email
import re
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final

from menagerie.grounding.workers.formats.html import read_fragment
from menagerie.grounding.workers.formats.outline import Outline, UnreadableError, line

_HEADERS: Final = ("From", "To", "Cc", "Date", "Subject")
_LONGEST_HEADER: Final = 2_000
_MOST_ATTACHMENTS: Final = 100


def read_mail(body: bytes, outline: Outline) -> None:
    """One message. Raises `broken`."""
    try:
        message: Any = email.message_from_bytes(body, policy=default)
        headers = [(name, _header(message, name)) for name in _HEADERS]
        text, subtype = _body(message)
        names = _attachments(message)
    except (RecursionError, AssertionError, AttributeError, IndexError, TypeError) as fault:
        raise UnreadableError("broken") from fault
    outline.title = dict(headers)["Subject"]
    outline.add("\n".join(f"{name}: {value}" for name, value in headers if value))
    if names:
        outline.add("\n".join(f"Attachment: {name}" for name in names))
    if subtype == "html":
        read_fragment(text, outline)
    else:
        outline.add(text)
    outline.end()


def _header(message: EmailMessage, name: str) -> str:
    try:
        return line(str(message.get(name, "")), _LONGEST_HEADER)
    except (ValueError, LookupError, IndexError, AttributeError):  # headers that break the parser of headers
        return ""


def _body(message: EmailMessage) -> tuple[str, str]:
    part: Any = message.get_body(("plain", "html"))
    if part is None:
        return "", "plain"
    return _content(part), part.get_content_subtype()


def _content(part: EmailMessage) -> str:
    try:
        content = part.get_content()
    except (LookupError, ValueError):  # an encoding that does not exist
        content = None
    if isinstance(content, str):
        return content
    raw = part.get_payload(decode=True)
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""


def _attachments(message: EmailMessage) -> list[str]:
    attached = (one for one in message.walk() if one.get_content_disposition() == "attachment")
    names = [re.split(r"[/\\]", line(one.get_filename() or ""))[-1] for one in attached]
    return [name for name in names if name][:_MOST_ATTACHMENTS]
