"""What of a conversation is sent when it outgrows the window."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.conversation.window import TOKENS_A_MESSAGE, fit
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message

SYSTEM = Message("system", "s", 20)

exchanges = st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), max_size=40)


def history_of(lengths: list[tuple[int, int]]) -> list[Message]:
    return [
        message
        for number, (asked, answered) in enumerate(lengths)
        for message in (Message("user", f"u{number}", asked), Message("assistant", f"a{number}", answered))
    ]


@given(exchanges, st.integers(1, 200), st.integers(512, 4096), st.integers(1, 2048))
def test_what_is_sent_fits_and_leaves_room_for_an_answer(
    lengths: list[tuple[int, int]], asked: int, window: int, answer: int
) -> None:
    sent = fit(SYSTEM, history_of(lengths), Message("user", "?", asked), window, answer)
    assert sent.tokens == sum((message.tokens or 0) + TOKENS_A_MESSAGE for message in sent.messages)
    assert sent.tokens + sent.answer_tokens <= window
    assert 1 <= sent.answer_tokens <= answer


@given(exchanges, st.integers(512, 4096))
def test_the_system_prompt_the_new_prompt_and_the_newest_exchanges_stay(
    lengths: list[tuple[int, int]], window: int
) -> None:
    history = history_of(lengths)
    prompt = Message("user", "?", 10)
    sent = fit(SYSTEM, history, prompt, window, 256)
    assert sent.messages[0] == SYSTEM
    assert sent.messages[-1] == prompt
    assert list(sent.messages[1:-1]) == history[sent.dropped :]
    assert sent.dropped == len(history) - len(sent.messages) + 2
    assert len(sent.messages) == 2 or sent.messages[1].role == "user"


@given(exchanges)
def test_a_conversation_that_fits_is_sent_whole(lengths: list[tuple[int, int]]) -> None:
    assert fit(SYSTEM, history_of(lengths), Message("user", "?", 10), 1_000_000, 256).dropped == 0


def test_the_cut_stays_where_it_is_for_the_turns_that_follow() -> None:
    prompt = Message("user", "?", 10)
    cuts = [fit(SYSTEM, history_of([(40, 40)] * n), prompt, 1024, 256).dropped for n in range(60)]
    moves = sum(1 for before, after in itertools.pairwise(cuts) if before != after)
    assert cuts[-1] > 80
    assert moves <= 60 // 3
    assert cuts == sorted(cuts)


def test_a_prompt_longer_than_the_window_is_refused_with_both_numbers() -> None:
    with pytest.raises(MenagerieError) as refused:
        fit(SYSTEM, [], Message("user", "?", 2000), 1024, 256)
    assert refused.value.code is ErrorCode.PROMPT_TOO_LONG
    assert refused.value.values == {"tokens": 2000 + 20 + 2 * TOKENS_A_MESSAGE, "window": 1024}
