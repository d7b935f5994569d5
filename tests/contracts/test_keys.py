"""What keys promise on every store: shown once, found by hash, revoked for everybody at once; and visits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.keys import hash_of, looks_like_key
from menagerie.store.database import Store
from menagerie.store.failures import Reason, StoreUnavailableError
from tests.store.examples import NOON, say, start


@pytest.fixture
async def visitor(store: Store, address: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A command beside the service that has the store open."""
    opened = await Store.visit(address, tmp_path)
    yield opened
    await opened.close()


def hashed(shown: str) -> str:
    found = hash_of(shown)
    assert found is not None
    return found


async def everything_stored(store: Store) -> str:
    def work(connection: Connection) -> str:
        tables = ("api_keys", "events", "turns", "sessions")
        return "\n".join(repr(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables)

    return await store._database.read(work)


async def test_a_key_is_found_by_its_hash_as_it_was_made(store: Store) -> None:
    made, shown = await store.keys.create(
        "report",
        owner="ann",
        personas=("owl", "cafe\u0301", "owl"),
        bypass=True,
        requests_per_minute=5,
        tokens_per_minute=600,
        expires_at=NOON + timedelta(days=30),
        now=NOON,
    )
    assert looks_like_key(shown)
    assert shown.startswith(f"mng_{made.id}_")
    assert await store.keys.find(hashed(shown)) == made
    assert (made.owner, made.personas, made.bypass) == ("ann", ("owl", "caf\u00e9"), True)
    assert (made.requests_per_minute, made.tokens_per_minute) == (5, 600)
    assert (made.created_at, made.expires_at) == (NOON, NOON + timedelta(days=30))
    assert (made.used_at, made.revoked_at) == (None, None)


async def test_nothing_finds_a_key_but_its_own_hash(store: Store) -> None:
    _, shown = await store.keys.create("report")
    other = shown[:-1] + ("0" if shown[-1] != "0" else "1")
    assert await store.keys.find(hashed(other)) is None
    assert await store.keys.find("") is None


async def test_the_secret_of_a_key_is_kept_nowhere_and_its_hash_in_one_place(store: Store) -> None:
    made, shown = await store.keys.create("report", owner="ann")
    await store.keys.revoke("report")
    await store.log.flush()
    stored = await everything_stored(store)
    assert made.id in stored
    assert shown.rpartition("_")[2] not in stored
    assert stored.count(hashed(shown)) == 1


async def test_a_key_without_an_owner_owns_itself(store: Store) -> None:
    made, _ = await store.keys.create("report")
    assert made.owner == f"key:{made.id}"


async def test_no_two_good_keys_have_the_same_name(store: Store) -> None:
    await store.keys.create("report", now=NOON, expires_at=NOON + timedelta(hours=1))
    with pytest.raises(MenagerieError) as taken:
        await store.keys.create("report", now=NOON)
    assert taken.value.code == ErrorCode.KEY_NAME_TAKEN
    await store.keys.create("report", now=NOON + timedelta(hours=1))
    await store.keys.revoke("report")
    await store.keys.create("report")


async def test_a_revoked_key_is_revoked_for_every_service_at_once(store: Store, visitor: Store) -> None:
    made, shown = await visitor.keys.create("report")
    found = await store.keys.find(hashed(shown))
    assert found is not None
    assert found.state(NOON) == "active"
    (revoked,) = await visitor.keys.revoke(made.id, NOON)
    assert (revoked.id, revoked.revoked_at) == (made.id, NOON)
    found = await store.keys.find(hashed(shown))
    assert found == revoked
    assert found.state(NOON - timedelta(days=1)) == "revoked"


async def test_a_key_is_revoked_by_id_by_name_and_by_itself(store: Store) -> None:
    made = [await store.keys.create(name) for name in ("one", "two", "three")]
    (by_id,) = await store.keys.revoke(made[0][0].id)
    (by_name,) = await store.keys.revoke("two")
    (by_itself,) = await store.keys.revoke(made[2][1])
    assert [one.id for one in (by_id, by_name, by_itself)] == [key.id for key, _ in made]
    assert all(key.revoked_at for key in await store.keys.list())


async def test_revoking_again_keeps_the_first_time_and_an_unknown_key_is_told(store: Store) -> None:
    made, _ = await store.keys.create("report")
    await store.keys.revoke(made.id, NOON)
    (again,) = await store.keys.revoke(made.id, NOON + timedelta(days=1))
    assert again.revoked_at == NOON
    for unknown in ("report", "nobody", "", "0" * 12, "'; DROP TABLE api_keys; --"):
        with pytest.raises(MenagerieError) as refused:
            await store.keys.revoke(unknown)
        assert refused.value.code == ErrorCode.KEY_UNKNOWN


async def test_all_keys_of_one_owner_can_be_revoked_and_no_others(store: Store) -> None:
    for name, owner in (("one", "ann"), ("two", "bob"), ("three", "ann")):
        await store.keys.create(name, owner=owner)
    assert [key.name for key in await store.keys.revoke_owned("ann")] == ["one", "three"]
    assert await store.keys.revoke_owned("ann") == ()
    assert [key.name for key in await store.keys.list() if not key.revoked_at] == ["two"]


async def test_a_key_is_over_at_the_moment_that_it_expires(store: Store) -> None:
    made, _ = await store.keys.create("report", expires_at=NOON, now=NOON - timedelta(days=1))
    assert made.state(NOON - timedelta(microseconds=1)) == "active"
    assert made.state(NOON) == "expired"


async def test_the_last_use_is_noted_once_a_minute(store: Store) -> None:
    made, shown = await store.keys.create("report")
    for seconds, noted in ((0, 0), (59, 0), (60, 60), (61, 60)):
        await store.keys.note_use(made, NOON + timedelta(seconds=seconds))
        found = await store.keys.find(hashed(shown))
        assert found is not None
        assert found.used_at == NOON + timedelta(seconds=noted)


async def test_what_happens_to_a_key_is_in_the_log(store: Store) -> None:
    made, _ = await store.keys.create("report", owner="ann")
    await store.keys.revoke("report")
    lines = [
        (line.event, line.subject, line.user, line.data)
        for line in await store.log.read()
        if line.event.startswith("key_")
    ]
    assert lines == [
        ("key_created", made.id, "ann", '{"name":"report"}'),
        ("key_revoked", made.id, "ann", '{"name":"report"}'),
    ]


async def test_conversations_with_a_persona_that_a_key_may_not_use_do_not_exist_for_it(store: Store) -> None:
    session = (await say(store)).session
    for personas, there in (((), True), (("owl", "fox"), True), (("fox",), False)):
        made, _ = await store.keys.create(f"key {personas}", owner="ann", personas=personas)
        holder = made.user("192.0.2.9")
        assert [found.session for found in await store.sessions.list(holder)] == [session] * there
        if there:
            assert (await store.sessions.get(session, holder)).session == session
            continue
        beginning = start("And?", session, user=holder, persona="fox")
        for forbidden in (store.sessions.get(session, holder), store.turns.accept(beginning)):
            with pytest.raises(MenagerieError) as refused:
                await forbidden
            assert refused.value.code == ErrorCode.SESSION_UNKNOWN
    await store.turns.accept(start("And?", session))


async def test_a_visitor_and_a_service_write_at_the_same_time(store: Store, visitor: Store) -> None:
    told = await asyncio.gather(
        *(say(store, f"{number}?") for number in range(20)),
        *(visitor.keys.create(f"key {number}") for number in range(20)),
    )
    assert len(told) == 40
    assert len(await store.keys.list()) == 20


async def test_a_visit_makes_the_tables_where_no_service_is(address: str, tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailableError) as refused:
        await Store.visit(address, tmp_path, upgrade=False)
    assert refused.value.reason is Reason.OUTDATED
    visitor = await Store.visit(address, tmp_path)
    _, shown = await visitor.keys.create("report")
    service = await Store.open(address, tmp_path)  # a visitor keeps no service out
    assert await service.keys.find(hashed(shown)) is not None
    assert service._instance == 1
    await service.close()
    await visitor.close()
