"""Batches of OpenAI's API: as objects, as they are asked for, and how their rows are answered."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from menagerie.batches.job import BatchCaller
from menagerie.batches.requests import Reply
from menagerie.batches.service import Batches, metadata_of, window_of
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language
from menagerie.store.batches import Batch
from menagerie.web.keys import Caller
from menagerie.web.openai import dispatch
from menagerie.web.openai.errors import error_object
from menagerie.web.openai.fields import read, refuse_field
from menagerie.web.openai.options import Metadata
from menagerie.web.services import Services


class _CreateBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: Metadata = {}


_UNSUPPORTED = frozenset({"output_expires_after"})


async def create(
    batches: Batches, caller: Caller, language: Language, body: Mapping[str, object]
) -> dict[str, Any]:
    """A new batch. Raises `request.invalid` and `file.unknown`."""
    asked = read(body, _CreateBody, _UNSUPPORTED)
    if asked.endpoint not in dispatch.ENDPOINTS:
        raise refuse_field("endpoint")
    if window_of(asked.completion_window, batches.kept) is None:
        raise refuse_field("completion_window")
    made = await batches.create(
        BatchCaller(caller.user, caller.key.id if caller.key else "", language),
        endpoint=asked.endpoint,
        input_file=asked.input_file_id,
        window=asked.completion_window,
        metadata=asked.metadata,
    )
    return batch_object(made)


def batch_object(batch: Batch) -> dict[str, Any]:
    """The batch, as OpenAI's API tells of it. Its results are named once they are there."""
    errors = msgspec.json.decode(batch.errors or "[]")
    ended = batch.status in {"completed", "cancelled", "expired"}
    moments = (
        "created_at",
        "in_progress_at",
        "expires_at",
        "finalizing_at",
        "completed_at",
        "failed_at",
        "expired_at",
        "cancelling_at",
        "cancelled_at",
    )
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": errors} if errors else None,
        "input_file_id": batch.input_file,
        "completion_window": batch.window,
        "status": batch.status,
        "output_file_id": (batch.output_file or None) if ended else None,
        "error_file_id": (batch.error_file or None) if ended else None,
        **{name: _seconds(getattr(batch, name)) for name in moments},
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "metadata": metadata_of(batch),
    }


async def answer_row(
    services: Services, caller: BatchCaller, endpoint: str, body: Mapping[str, Any]
) -> Reply:
    """What an endpoint makes of one row, for whoever made the batch, and under the limits of their key as it is now. A
    key that is good no more is refused as at any other request."""
    asker = Caller(caller.user)
    if caller.key:
        key = await services.store.keys.get(caller.key)
        if key is None or key.state(datetime.now(UTC)) != "active":
            return _refused(MenagerieError(ErrorCode.KEY_INVALID), 401, caller.language)
        try:
            services.rates.enter(key)
        except MenagerieError as limited:
            return _refused(limited, 429, caller.language)
        asker = Caller(caller.user, key)
    told = await dispatch.answer(services, asker, caller.language, endpoint, body)
    return Reply(told.status, told.body, told.retry_after, told.request_id)


def _refused(error: MenagerieError, status: int, language: Language) -> Reply:
    request_id = secrets.token_hex(8)
    body = error_object(error.code, error.message(language), status, "", request_id)
    return Reply(status, body, error.retry_after, request_id)


def _seconds(moment: datetime | None) -> int | None:
    return int(moment.timestamp()) if moment else None
