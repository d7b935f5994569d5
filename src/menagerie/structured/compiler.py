"""LLGuidance, over bytes: whether a JSON Schema compiles to a grammar, and to which."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Final

from llguidance import LLMatcher, LLParserLimits, LLTokenizer, TokenizerWrapper

from menagerie.structured.dialect import Schema

LIMITS: Final = LLParserLimits(
    initial_lexer_fuel=1_000_000,
    step_lexer_fuel=200_000,
    step_max_items=50_000,
    max_lexer_states=20_000,
    max_grammar_size=500_000,
    verbose_errors=False,
)


class ByteVocabulary:
    """A vocabulary of the 256 bytes and an end: what `TokenizerWrapper` asks of a tokenizer."""

    eos_token_id: Final = 256
    bos_token_id: Final = None
    tokens: Final = [bytes([value]) for value in range(256)] + [b"<end>"]
    special_token_ids: Final = [256]

    def __call__(self, text: str | bytes) -> list[int]:
        return list(text if isinstance(text, bytes) else text.encode())


BYTES: Final = LLTokenizer(TokenizerWrapper(ByteVocabulary()), slices=[])


def grammar_text(schema: Schema, *, coerce_one_of: bool, lenient: bool) -> str:
    """The grammar of `schema` as an engine takes it, without whitespace between the tokens of JSON."""
    options = {"whitespace_flexible": False, "coerce_one_of": coerce_one_of, "lenient": lenient}
    compact = json.dumps({"x-guidance": options, **schema}, ensure_ascii=False, separators=(",", ":"))
    return f"%llguidance {{}}\nstart: %json {compact}"


def matcher_of(grammar: str) -> LLMatcher | None:
    """What follows a text under `grammar`, from its beginning; None where it does not compile, or no answer can
    begin: of some hundreds of alternatives for what comes first it says only then that they are too many."""
    matcher = LLMatcher(BYTES, grammar, log_level=0, limits=LIMITS)
    return None if matcher.is_error() or not _begins(matcher) else matcher


def _begins(matcher: LLMatcher) -> bool:
    possible = (byte for byte in range(256) if matcher.validate_tokens([byte]))
    return any(matcher.deep_copy().consume_token(byte) for byte in possible)


def compiles(schema: Schema) -> bool:
    """Whether all of `schema`, a short one, can be said by a grammar."""
    return compiles_alone(grammar_text(schema, coerce_one_of=False, lenient=False))


@lru_cache(maxsize=4096)
def compiles_alone(grammar: str) -> bool:
    """Whether `grammar` compiles; remembered."""
    return matcher_of(grammar) is not None


@lru_cache(maxsize=4096)
def patterns_exclude(one: str, other: str) -> bool:
    """Whether no string matches both patterns, as far as LLGuidance can tell quickly."""
    both = {"type": "string", "allOf": [{"pattern": one}, {"pattern": other}]}
    text = grammar_text(both, coerce_one_of=False, lenient=False)
    return "Regex is empty" in LLMatcher(BYTES, text, log_level=0, limits=LIMITS).get_error()
