"""Turns as the service makes them, with everything that a test does not care about filled in."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import msgspec

from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.core.provenance import ModelFacts, Provenance, Timings
from menagerie.store.database import Store
from menagerie.store.turns import Conversation, Outcome, TurnEnd, TurnStart

ANN = User(("ann", "ann@example.ca"), "192.0.2.1")
BOB = User(("bob",), "192.0.2.2")
NOON = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)

PROVENANCE = Provenance(
    service="menagerie 0.1.0",
    persona="owl",
    language="en",
    model=ModelFacts("tiny", sha256="ab" * 32),
    started="2026-11-23T07:00:00-05:00",
    prompt_tokens=31,
    cached_tokens=20,
    answer_tokens=7,
)


def start(
    prompt: str = "Hello?",
    session: str | None = None,
    *,
    user: User = ANN,
    persona: str = "owl",
    system: str = "You are an owl.",
    at: datetime = NOON,
) -> TurnStart:
    return TurnStart(
        turn=str(uuid4()),
        session=session,
        user=user,
        persona=persona,
        channel="gpt-socket",
        language="en",
        prompt=prompt,
        at=at,
        system=system,
        model="tiny",
    )


def end(
    prompt: str = "Hello?",
    answer: str | None = "Hoo.",
    *,
    outcome: Outcome = "done",
    code: str = "",
    at: datetime = NOON,
) -> TurnEnd:
    return TurnEnd(
        outcome=outcome,
        code=code,
        user=Message("user", prompt, 3),
        answer=None if answer is None else Message("assistant", answer, 7),
        provenance=msgspec.json.encode(PROVENANCE) if outcome == "done" else None,
        timings=Timings(queued_ms=1.5, first_token_ms=20.0, total_ms=250.0),
        at=at,
    )


async def say(
    store: Store,
    prompt: str = "Hello?",
    session: str | None = None,
    *,
    answer: str = "Hoo.",
    user: User = ANN,
    at: datetime = NOON,
) -> Conversation:
    """One whole turn; gives the conversation that it began with."""
    beginning = start(prompt, session, user=user, at=at)
    found = await store.turns.accept(beginning)
    await store.turns.finish(beginning.turn, end(prompt, answer, at=at))
    return found


def words(conversation: Conversation) -> list[str]:
    """What was said, without the system prompt."""
    return [message.content for message in conversation.messages if message.role != "system"]
