"""The guarantee, against schemas and engines by chance: valid JSON under the schema, or an error, in bounded time."""

from __future__ import annotations

import json
import random
import time
from collections.abc import AsyncGenerator
from typing import Any, Final

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.chat import ChatRequest, Chunk
from menagerie.structured.dialect import dialect_id, dialect_of
from menagerie.structured.schema import CompiledSchema, compile_schema
from menagerie.structured.verification import Verifier
from menagerie.structured.wellformed import surely_valid
from tests.structured.hostile import Chat, saying, whole, written_under
from tests.structured.schemas import SCHEMAS

QUICKLY = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
KINDS: Final = (
    "obeys",
    "cut",
    "garbled",
    "fenced",
    "dies",
    "loops",
    "prose",
    "other",
    "pretty",
    "twice",
    "escapes",
)
JUNK: Final = [
    "}",
    '"',
    "\x00",
    "\ud800",
    "1e999",
    '{"a":1',
    "NaN",
    "\\",
    "\\ud800",
    "\\u12",
    "\ufeff",
    "/*",
    "'",
    ",,",
]
LOOPS: Final = ["0", " ", '"x",', "ab", "\\n", "[", '{"a":', "null,", "-", "1e"]


def compiled_or_none(schema: Any) -> CompiledSchema | None:
    try:
        return compile_schema(schema)
    except MenagerieError as refused:
        if refused.code not in (ErrorCode.SCHEMA_INVALID, ErrorCode.SCHEMA_TOO_COMPLEX):
            raise
        return None


def said(kind: str, text: str, chance: random.Random) -> str:
    """What an engine makes of `text`, which obeys the grammar."""
    place = chance.randrange(len(text) + 1)
    match kind:
        case "cut":
            return text[:place]
        case "garbled":
            return text[:place] + chance.choice(JUNK) + text[place:]
        case "fenced":
            return f"So:\n```json\n{text}\n```"
        case "loops":
            return text[:place] + chance.choice(LOOPS) * 900
        case "prose":
            return "Let me think about that."
        case "other":
            return json.dumps(
                chance.choice([{}, [], {"a": 1}, [1, 1, "a"], "a", 0.5, None, {"a": {"a": {}}}])
            )
        case "pretty":
            try:
                return json.dumps(json.loads(text), indent=3)
            except ValueError:
                return text
        case "twice":
            return text + text
        case "escapes":
            return text.replace("a", "\\u0061").replace("b", "\\u00")
        case _:
            return text


def without_grammars(chat: Chat) -> Chat:
    """The same engine at an address that refuses grammars."""

    async def remote(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        if request.grammar:
            raise MenagerieError(ErrorCode.ENGINE_REFUSED)
        async for chunk in chat(request):
            yield chunk

    return remote


@QUICKLY
@given(SCHEMAS, st.sampled_from(KINDS), st.booleans(), st.integers(0, 2**32))
async def test_whatever_the_schema_and_the_engine_the_answer_is_valid_or_an_error(
    schema: Any, kind: str, remote: bool, seed: int
) -> None:
    compiled, chance = compiled_or_none(schema), random.Random(seed)
    if compiled is None:
        return
    texts = [said(kind, written_under(compiled.grammar, chance), chance) for _ in range(3)]
    chat = saying(*texts, finish="length" if kind == "cut" else "stop", dies=kind == "dies", piece=5)
    began, answer, code = time.process_time(), "", None
    try:
        answer, _ = await whole(without_grammars(chat) if remote else chat, compiled)
    except MenagerieError as error:
        code = error.code
    if code is None:
        compiled.verify(answer)
        json.loads(answer)
    assert code in (None, ErrorCode.SCHEMA_NOT_MET, ErrorCode.ENGINE_LOST, ErrorCode.ENGINE_REFUSED)
    assert time.process_time() - began < 10


@settings(QUICKLY, max_examples=400)
@given(SCHEMAS, st.integers(0, 2**32))
def test_what_is_called_guaranteed_is(schema: Any, seed: int) -> None:
    compiled = compiled_or_none(schema)
    assume(compiled is not None and compiled.guaranteed)
    assert compiled is not None
    guard = compiled.guard()
    _, rest = guard.take(written_under(compiled.grammar, random.Random(seed)))
    closing = None if rest else guard.close()
    if closing is not None:
        compiled.verify(guard.text + closing)


@QUICKLY
@given(SCHEMAS, st.integers(0, 2**32))
def test_what_is_repaired_is_valid(schema: Any, seed: int) -> None:
    compiled, chance = compiled_or_none(schema), random.Random(seed)
    assume(compiled is not None)
    assert compiled is not None
    other = compile_schema({"type": "object", "maxProperties": 4})
    for text in (written_under(compiled.grammar, chance, 80), written_under(other.grammar, chance, 80)):
        if (repaired := compiled.repaired(text)) is not None:
            compiled.verify(repaired)


BROKEN: Final[list[Any]] = [
    None,
    True,
    0,
    -1,
    1.5,
    "x",
    [],
    ["a", "a"],
    [{}],
    {},
    {"a": 1},
    {"a": ["b"]},
    "#/nowhere",
    [1],
]


@settings(QUICKLY, max_examples=300)
@given(SCHEMAS, st.data())
def test_the_quick_look_finds_no_schema_valid_that_the_meta_schema_does_not(
    schema: Any, data: st.DataObject
) -> None:
    keyword = data.draw(st.sampled_from(sorted(schema.keys() - {"$schema"})))
    schema = {**schema, keyword: data.draw(st.sampled_from(BROKEN))}
    dialect = dialect_of(schema)
    if surely_valid(schema, booleans="draft-04" not in dialect_id(dialect)):
        errors = Verifier(dialect.META_SCHEMA, dialect).errors(schema)
        assert not [error for error in errors if error.validator not in ("uniqueItems", "minItems")]
