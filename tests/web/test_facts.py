"""`/facts`: what a program sees of collections, and what it may not do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from menagerie.grounding.facts.service import FactBases
from menagerie.store.database import Store
from menagerie.web.routes import facts
from tests.grounding.facts.bases import bases_in
from tests.web.serving import parts, raw_answer, serving

PROXY = {"trusted_proxies": ("127.0.0.0/8",), "whisper_embedding_model": "none"}
ANN = {"X-Forwarded-User": "ann"}
BOB = {"X-Forwarded-User": "bob"}
MOOSE = "Moose are the largest deer, and they swim well."


@asynccontextmanager
async def served(folder: Path, **settings: Any) -> AsyncIterator[tuple[aiohttp.ClientSession, FactBases]]:
    """The routes over real collections."""
    given = parts(folder, **{**PROXY, **settings})
    given.store = store = await Store.open("", given.settings.data)
    given.routers = (facts.router,)
    try:
        async with bases_in(given.settings.data, store, **settings) as bases:
            given.facts = bases
            async with serving(given) as client:
                yield client, bases
    finally:
        await store.close()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[aiohttp.ClientSession]:
    async with served(tmp_path) as (made, _):
        yield made


def form(content: bytes, filename: str = "moose.txt") -> aiohttp.FormData:
    made = aiohttp.FormData(quote_fields=False)
    made.add_field("file", content, filename=filename)
    return made


async def made(client: aiohttp.ClientSession, name: str = "hr", **fields: Any) -> dict[str, Any]:
    async with client.post("/facts", json={"name": name, **fields}, headers=ANN) as answer:
        assert answer.status == 201, await answer.text()
        return dict(await answer.json())


async def sent(client: aiohttp.ClientSession, content: bytes, filename: str = "moose.txt") -> dict[str, Any]:
    async with client.post("/facts/hr/documents", data=form(content, filename), headers=ANN) as answer:
        assert answer.status == 201, await answer.text()
        assert answer.headers["Location"].startswith("/facts/hr/documents/")
        return dict(await answer.json())


async def code(answer: Any) -> tuple[int, str]:
    async with answer as response:
        body = await response.json()
        return response.status, body["error"]["code"]


async def test_a_collection_from_beginning_to_end(client: aiohttp.ClientSession) -> None:
    collection = await made(client, title="People", readers=["user:Bob"])
    assert collection["readers"] == ["user:bob"]
    assert collection["may_change"]
    document = await sent(client, MOOSE.encode(), "../../moose.txt")
    assert (document["name"], document["state"], document["error"]) == ("moose.txt", "ready", None)
    question = {"question": "Which is the largest deer?", "most": 3}
    for who in (ANN, BOB):
        async with client.post("/facts/hr/search", json=question, headers=who) as answer:
            assert answer.status == 200
            (passage,) = (await answer.json())["passages"]
        assert (passage["text"], passage["document"]) == (MOOSE, document["id"])
        assert 0 < passage["score"] <= 1
    async with client.get("/facts", headers=BOB) as answer:
        (seen,) = (await answer.json())["collections"]
    assert (seen["name"], seen["title"], seen["may_change"], seen["documents"]) == ("hr", "People", False, 1)
    assert "readers" not in seen
    async with client.patch("/facts/hr", json={"readers": []}, headers=ANN) as answer:
        assert (await answer.json())["readers"] == []
    assert await code(client.get("/facts/hr", headers=BOB)) == (404, "facts.unknown")
    async with client.delete(f"/facts/hr/documents/{document['id']}", headers=ANN) as answer:
        assert answer.status == 204
    async with client.get("/facts/hr/documents", headers=ANN) as answer:
        assert await answer.json() == {"documents": [], "has_more": False}
    async with client.delete("/facts/hr", headers=ANN) as answer:
        assert answer.status == 204
    assert await code(client.get("/facts/hr", headers=ANN)) == (404, "facts.unknown")


async def test_for_others_it_does_not_exist_whatever_they_try(client: aiohttp.ClientSession) -> None:
    await made(client)
    document = (await sent(client, MOOSE.encode()))["id"]
    for who in (BOB, {}):
        for attempt in (
            client.get("/facts/hr", headers=who),
            client.patch("/facts/hr", json={"title": "x"}, headers=who),
            client.delete("/facts/hr", headers=who),
            client.get("/facts/hr/documents", headers=who),
            client.get(f"/facts/hr/documents/{document}", headers=who),
            client.delete(f"/facts/hr/documents/{document}", headers=who),
            client.post("/facts/hr/documents", data=form(b"x"), headers=who),
            client.post("/facts/hr/documents", json={"address": "https://example.ca/"}, headers=who),
            client.post("/facts/hr/search", json={"question": "moose"}, headers=who),
        ):
            assert await code(attempt) == (404, "facts.unknown")
        async with client.get("/facts", headers=who) as answer:
            assert await answer.json() == {"collections": []}


async def test_that_a_name_is_taken_is_all_that_others_learn(client: aiohttp.ClientSession) -> None:
    await made(client, title="Of the quiet merger")
    async with client.post("/facts", json={"name": "hr", "title": "x"}, headers=BOB) as answer:
        told = await answer.text()
        assert (answer.status, (await answer.json())["error"]["code"]) == (409, "facts.name_taken")
    assert "ann" not in told
    assert "merger" not in told
    assert await code(client.post("/facts", json={"name": "hr"})) == (401, "key.required")


async def test_nobody_in_particular_makes_no_collection(client: aiohttp.ClientSession) -> None:
    assert await code(client.post("/facts", json={"name": "mine"})) == (401, "key.required")


async def test_a_key_for_certain_personas_makes_none_and_opens_none(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, bases):
        _, limited = await bases._store.keys.create("one", owner="ann", personas=("otter",))
        _, whole = await bases._store.keys.create("two", owner="ann")
        await made(client)
        for key, status in ((limited, 404), (whole, 200)):
            who = {"Authorization": f"Bearer {key}"}
            async with client.get("/facts/hr", headers=who) as answer:
                assert answer.status == status
        who = {"Authorization": f"Bearer {limited}"}
        assert await code(client.post("/facts", json={"name": "mine"}, headers=who)) == (
            403,
            "request.invalid",
        )


@pytest.mark.parametrize("method", ["POST", "DELETE", "PATCH"])
async def test_a_page_of_another_site_does_nothing(client: aiohttp.ClientSession, method: str) -> None:
    await made(client)
    foreign = {**ANN, "Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    for path in ("/facts", "/facts/hr", "/facts/hr/documents", "/facts/hr/search"):
        attempt = client.request(method, path, json={"question": "moose"}, headers=foreign)
        assert await code(attempt) == (403, "request.origin_refused")
    async with client.get("/facts", headers=foreign) as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers
        assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/facts", {}),
        ("/facts", {"name": 1}),
        ("/facts", {"name": "x", "owner": "bob"}),
        ("/facts", {"name": "x", "readers": ["bob"]}),
        ("/facts", {"name": "x", "readers": ["everyone"] * 300}),
        ("/facts", {"name": "x", "title": "t" * 201}),
        ("/facts/hr/search", {}),
        ("/facts/hr/search", {"question": "q", "most": 0}),
        ("/facts/hr/search", {"question": "q", "most": 51}),
        ("/facts/hr/search", {"question": "q" * 10_001}),
        ("/facts/hr/documents", {"address": ""}),
        ("/facts/hr/documents", {"address": "file:///etc/passwd"}),
        ("/facts/hr/documents", {"address": "/etc/passwd"}),
        ("/facts/hr/documents", {"path": "/etc/passwd"}),
    ],
)
async def test_what_is_wrong_in_a_request_is_named(
    client: aiohttp.ClientSession, path: str, body: dict[str, Any]
) -> None:
    await made(client)
    assert await code(client.post(path, json=body, headers=ANN)) == (400, "request.invalid")


async def test_who_may_search_and_not_change_is_told_so(client: aiohttp.ClientSession) -> None:
    await made(client, readers=["user:bob"])
    for attempt in (
        client.patch("/facts/hr", json={"readers": []}, headers=BOB),
        client.delete("/facts/hr", headers=BOB),
        client.post("/facts/hr/documents", json={"address": "https://example.org/"}, headers=BOB),
    ):
        assert await code(attempt) == (403, "facts.forbidden")
    stranger = client.patch("/facts/hr", json={"readers": []}, headers={"X-Forwarded-User": "eve"})
    assert await code(stranger) == (404, "facts.unknown")


async def test_what_is_allowed_is_told_with_what_is_not(client: aiohttp.ClientSession) -> None:
    await made(client)
    for attempt, allowed in (
        (
            client.patch("/facts/hr", json={"readers": ["bob"]}, headers=ANN),
            "everyone, user:NAME or persona:NAME",
        ),
        (client.get("/facts/hr/documents?limit=0", headers=ANN), "“limit” must be 1 or more"),
        (client.get("/facts/hr/documents?limit=5000", headers=ANN), "“limit” must be 1000 or less"),
        (client.get("/facts/hr/documents?limit=x", headers=ANN), "“limit” must be of the JSON type integer"),
    ):
        async with attempt as answer:
            assert allowed in (await answer.json())["error"]["message"]


async def test_broken_bodies_are_refused(client: aiohttp.ClientSession) -> None:
    await made(client)
    kind = {"Content-Type": "application/json"}
    for path in ("/facts", "/facts/hr/search", "/facts/hr/documents"):
        for body in (b"", b"{", b"[]", b'{"name": NaN}', b'{"name": "a", "name": "b"}', b"\xff"):
            attempt = client.post(path, data=body, headers={**ANN, **kind})
            assert await code(attempt) == (400, "request.invalid")
        attempt = client.post(path, data=b"x=1", headers={**ANN, "Content-Type": "text/plain"})
        assert await code(attempt) == (415, "request.invalid")
    assert await code(client.post("/facts", json={"name": "No"}, headers=ANN)) == (400, "facts.invalid")
    assert await code(client.post("/facts", json={"name": "hr"}, headers=ANN)) == (409, "facts.name_taken")
    wrong = aiohttp.FormData({"other": "x"})
    wrong.add_field("more", b"x", filename="x")
    assert await code(client.post("/facts/hr/documents", data=wrong, headers=ANN)) == (400, "request.invalid")
    assert await code(client.post("/facts/hr/documents", data=form(b""), headers=ANN)) == (
        422,
        "document.empty",
    )


async def test_a_file_that_cannot_be_read_says_why_in_the_callers_language(
    client: aiohttp.ClientSession,
) -> None:
    await made(client)
    document = await sent(client, b"%PDF-1.7 and no more", "broken.pdf")
    assert (document["state"], document["error"]["code"]) == ("failed", "document.broken")
    path = f"/facts/hr/documents/{document['id']}"
    async with client.get(path, headers={**ANN, "Accept-Language": "fr"}) as answer:
        assert "fichier" in (await answer.json())["error"]["message"]


async def test_a_large_file_is_taken_up_to_the_limit_and_json_is_not(tmp_path: Path) -> None:
    async with served(tmp_path, max_document=200_000, max_body=2048) as (client, bases):
        await made(client)
        large = (MOOSE.encode() + b"\n\n") * 5_000
        assert (await sent(client, large[:150_000]))["state"] == "ready"
        attempt = client.post("/facts/hr/documents", data=form(large[:210_000]), headers=ANN)
        assert await code(attempt) == (413, "document.too_large")
        for path in ("/facts/hr/documents", "/facts/hr/search"):
            attempt = client.post(path, json={"question": "q" * 4_000}, headers=ANN)
            assert await code(attempt) == (413, "request.too_large")
        kept = list((bases._settings.data / "facts").iterdir())
        assert len(kept) == 1


async def test_a_file_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, bases):
        await made(client)
        head = (
            b"POST /facts/hr/documents HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-User: ann\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf'
        )
        await raw_answer(client, head, seconds=0.5)
        async with asyncio.timeout(10):
            while list((bases._settings.data / "facts").glob("*")):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert await bases._records.list(1) == ()


async def test_documents_are_listed_in_pages(client: aiohttp.ClientSession) -> None:
    await made(client)
    sent_ids = [(await sent(client, MOOSE.encode(), f"{number}.txt"))["id"] for number in range(3)]
    async with client.get("/facts/hr/documents?limit=2", headers=ANN) as answer:
        first = await answer.json()
    assert ([one["id"] for one in first["documents"]], first["has_more"]) == (sent_ids[:2], True)
    async with client.get(f"/facts/hr/documents?limit=2&after={sent_ids[1]}", headers=ANN) as answer:
        second = await answer.json()
    assert ([one["id"] for one in second["documents"]], second["has_more"]) == (sent_ids[2:], False)
    unknown = client.get("/facts/hr/documents?after=none", headers=ANN)
    assert await code(unknown) == (404, "document.unknown")


async def test_what_takes_long_is_told_at_once_and_asked_for_later(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "A_MOMENT_S", 0.0)
    await made(client)
    async with client.post("/facts/hr/documents", data=form(MOOSE.encode()), headers=ANN) as answer:
        assert answer.status == 202
        place, state = answer.headers["Location"], (await answer.json())["state"]
    async with asyncio.timeout(20):
        while state == "waiting":
            await asyncio.sleep(0.05)
            async with client.get(place, headers=ANN) as answer:
                state = (await answer.json())["state"]
    assert state == "ready"
