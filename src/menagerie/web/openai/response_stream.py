"""A response as it comes: OpenAI's named events, numbered from 0."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from menagerie.core.events import Called, Token
from menagerie.web.openai.answer import Answer
from menagerie.web.openai.responses import Work, call_item, message_item, text_part, whole
from menagerie.web.openai.stream import data


class ResponseStream:
    """The events of one response."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._number = -1
        self._items = 0
        self._speaking = False

    def begin(self, answer: Answer) -> Iterator[bytes]:
        """That there will be a response."""
        begun = whole(self._work, answer, status="in_progress")
        yield self._event("response.created", response=begun)
        yield self._event("response.in_progress", response=begun)

    def tell(self, event: Token | Called, answer: Answer) -> Iterator[bytes]:
        """Words, or a whole call."""
        if isinstance(event, Called):
            yield from self._call(event)
            return
        if not self._speaking:
            self._speaking = True
            item = message_item(answer, "in_progress")
            yield self._event("response.output_item.added", output_index=self._items, item=item)
            part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
            yield self._event("response.content_part.added", part=part, **self._place(answer))
        logprobs = msgspec.to_builtins(event.logprobs) if self._work.logprobs else []
        yield self._event(
            "response.output_text.delta", delta=event.text, logprobs=logprobs, **self._place(answer)
        )

    def end(self, answer: Answer) -> Iterator[bytes]:
        """That what was said is whole, and the response."""
        if self._speaking:
            part = text_part(answer, logprobs=self._work.logprobs)
            told, place = part["logprobs"], self._place(answer)
            yield self._event("response.output_text.done", text=answer.text, logprobs=told, **place)
            yield self._event("response.content_part.done", part=part, **place)
            item = message_item(answer, "completed", logprobs=self._work.logprobs)
            yield self._event("response.output_item.done", output_index=self._items, item=item)
        response = whole(self._work, answer)
        yield self._event(f"response.{response['status']}", response=response)

    def fail(self, answer: Answer, error: dict[str, object]) -> Iterator[bytes]:
        """That there will be none."""
        response = whole(self._work, answer, status="failed")
        response["error"] = error["error"]
        yield self._event("response.failed", response=response)

    def _call(self, called: Called) -> Iterator[bytes]:
        place = {"output_index": self._items}
        item = call_item(called.id, called.name, called.arguments, "completed")
        begun = {**item, "arguments": "", "status": "in_progress"}
        yield self._event("response.output_item.added", item=begun, **place)
        about = {"item_id": item["id"], **place}
        kind = "response.function_call_arguments"
        yield self._event(f"{kind}.delta", delta=called.arguments, **about)
        yield self._event(f"{kind}.done", arguments=called.arguments, name=called.name, **about)
        yield self._event("response.output_item.done", item=item, **place)
        self._items += 1

    def _place(self, answer: Answer) -> dict[str, Any]:
        return {"item_id": f"msg_{answer.turn}", "output_index": self._items, "content_index": 0}

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return data({"type": kind, "sequence_number": self._number, **fields}, kind)
