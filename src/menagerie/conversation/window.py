"""What of a conversation fits into the context window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message

TOKENS_A_MESSAGE: Final = 12
"""What a chat template adds around a message, rounded up: roles, separators, line ends."""
_SMALLEST_ANSWER: Final = 16


class Fit(msgspec.Struct, frozen=True):
    """The part of a conversation that is sent. `tokens` counts it; `answer_tokens` remain for the answer."""

    messages: tuple[Message, ...]
    tokens: int
    answer_tokens: int
    dropped: int


def fit(system: Message, history: Sequence[Message], prompt: Message, window: int, answer_tokens: int) -> Fit:
    """Keep the system prompt, the new prompt, and as many of the newest messages as leave room for an answer.

    All messages carry their `tokens`. Dropping goes by whole exchanges, and down to half of the room at once: the
    cut then stays where it is for the next turns, and the engine's cache of the prompt stays good. The cut follows
    from the lengths alone, so that every turn of a conversation comes to the same one.

    Raises `prompt.too_long` where system prompt and prompt alone leave no room.
    """
    fixed = _length(system) + _length(prompt)
    reserve = min(answer_tokens, window // 4)
    if fixed + _SMALLEST_ANSWER > window:
        raise MenagerieError(ErrorCode.PROMPT_TOO_LONG, tokens=fixed, window=window)
    exchanges = _exchanges(history)
    lengths = [sum(map(_length, exchange)) for exchange in exchanges]
    cut = _cut(lengths, window - _length(system) - reserve)
    while cut < len(lengths) and fixed + sum(lengths[cut:]) + _SMALLEST_ANSWER > window:
        cut += 1
    tokens = fixed + sum(lengths[cut:])
    kept = [message for exchange in exchanges[cut:] for message in exchange]
    dropped = len(history) - len(kept)
    return Fit((system, *kept, prompt), tokens, min(answer_tokens, window - tokens), dropped)


def _cut(lengths: Sequence[int], room: int) -> int:
    """How many exchanges are dropped: the cut as it moved while the conversation grew to its present length."""
    cut, used = 0, 0
    for index, length in enumerate(lengths):
        used += length
        if used > room:
            while cut <= index and used > room // 2:
                used -= lengths[cut]
                cut += 1
    return cut


def _exchanges(history: Sequence[Message]) -> list[list[Message]]:
    """The history as exchanges: a message of the person's, and what follows until their next one."""
    exchanges: list[list[Message]] = []
    for message in history:
        if message.role == "user" or not exchanges:
            exchanges.append([])
        exchanges[-1].append(message)
    return exchanges


def _length(message: Message) -> int:
    return (message.tokens or 0) + TOKENS_A_MESSAGE
