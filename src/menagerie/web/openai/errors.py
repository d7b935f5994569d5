"""Failures in OpenAI's shape: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from typing import Any, Final

from menagerie.core.errors import ErrorCode

STATUS: Final[dict[str, int]] = {ErrorCode.PROMPT_TOO_LONG: 400}
"""Where OpenAI's status is another than ours."""

_NAMES: Final[dict[str, str]] = {
    ErrorCode.KEY_INVALID: "invalid_api_key",
    ErrorCode.KEY_REQUIRED: "invalid_api_key",
    ErrorCode.KEY_RATE_LIMITED: "rate_limit_exceeded",
    ErrorCode.MODEL_UNKNOWN: "model_not_found",
    ErrorCode.PERSONA_UNKNOWN: "model_not_found",
    ErrorCode.PROMPT_TOO_LONG: "context_length_exceeded",
}
"""OpenAI's own names, where it has one that programs go by; else the code is ours."""
_TYPES: Final[dict[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


def error_object(code: str, message: str, status: int, param: str, request: str) -> dict[str, Any]:
    """The body of an error. `param` is the field that is wrong, empty where none is; `menagerie` has our own code and
    the number of the request."""
    kind = "server_error" if status >= 500 else _TYPES.get(status, "invalid_request_error")
    return {
        "error": {
            "message": message,
            "type": kind,
            "param": param or None,
            "code": _NAMES.get(code, str(code)),
            "menagerie": {"code": str(code), "request": request},
        }
    }
