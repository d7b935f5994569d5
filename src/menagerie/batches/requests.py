"""The lines of a batch of requests, as OpenAI's batch API has them: what goes in, what comes out.

In: `{"custom_id", "method": "POST", "url", "body"}`. Out: `{"id", "custom_id", "response": {"status_code",
"request_id", "body"} | null, "error": {"code", "message"} | null}`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from menagerie.batches.failures import PASSING, AnswerError
from menagerie.batches.rows import Row, Table
from menagerie.locales import Language, text

MOST_REQUESTS: Final = 50_000
MOST_ERRORS: Final = 100
LONGEST_ID: Final = 512
_UNAUTHORIZED: Final = 401
_PASSING_STATUS: Final = frozenset({408, 425, 429, 503, 504})


class Reply(msgspec.Struct, frozen=True):
    """How an endpoint has answered one request: an HTTP status and a JSON body. `retry_after` is in seconds."""

    status: int
    body: Any
    retry_after: float | None = None
    request_id: str = ""


class LineError(msgspec.Struct, frozen=True):
    """What is wrong with the file of a batch; `line` counts from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class RefusedError(AnswerError):
    """A request that its endpoint did not answer with success."""

    def __init__(self, reply: Reply) -> None:
        error = reply.body.get("error") if isinstance(reply.body, dict) else None
        told = error if isinstance(error, dict) else {}
        ours = told.get("menagerie")
        code = str((ours.get("code") if isinstance(ours, dict) else None) or told.get("code") or reply.status)
        passing = code in PASSING or reply.status in _PASSING_STATUS or reply.retry_after is not None
        super().__init__(
            code,
            str(told.get("message") or ""),
            retry_after=reply.retry_after,
            passing=passing,
            fatal=reply.status == _UNAUTHORIZED,
        )
        self.reply = reply


def faults(table: Table, endpoint: str, language: Language) -> tuple[LineError, ...]:
    """All that is wrong with the lines of a file, the first `MOST_ERRORS` of it. Nothing: the batch may begin."""
    if table.count > MOST_REQUESTS:
        return (_fault(language, "too_many_requests", None, None, most=MOST_REQUESTS),)
    found: list[LineError] = []
    seen: set[bytes] = set()
    for row in table.rows():
        found += _faults_of(row, endpoint, seen, language)
        if len(found) >= MOST_ERRORS:
            break
    return tuple(found[:MOST_ERRORS])


def answered_line(row: Row, reply: Reply) -> bytes:
    """The line of a request that its endpoint has answered, well or not."""
    request_id = reply.request_id or secrets.token_hex(8)
    response = {"status_code": reply.status, "request_id": request_id, "body": reply.body}
    return _line(row, response, None)


def failed_line(row: Row, failure: AnswerError) -> bytes:
    """The line of a request that has failed for good."""
    if isinstance(failure, RefusedError):
        return answered_line(row, failure.reply)
    return _line(row, None, {"code": failure.code, "message": failure.message})


def _line(row: Row, response: object, error: object) -> bytes:
    return msgspec.json.encode(
        {
            "id": f"batch_req_{secrets.token_hex(12)}",
            "custom_id": row.values.get("custom_id"),
            "response": response,
            "error": error,
        }
    )


def _faults_of(row: Row, endpoint: str, seen: set[bytes], language: Language) -> Iterator[LineError]:
    def fault(code: str, param: str | None, **values: object) -> LineError:
        return _fault(language, code, row.number, param, **values)

    if row.problem is not None:
        yield fault("invalid_json_line", None)
        return
    name = row.values.get("custom_id")
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        yield fault("missing_required_parameter", "custom_id", name="custom_id")
    else:
        digest = hashlib.blake2b(name.encode("utf-8", "replace"), digest_size=16).digest()
        if digest in seen:
            yield fault("duplicate_custom_id", "custom_id")
        seen.add(digest)
    if row.values.get("method") != "POST":
        yield fault("invalid_method", "method")
    if row.values.get("url") != endpoint:
        yield fault("mismatched_url", "url", endpoint=endpoint)
    if not isinstance(row.values.get("body"), dict):
        yield fault("missing_required_parameter", "body", name="body")


def _fault(language: Language, code: str, line: int | None, param: str | None, **values: object) -> LineError:
    return LineError(code, text(f"batch.line.{code}", language, **values), line, param)
