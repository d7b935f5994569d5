"""Text engines for tests of the guarantee: they walk a grammar at random, and then break what they wrote."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from typing import Final

from llguidance import LLMatcher

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest, Chunk, Usage
from menagerie.structured.answer import Account, constrained
from menagerie.structured.compiler import BYTES, LIMITS
from menagerie.structured.schema import CompiledSchema

Chat = Callable[[ChatRequest], AsyncGenerator[Chunk, None]]
ASK: Final = ChatRequest((Message("user", "An example, please."),), max_tokens=400)


def written_under(grammar: str, chance: random.Random, length: int = 400) -> str:
    """What a model that obeys `grammar` and knows nothing writes: complete, or cut at `length` bytes."""
    matcher, text = LLMatcher(BYTES, grammar, log_level=0, limits=LIMITS), bytearray()
    while len(text) < length and not matcher.is_error():
        if matcher.is_accepting() and (matcher.is_stopped() or chance.random() < 0.3):
            break
        mask = int.from_bytes(matcher.compute_bitmask(), "little")
        options = [byte for byte in range(256) if mask >> byte & 1]
        if not options:
            break
        closers = [byte for byte in options if byte in b'"}]']
        plain = [byte for byte in options if 0x20 <= byte < 0x7F]
        byte = chance.choice(closers if closers and chance.random() < 0.4 else plain or options)
        matcher.consume_token(byte)
        text.append(byte)
    return text.decode(errors="ignore")


def saying(*texts: str, finish: str = "stop", piece: int = 3, dies: bool = False) -> Chat:
    """An engine that answers `texts` in turn, the last one for ever, in pieces of `piece` characters."""
    answers = list(texts)

    async def chat(request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        text = answers.pop(0) if len(answers) > 1 else answers[0]
        for at in range(0, len(text), piece):
            yield Chunk(text[at : at + piece])
        if dies:
            raise MenagerieError(ErrorCode.ENGINE_LOST)
        yield Chunk(finish=finish, usage=Usage(prompt=10, cached=1, answer=len(text) // piece + 1))

    return chat


async def whole(
    chat: Chat, compiled: CompiledSchema, request: ChatRequest = ASK, account: Account | None = None
) -> tuple[str, Chunk]:
    """The whole text of a constrained answer, and its last chunk."""
    chunks = [chunk async for chunk in constrained(chat, request, compiled, account=account)]
    return "".join(chunk.text for chunk in chunks), chunks[-1]
