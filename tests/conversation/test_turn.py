"""A turn from accepted to done, on the real engine, store and personas."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from menagerie.app import running
from menagerie.conversation.running import TurnRequest
from menagerie.core.events import Accepted, AnyEvent, Done, Failed, Notice, Token
from menagerie.core.identity import User
from menagerie.grounding.given import Given
from menagerie.settings import Settings
from menagerie.web.services import Services
from tests.tiny_model import write_tiny_model

pytestmark = pytest.mark.engine

ANA = User(("ana",))


@contextlib.asynccontextmanager
async def service(data: Path, model: Path, **settings: Any) -> AsyncIterator[Services]:
    wanted: dict[str, Any] = {
        "llm_context_window": 1024,
        "answer_tokens": 24,
        "llm_cpu_threads": 1,
        "log_level": "error",
    }
    async with running(Settings(data=data, llm_model_file=model, **(wanted | settings))) as services:
        yield services


async def turn(services: Services, prompt: str = "Hello", **request: Any) -> list[AnyEvent]:
    wanted: dict[str, Any] = {"persona": "beaver", "user": ANA, "language": "en", "channel": "test"}
    asked = TurnRequest(prompt=prompt, **(wanted | request))
    return [event async for event in services.turns.run(asked)]


def done(events: list[AnyEvent]) -> Done:
    assert isinstance(events[-1], Done), events[-1]
    return events[-1]


def notices(events: list[AnyEvent]) -> list[str]:
    return [event.code for event in events if isinstance(event, Notice)]


async def test_a_long_conversation_goes_on_and_says_what_it_dropped(tmp_path: Path, tiny_model: Path) -> None:
    async with service(tmp_path, tiny_model, llm_context_window=768) as services:
        session, told = None, []
        for number in range(14):
            events = await turn(
                services, f"Sentence {number} of a conversation that is to grow.", session=session
            )
            session = done(events).session
            told.append("history_dropped" in notices(events))
            assert done(events).provenance.prompt_tokens < 768
        assert told[0] is False
        assert told[-1] is True
        assert done(events).provenance.dropped_messages > 0


async def test_the_engine_computes_only_what_is_new_in_a_following_turn(
    tmp_path: Path, tiny_model: Path
) -> None:
    async with service(tmp_path, tiny_model) as services:
        first = done(await turn(services))
        second = done(await turn(services, "And now?", session=first.session)).provenance
        assert second.cached_tokens > 0.8 * first.provenance.prompt_tokens


async def test_what_a_turn_took_is_charged_once_when_it_is_over(tmp_path: Path, tiny_model: Path) -> None:
    async with service(tmp_path, tiny_model) as services:
        charged: list[int] = []
        account = done(await turn(services, charge=charged.append)).provenance
        assert charged == [account.prompt_tokens + account.answer_tokens]
        (refused,) = await turn(services, session="urn:uuid:none", charge=charged.append)
        assert isinstance(refused, Failed)
        assert charged[1:] == [0]


async def test_a_turn_that_its_client_leaves_is_charged_what_it_took_so_far(tmp_path: Path) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=65_536, end_bias=-100.0)
    async with service(
        tmp_path / "data", endless, llm_context_window=32_768, answer_tokens=20_000
    ) as services:
        charged: list[int] = []
        for enough in (5, 50):
            asked = TurnRequest(
                persona="beaver", prompt="Hi", user=ANA, language="en", channel="test", charge=charged.append
            )
            pieces = 0
            async with contextlib.aclosing(services.turns.run(asked)) as events:
                async for event in events:
                    pieces += isinstance(event, Token)
                    if pieces == enough:
                        break
        soon, later = charged
        assert soon > 5
        assert later == soon + 45


async def test_one_turn_at_a_time_in_a_conversation(tmp_path: Path) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=65_536, end_bias=-100.0)
    async with service(
        tmp_path / "data", endless, llm_context_window=32_768, answer_tokens=20_000
    ) as services:
        asked = TurnRequest(persona="beaver", prompt="Hi", user=ANA, language="en", channel="test")
        events = services.turns.run(asked)
        accepted = await anext(events)
        assert isinstance(accepted, Accepted)
        while not isinstance(await anext(events), Token):
            pass
        (busy,) = await turn(services, session=accepted.session)
        assert isinstance(busy, Failed)
        assert busy.code == "session.busy"
        await events.aclose()
        await services.turns.ended(accepted.turn)
        record = await services.store.turns.get(accepted.turn)
        assert record is not None
        assert record.outcome == "cancelled"
        conversation = await services.store.sessions.get(accepted.session, ANA)
        assert [message.role for message in conversation.messages] == ["system", "user", "assistant"]


async def test_many_turns_at_once_all_end_and_none_fails_for_another(
    tmp_path: Path, tiny_model: Path
) -> None:
    async with service(tmp_path, tiny_model, engine_slots=4) as services:
        long = [Given("context", "Some words of context. " * 20)]
        runs = await asyncio.gather(*(turn(services, given=tuple(long)) for _ in range(24)))
        assert {type(events[-1]) for events in runs} == {Done}


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(tmp_path: Path) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=65_536, end_bias=-100.0)
    settings: dict[str, Any] = {
        "llm_context_window": 8192,
        "answer_tokens": 6000,
        "engine_slots": 1,
        "queue_length": 1,
    }
    async with service(tmp_path / "data", endless, **settings) as services:
        while services.engines.overview().loads == 0:  # noqa: ASYNC110 - the load is the event
            await asyncio.sleep(0.01)
        runs = [asyncio.create_task(turn(services)) for _ in range(2)]
        await asyncio.sleep(0.3)
        full = (await turn(services))[-1]
        assert isinstance(full, Failed)
        assert full.code == "queue.full"
        assert full.retry_after
        assert full.turn
        assert all(isinstance(events[-1], Done) for events in await asyncio.gather(*runs))


async def test_marks_of_templates_in_a_prompt_do_not_make_it_count_for_less(
    tmp_path: Path, tiny_model: Path
) -> None:
    async with service(tmp_path, tiny_model) as services:
        refused = (await turn(services, "<|im_end|>" * 120))[-1]
        assert isinstance(refused, Failed)
        assert refused.code == "prompt.too_long"
        assert done(await turn(services, "<|im_end|>" * 30)).provenance.prompt_tokens < 1024


async def test_a_turn_that_takes_too_long_is_ended_and_told(tmp_path: Path) -> None:
    endless = write_tiny_model(tmp_path / "endless.gguf", context_length=262_144, end_bias=-100.0)
    settings: dict[str, Any] = {"llm_context_window": 200_000, "answer_tokens": 190_000, "engine_slots": 1}
    async with service(tmp_path / "data", endless, turn_timeout=1.0, **settings) as services:
        events = await turn(services)
        late = events[-1]
        assert isinstance(late, Failed)
        assert late.code == "turn.timeout"
        assert any(isinstance(event, Token) for event in events)
        record = await services.store.turns.get(late.turn)
        assert record is not None
        assert record.outcome == "failed"


async def test_a_service_that_stops_tells_new_turns_so(tmp_path: Path, tiny_model: Path) -> None:
    async with service(tmp_path, tiny_model) as services:
        await services.turns.drain(1)
        (refused,) = await turn(services)
        assert isinstance(refused, Failed)
        assert refused.code == "service.stopping"


async def test_a_template_without_system_messages_gets_the_imperative_all_the_same(tmp_path: Path) -> None:
    plain = (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ raise_exception('no system') }}"
        "{% endif %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
        "{% endfor %}<|im_start|>assistant\n"
    )
    model = write_tiny_model(tmp_path / "plain.gguf", chat_template=plain)
    async with service(tmp_path / "data", model) as services:
        assert done(await turn(services)).provenance.prompt_tokens > 200


def personas_file(folder: Path, **persona: object) -> Path:
    folder.mkdir()
    (folder / "90-ours.json").write_text(json.dumps({"ours": {"imperative": "Be brief.", **persona}}))
    return folder


async def test_a_persona_whose_model_is_absent_says_who_answers(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "models").mkdir(parents=True)
    write_tiny_model(data / "models" / "SmolLM2-135M-Instruct.Q4_1.gguf")
    folder = personas_file(tmp_path / "personas", hf_repo="maker/model", hf_filename="*.gguf")
    settings: dict[str, Any] = {"data": data, "personalities": (folder,), "answer_tokens": 8}
    async with running(Settings(**settings)) as services:
        events = await turn(services, persona="ours", language="fr")
        assert done(events).provenance.wanted_model == "hub:maker/model:*.gguf"
        assert "model_substituted" in notices(events)
    async with running(Settings(**settings, model_fallback="off")) as services:
        (missing,) = await turn(services, persona="ours")
        assert isinstance(missing, Failed)
        assert missing.code == "model.missing"
        assert "menagerie models pull ours" in missing.message


async def test_a_persona_stuffed_with_a_text_knows_it_from_the_first_prompt(
    tmp_path: Path, tiny_model: Path
) -> None:
    folder = personas_file(tmp_path / "personas", agent_rag_source="facts.txt")
    (folder / "facts.txt").write_text("The code word is umbrella. " * 8)
    async with service(tmp_path / "data", tiny_model, personalities=(folder,)) as services:
        session = done(await turn(services, persona="ours")).session
        conversation = await services.store.sessions.get(session, ANA)
        assert "umbrella" in conversation.messages[0].content


async def test_a_clock_that_jumps_disturbs_no_conversation(tmp_path: Path, tiny_model: Path) -> None:
    from datetime import datetime, timedelta

    async with service(tmp_path, tiny_model) as services:
        now = datetime(2026, 11, 1, tzinfo=UTC)
        session: str | None = None
        for jump in (timedelta(0), timedelta(days=400), timedelta(days=-800), timedelta(hours=2)):
            now += jump
            services.turns._now = lambda now=now: now  # type: ignore[misc]
            session = done(await turn(services, session=session)).session
        assert session is not None
        conversation = await services.store.sessions.get(session, ANA)
        assert [message.role for message in conversation.messages[1:]] == ["user", "assistant"] * 4
