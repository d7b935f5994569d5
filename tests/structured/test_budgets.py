"""However few tokens there are, and whoever writes them, a guaranteed answer ends validly."""

from __future__ import annotations

from typing import Any

import pytest

from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest
from menagerie.engines.engine import LocalEngine
from menagerie.structured.schema import compile_schema
from tests.structured.hostile import whole

TREE: Any = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "label": {"type": "string"},
                "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["label", "kids"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
SCHEMAS: dict[str, Any] = {
    "tree": TREE,
    "record": {
        "type": "object",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "at": {"type": "string", "format": "date-time"},
            "name": {"type": "string", "minLength": 3, "maxLength": 40},
            "tags": {"type": "array", "items": {"enum": ["red", "green", "blue"]}, "minItems": 2},
            "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
        },
        "required": ["id", "at", "name", "tags", "code"],
        "additionalProperties": False,
    },
    "choice": {
        "oneOf": [{"required": ["card"]}, {"required": ["iban"]}],
        "type": "object",
        "properties": {"card": {"type": "string"}, "iban": {"type": "string"}, "total": {"type": "number"}},
        "required": ["total"],
    },
    "condition": {
        "type": "object",
        "properties": {
            "country": {"type": "string"},
            "postal_code": {"type": "string"},
            "zip": {"type": "string"},
        },
        "required": ["country"],
        "if": {"properties": {"country": {"const": "Canada"}}},
        "then": {"required": ["postal_code"]},
        "else": {"required": ["zip"]},
    },
    "numbers": {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}, "minItems": 5},
    "anything": {"type": "object"},
}


@pytest.mark.engine
@pytest.mark.parametrize("name", SCHEMAS)
@pytest.mark.parametrize("tokens", [1, 16, 32, 64])
async def test_an_answer_of_few_tokens_ends_validly(engine: LocalEngine, name: str, tokens: int) -> None:
    compiled = compile_schema(SCHEMAS[name])
    assert compiled.guaranteed
    for seed in range(3):
        asked = ChatRequest(
            (Message("user", "An example, please."),), max_tokens=tokens, temperature=1.0, seed=seed
        )
        text, last = await whole(engine.chat, compiled, asked)
        compiled.verify(text)
        assert last.usage is not None
        assert last.usage.answer <= tokens
