"""Who asks, with keys: a good one acts for its owner, a bad one is always refused, and anything else is no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from starlette.requests import HTTPConnection

from menagerie.core.identity import User
from menagerie.locales import text
from menagerie.store.database import Store
from menagerie.store.failures import Reason, StoreUnavailableError
from menagerie.web.keys import caller_of
from tests.web.serving import Parts, a_failure, application, parts, raw_answer, serving

Route = tuple[str, str, dict[str, Any]]
ROUTES: tuple[Route, ...] = (
    ("GET", "/gpt/otter?prompt=hello", {}),
    ("POST", "/gpt/otter", {"data": {"prompt": "hello"}}),
    ("POST", "/toil/otter", {"json": {"prompt": "hello"}}),
    ("GET", "/describe/otter", {}),
)
ASKING = ROUTES[:3]


@asynccontextmanager
async def with_keys(folder: Path, **settings: object) -> AsyncIterator[tuple[Parts, aiohttp.ClientSession]]:
    given = parts(folder, **settings)
    given.store = await Store.open("", folder / "data")
    try:
        async with serving(given) as client:
            yield given, client
    finally:
        await given.store.close()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def asked(
    client: aiohttp.ClientSession, headers: dict[str, str], route: Route = ROUTES[0]
) -> tuple[int, str]:
    method, path, more = route
    headers = {"Accept": "application/json", **headers}
    async with client.request(method, path, headers=headers, **more) as response:
        code = (await response.json())["error"]["code"] if response.status >= 400 else ""
        return response.status, code


@pytest.mark.parametrize("route", ASKING, ids=lambda route: f"{route[0]} {route[1]}")
async def test_with_a_key_the_turn_belongs_to_its_owner(tmp_path: Path, route: Route) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report", owner="ann")
        assert await asked(client, bearer(key), route) == (200, "")
        assert given.turns.requests[0].user == User(("ann",), "127.0.0.1")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_a_key_is_refused_from_the_moment_that_another_process_revokes_it(
    tmp_path: Path, route: Route
) -> None:
    async with with_keys(tmp_path) as (given, client):
        made, key = await given.store.keys.create("report")
        assert await asked(client, bearer(key), route) == (200, "")
        command = await Store.visit("", tmp_path / "data")
        await command.keys.revoke(made.id)
        await command.close()
        assert await asked(client, bearer(key), route) == (401, "key.invalid")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route[0]} {route[1]}")
async def test_a_key_that_is_unknown_or_expired_or_broken_is_refused_everywhere(
    tmp_path: Path, route: Route
) -> None:
    past = datetime.now(UTC) - timedelta(seconds=1)
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report")
        _, expired = await given.store.keys.create("old", expires_at=past)
        wrong = (
            f"mng_{'0' * 12}_{'0' * 64}",
            expired,
            "mng_",
            key[:-1],
            key + "0",
            key.upper(),
            f"{key} {key}",
        )
        for bad in wrong:
            assert await asked(client, bearer(bad), route) == (401, "key.invalid"), bad
        assert given.turns.requests == []


async def test_a_refusal_says_how_to_ask_and_in_the_callers_language(tmp_path: Path) -> None:
    async with (
        with_keys(tmp_path) as (_, client),
        client.get("/gpt/otter?prompt=a&lang=fr", headers=bearer("mng_x")) as response,
    ):
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="menagerie"'
        assert await response.text() == f"{text('error.key.invalid', 'fr')} [key.invalid]\n"


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   ", "  Bearer \t ", "Bearer\t", ""])
async def test_a_key_is_recognised_however_its_scheme_is_written(tmp_path: Path, scheme: str) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report", owner="ann")
        assert await asked(client, {"Authorization": f"{scheme}{key}  "}) == (200, "")
        assert given.turns.requests[0].user.names == ("ann",)


@pytest.mark.parametrize(
    "scheme", ["Basic ", "Token ", "Bearer Bearer ", 'Bearer "', "ApiKey=", "Bearer none,"]
)
async def test_a_key_under_another_scheme_is_refused_and_not_served_as_nobody(
    tmp_path: Path, scheme: str
) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report", owner="ann")
        assert await asked(client, {"Authorization": f"{scheme}{key}"}) == (401, "key.invalid")
        assert given.turns.requests == []


@pytest.mark.parametrize(
    "other",
    ["Bearer none", "Bearer amng_x", "Bearer sk-local", "Bearer", "Basic YTpi", "", "Bearer \xe9\xff"],
)
async def test_what_is_no_key_of_ours_counts_as_nothing(tmp_path: Path, other: str) -> None:
    async with with_keys(tmp_path) as (given, client):
        assert await asked(client, {"Authorization": other}) == (200, "")
        assert given.turns.requests[0].user.names == ()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", b"401"),
        (b"Authorization: Bearer none\r\nAuthorization: Bearer %s\r\n", b"401"),
        (b"Authorization: Bearer none\r\nauthorization: Bearer sk-x\r\n", b"200"),
        (b"Authorization: Bearer mng_\xc3\xa9\xff\r\n", b"401"),
        (b"Authorization: Bearer %s\xe2\x80\x8b\r\n", b"401"),
        (b"Authorization: Bearer " + b"mng_" * 250_000 + b"\r\n", b"431"),
    ],
    ids=["twice", "another one before", "two that are none", "no ASCII", "an invisible end", "a megabyte"],
)
async def test_hostile_headers_are_answered_and_open_nothing(
    tmp_path: Path, headers: bytes, status: bytes
) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report", owner="ann")
        lines = headers.replace(b"%s", key.encode())
        request = b"GET /gpt/otter?prompt=a HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n" + lines
        said = await raw_answer(client, request + b"\r\n")
        assert said.split(b" ")[1] == status
        assert all(turn.user.names == () for turn in given.turns.requests)


async def test_a_key_in_the_address_is_none(tmp_path: Path) -> None:
    async with with_keys(tmp_path, api_keys="required") as (given, client):
        _, key = await given.store.keys.create("report")
        route: Route = ("GET", f"/gpt/otter?prompt=a&key={key}&api_key={key}&access_token={key}", {})
        assert await asked(client, {}, route) == (401, "key.required")


async def test_a_persona_that_a_key_may_not_use_does_not_exist_for_it(tmp_path: Path) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report", personas=("badger",))
        for method, path, more in ROUTES:
            assert await asked(client, bearer(key), (method, path, more)) == (404, "persona.unknown")
            there = (method, path.replace("otter", "badger"), more)
            assert await asked(client, bearer(key), there) == (200, "")
        async with client.get("/gpt/otter?prompt=a", headers=bearer(key)) as hidden:
            words = await hidden.text()
        async with client.get("/gpt/unicorn?prompt=a", headers=bearer(key)) as unknown:
            assert (await unknown.text()).replace("unicorn", "otter") == words


async def test_where_keys_are_required_programs_need_one_or_a_name(tmp_path: Path) -> None:
    async with with_keys(tmp_path, api_keys="required") as (given, client):
        _, key = await given.store.keys.create("report")
        for route in ASKING:
            assert await asked(client, {}, route) == (401, "key.required")
            assert await asked(client, bearer("sk-local"), route) == (401, "key.required")
            assert await asked(client, {"X-Forwarded-User": "eve"}, route) == (401, "key.required")
            assert await asked(client, bearer(key), route) == (200, "")
        assert await asked(client, {}, ROUTES[3]) == (200, "")


async def test_a_name_from_a_trusted_proxy_is_as_good_as_a_key_and_a_key_goes_before_it(
    tmp_path: Path,
) -> None:
    settings: dict[str, object] = {"api_keys": "required", "trusted_proxies": "127.0.0.1"}
    async with with_keys(tmp_path, **settings) as (given, client):
        made, key = await given.store.keys.create("report")
        eve = {"X-Forwarded-User": "eve", "X-Forwarded-For": "203.0.113.7"}
        assert await asked(client, eve) == (200, "")
        assert await asked(client, eve | bearer(key)) == (200, "")
        pretended = {"X-Forwarded-User": made.owner}
        assert await asked(client, pretended) == (401, "key.required")
    users = [turn.user for turn in given.turns.requests]
    assert users == [User(("eve",), "203.0.113.7"), User((f"key:{made.id}",), "203.0.113.7")]


async def test_only_a_key_that_may_bypass_bypasses(tmp_path: Path) -> None:
    async with with_keys(tmp_path) as (given, _):
        _, may = await given.store.keys.create("may", bypass=True)
        _, may_not = await given.store.keys.create("may not")
        scope = {"type": "http", "path": "/", "client": None, "app": application(given)}
        for key, bypasses in ((may, True), (may_not, False), ("none", False)):
            headers = [(b"authorization", f"Bearer {key}".encode())]
            caller = await caller_of(HTTPConnection({**scope, "headers": headers}))
            assert caller.may_bypass is bypasses


async def test_a_key_that_has_used_up_its_requests_is_told_until_when(tmp_path: Path) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report", requests_per_minute=2)
        asking = (
            client.get("/gpt/otter?prompt=a", headers=bearer(key)),
            client.post("/toil/otter", json={"prompt": "a"}, headers=bearer(key)),
        )
        for left, asks in zip(("1", "0"), asking, strict=True):
            async with asks as response:
                assert response.status == 200
                assert response.headers["x-ratelimit-limit-requests"] == "2"
                assert response.headers["x-ratelimit-remaining-requests"] == left
        async with client.get("/gpt/otter?prompt=a", headers=bearer(key)) as response:
            assert response.status == 429
            assert 1 <= int(response.headers["Retry-After"]) <= 30
            assert response.headers["x-ratelimit-remaining-requests"] == "0"
            assert "[key.rate_limited]" in await response.text()
        assert await asked(client, {}) == (200, "")


async def test_where_the_store_cannot_be_asked_no_key_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report")

        async def broken(*_: object) -> None:
            raise StoreUnavailableError(Reason.BUSY)

        with monkeypatch.context() as patched:
            patched.setattr(given.store.keys, "note_use", broken)
            assert await asked(client, bearer(key)) == (200, "")
            patched.setattr(given.store.keys, "find", broken)
            assert await asked(client, bearer(key)) == (503, "store.unavailable")


async def test_when_a_key_was_last_used_is_known(tmp_path: Path) -> None:
    async with with_keys(tmp_path) as (given, client):
        _, key = await given.store.keys.create("report")
        await asyncio.gather(*(asked(client, bearer(key)) for _ in range(20)))
        (used,) = await given.store.keys.list()
        assert used.used_at is not None
        assert datetime.now(UTC) - used.used_at < timedelta(seconds=30)


async def test_a_turn_that_fails_is_told_as_such_with_a_key_too(tmp_path: Path) -> None:
    async with with_keys(tmp_path) as (given, client):
        given.turns.script = a_failure("queue.full")
        _, key = await given.store.keys.create("report")
        assert await asked(client, bearer(key), ASKING[2]) == (503, "queue.full")
