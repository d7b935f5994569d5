"""`/conversations`: what people see of what they said, and what nobody else does."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from menagerie.conversation.export.document import Branch
from menagerie.conversation.export.download import Download, Format, download
from menagerie.conversation.live import LiveTurns
from menagerie.core.identity import User
from menagerie.store.database import Store
from menagerie.web.routes import conversations
from menagerie.web.services import EXPORTS
from tests.contracts.test_conversations import fail, say
from tests.store.examples import ANN as ANN_HERSELF
from tests.store.examples import start
from tests.web.serving import application, parts, serving

ANN = {"X-Forwarded-User": "ann"}
BOB = {"X-Forwarded-User": "bob"}
NOBODY: dict[str, str] = {}


@dataclass
class Served:
    """The routes over a real store."""

    client: aiohttp.ClientSession
    store: Store

    async def get(self, path: str, who: dict[str, str] = ANN, **query: str) -> dict[str, Any]:
        async with self.client.get(path, params=query, headers=who) as answer:
            assert answer.status == 200, await answer.text()
            return dict(await answer.json())

    async def titles(self, who: dict[str, str] = ANN, **query: str) -> list[str]:
        return [one["title"] for one in (await self.get("/conversations", who, **query))["conversations"]]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    given = parts(tmp_path, trusted_proxies=("127.0.0.0/8",))
    given.store = store = await Store.open("", given.settings.data)
    given.live = LiveTurns(given.turns, store, away_s=60.0)
    given.routers = (conversations.router,)
    try:
        async with serving(given) as client:
            yield Served(client, store)
    finally:
        await store.close()


async def code(attempt: Any) -> tuple[int, str]:
    async with attempt as answer:
        return answer.status, (await answer.json())["error"]["code"]


async def test_a_list_has_what_the_contract_says(served: Served) -> None:
    _, session = await say(served.store, "Hello?")
    told = await served.get("/conversations")
    (only,) = told["conversations"]
    assert (told["next"], told["kept"]) == (None, True)
    assert only == {
        "id": session,
        "persona": "owl",
        "title": "Hello?",
        "named": False,
        "language": "en",
        "started": "2026-11-23T12:00:00.123+00:00",
        "last_at": "2026-11-23T12:00:00.123+00:00",
        "turns": 1,
    }


async def test_the_list_is_searched_narrowed_and_paged(served: Served) -> None:
    await say(served.store, "Été")
    await say(served.store, "Hiver", persona="fox")
    await say(served.store, "Said by a program", channel="openai.responses")
    assert await served.titles() == ["Hiver", "Été"]
    assert await served.titles(q="ete") == ["Été"]
    assert await served.titles(persona="fox") == ["Hiver"]
    page = await served.get("/conversations", limit="1")
    assert await served.titles(before=page["next"]) == ["Été"]


async def test_two_people_see_each_their_own_and_nobody_has_no_list(served: Served) -> None:
    _, session = await say(served.store, "Ann's")
    _, nobodys = await say(served.store, "Nobody's", user=User())
    assert await served.titles(ANN) == ["Ann's"]
    assert await served.titles(BOB) == []
    told = await served.get("/conversations", NOBODY)
    assert told == {"conversations": [], "next": None, "kept": False}
    assert (await served.get(f"/conversations/{nobodys}", NOBODY))["title"] == "Nobody's"
    assert await code(served.client.get(f"/conversations/{session}")) == (404, "session.unknown")


async def test_one_conversation_has_what_the_contract_says(served: Served) -> None:
    one, session = await say(served.store, "1")
    two, _ = await fail(served.store, "2", session)
    told = await served.get(f"/conversations/{session}", lang="fr")
    first, second = told.pop("turns")
    assert first.pop("provenance")["model"]["name"] == "tiny"
    assert first == {
        "id": one,
        "parent": None,
        "session": session,
        "prompt": "1",
        "language": "en",
        "outcome": "done",
        "code": "",
        "message": "",
        "accepted_at": "2026-11-23T12:00:00.123+00:00",
        "answer": "1!",
        "feedback": None,
    }
    assert (second["parent"], second["outcome"], second["code"]) == (one, "failed", "engine.lost")
    assert "modèle" in second["message"]
    assert (second["answer"], second["provenance"]) == ("", None)
    assert (told["id"], told["title"], told["leaf"], told["running"]) == (session, "1", two, None)


async def test_a_failure_whose_sentence_needs_more_than_is_known_is_told_all_the_same(served: Served) -> None:
    for failure in ("prompt.too_long", "no.such.code"):
        _, session = await say(served.store, "1", outcome="failed", code=failure)
        (turn,) = (await served.get(f"/conversations/{session}"))["turns"]
        assert turn["code"] == failure
        assert "{" not in turn["message"]
        assert turn["message"]


async def test_a_running_turn_is_told_as_accepted(served: Served) -> None:
    running = start("Still?")
    session = (await served.store.turns.accept(running)).session
    told = await served.get(f"/conversations/{session}")
    assert told["running"] == told["leaf"] == running.turn
    assert told["turns"][0]["outcome"] == "accepted"


async def test_branches_are_told_as_a_tree_by_the_id_of_any_of_them(served: Served) -> None:
    one, session = await say(served.store, "1")
    await say(served.store, "2", session)
    branch = await served.store.sessions.branch(session, one, ANN_HERSELF)
    await say(served.store, "2 edited", branch)
    for each in (session, branch):
        told = await served.get(f"/conversations/{each}")
        assert told["id"] == session
        assert [(turn["prompt"], turn["parent"], turn["session"]) for turn in told["turns"]] == [
            ("1", None, session),
            ("2", one, session),
            ("2 edited", one, branch),
        ]


async def test_a_conversation_is_named_and_unnamed(served: Served) -> None:
    _, session = await say(served.store, "Hello?")
    for given, title, named in ((" My\nowl\u202e ", "My owl", True), ("", "Hello?", False)):
        async with served.client.patch(
            f"/conversations/{session}", json={"title": given}, headers=ANN
        ) as answer:
            assert answer.status == 200
            told = await answer.json()
        assert (told["title"], told["named"], told["turns"]) == (title, named, 1)
    for wrong in ({"title": "x" * 201}, {"title": 1}, {}, {"title": "x", "more": 1}):
        attempt = served.client.patch(f"/conversations/{session}", json=wrong, headers=ANN)
        assert await code(attempt) == (400, "request.invalid")


async def test_what_is_deleted_is_gone(served: Served) -> None:
    _, session = await say(served.store, "secret")
    async with served.client.delete(f"/conversations/{session}", headers=ANN) as answer:
        assert (answer.status, await answer.read()) == (204, b"")
    assert await code(served.client.get(f"/conversations/{session}", headers=ANN)) == (404, "session.unknown")
    assert await served.titles() == []
    assert await served.titles(q="secret") == []


async def test_feedback_is_given_and_taken_back(served: Served) -> None:
    one, session = await say(served.store, "1")
    path = f"/conversations/{session}/turns/{one}/feedback"
    for given, kept in (
        ({"value": "good"}, {"value": "good", "comment": ""}),
        ({"value": "bad", "comment": " No. "}, {"value": "bad", "comment": "No."}),
        ({"value": "", "comment": "ignored"}, None),
    ):
        async with served.client.put(path, json=given, headers=ANN) as answer:
            assert answer.status == 204
        assert (await served.get(f"/conversations/{session}"))["turns"][0]["feedback"] == kept
    for wrong in ({"value": "great"}, {"comment": "x"}, {"value": "bad", "comment": "x" * 2001}):
        assert await code(served.client.put(path, json=wrong, headers=ANN)) == (400, "request.invalid")


async def test_for_others_it_does_not_exist_whatever_they_try(served: Served) -> None:
    one, session = await say(served.store, "1")
    paths = [f"/conversations/{session}", "/conversations/none", "/conversations/%00"]
    for path in paths:
        for who in (BOB, NOBODY):
            for attempt in (
                served.client.get(path, headers=who),
                served.client.patch(path, json={"title": "Mine"}, headers=who),
                served.client.delete(path, headers=who),
                served.client.put(f"{path}/turns/{one}/feedback", json={"value": "good"}, headers=who),
                served.client.get(f"{path}/export", headers=who),
            ):
                assert await code(attempt) == (404, "session.unknown")
    assert await code(served.client.get("/conversations?before=none", headers=ANN)) == (
        404,
        "session.unknown",
    )
    assert await served.titles() == ["1"]


async def test_what_is_asked_wrongly_is_refused_by_name(served: Served) -> None:
    for query in ("limit=0", "limit=101", "limit=x", f"q={'x' * 201}"):
        attempt = served.client.get(f"/conversations?{query}", headers=ANN)
        assert await code(attempt) == (400, "request.invalid")


async def test_another_sites_page_may_do_nothing(served: Served) -> None:
    _, session = await say(served.store, "1")
    foreign = {**ANN, "Origin": "https://evil.example"}
    attempt = served.client.delete(f"/conversations/{session}", headers=foreign)
    assert await code(attempt) == (403, "request.origin_refused")


MEDIA = {
    "md": "text/markdown; charset=utf-8",
    "json": "application/json",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}


@pytest.mark.parametrize("form", MEDIA)
async def test_a_conversation_is_taken_along_as_a_file(served: Served, form: str) -> None:
    _, session = await say(served.store, "Hello?", persona="otter")
    query = {"format": form, "lang": "fr"}
    async with served.client.get(f"/conversations/{session}/export", params=query, headers=ANN) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == MEDIA[form]
        name = f"loutre-hello-2026-11-23.{form}"
        told = f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}"
        assert answer.headers["Content-Disposition"] == told
        assert answer.headers["Content-Language"] == "fr"
        assert answer.headers["Cache-Control"] == "no-store"
        content = await answer.read()
    if form != "docx":
        assert "Hello?!" in content.decode()
        assert "Loutre" in content.decode()
        assert "générée par une IA, à vérifier" in content.decode() or form == "json"


async def test_only_so_many_files_are_made_at_a_time_and_others_wait(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, session = await say(served.store, "Hello?", persona="otter")
    lock, two_are_made, may_end = threading.Lock(), threading.Event(), threading.Event()
    made, most = 0, 0

    def slow(branch: Branch, form: Format) -> Download:
        nonlocal made, most
        with lock:
            made += 1
            most = max(made, most)
            if made == EXPORTS:
                two_are_made.set()
        may_end.wait(30)
        with lock:
            made -= 1
        return download(branch, form)

    monkeypatch.setattr("menagerie.web.routes.conversations.download", slow)

    async def status() -> int:
        async with served.client.get(f"/conversations/{session}/export", headers=ANN) as answer:
            return answer.status

    asked = [asyncio.create_task(status()) for _ in range(EXPORTS + 3)]
    await asyncio.to_thread(two_are_made.wait, 30)
    assert await served.titles()
    may_end.set()
    assert set(await asyncio.gather(*asked)) == {200}
    assert most == EXPORTS


async def test_of_several_branches_one_is_taken_along(served: Served) -> None:
    one, session = await say(served.store, "first")
    two, _ = await say(served.store, "second", session)
    branch = await served.store.sessions.branch(session, one, ANN_HERSELF)
    three, _ = await say(served.store, "other", branch)
    path = f"/conversations/{session}/export"
    for leaf, prompts in (("", ["first", "other"]), (three, ["first", "other"]), (two, ["first", "second"])):
        told = await served.get(path, format="json", leaf=leaf)
        assert [turn["prompt"] for turn in told["turns"]] == prompts
    for wrong in ({"leaf": "none"}, {"leaf": three[:-1]}):
        assert await code(served.client.get(path, params=wrong, headers=ANN)) == (404, "session.unknown")
    attempt = served.client.get(path, params={"format": "pdf"}, headers=ANN)
    assert await code(attempt) == (400, "request.invalid")


async def test_what_models_wrote_into_a_conversation_is_only_text_in_its_file(served: Served) -> None:
    _, session = await say(
        served.store, "Hello?", answer="<script>alert(1)</script>\n```\n[x](javascript:alert(1))"
    )
    async with served.client.get(f"/conversations/{session}/export", headers=ANN) as answer:
        told = await answer.text()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "````text\n<script>alert(1)</script>\n```\n[x](javascript:alert(1))\n````\n" in told


async def test_the_interfaces_describe_themselves(tmp_path: Path) -> None:
    given = parts(tmp_path)
    given.routers = (conversations.router,)
    paths = application(given).openapi()["paths"]
    told = {(method, path): operation for path, item in paths.items() for method, operation in item.items()}
    ours = {place: operation for place, operation in told.items() if place[1].startswith("/conversations")}
    assert len(ours) == 6
    for place, operation in ours.items():
        assert operation["summary"], place
        assert operation["description"], place
    exported = ours["get", "/conversations/{conversation}/export"]
    assert set(exported["responses"]["200"]["content"]) >= {
        kind.partition(";")[0] for kind in MEDIA.values()
    } - {"text/markdown"}
