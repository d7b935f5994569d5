"""Files and batches, on every store: who owns them, in which order they are listed, and that each has one service."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from menagerie.core.errors import MenagerieError
from menagerie.core.identity import ANONYMOUS, User
from menagerie.store.batches import ASKING, BEGINNING, Batch
from menagerie.store.database import Store
from menagerie.store.files import File
from tests.store.examples import ANN, BOB

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


def _file(number: int, owner: str = "ann") -> File:
    return File(
        id=f"file-{number}",
        owner=owner,
        filename="rows é.jsonl",
        purpose="batch" if number % 2 else "batch_output",
        sha256="ab" * 32,
        bytes=2**40,
        created_at=NOW,
        expires_at=NOW + timedelta(days=number),
    )


def _batch(number: int, owner: str = "ann") -> Batch:
    return Batch(
        id=f"batch_{number}",
        owner=owner,
        address="192.0.2.1",
        api_key="",
        language="fr",
        endpoint="/v1/responses",
        window="24h",
        input_file=f"file-{number}",
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )


async def test_a_file_is_found_by_its_owner_as_it_was_put_down(store: Store) -> None:
    await store.files.add(_file(1))
    assert await store.files.get("file-1", ANN) == _file(1)
    for user in (BOB, User()):
        with pytest.raises(MenagerieError, match=r"file\.unknown"):
            await store.files.get("file-1", user)
        with pytest.raises(MenagerieError, match=r"file\.unknown"):
            await store.files.delete("file-1", user)
    await store.files.delete("file-1", ANN)
    with pytest.raises(MenagerieError, match=r"file\.unknown"):
        await store.files.get("file-1", ANN)


async def test_files_are_listed_by_age_from_any_of_them_on(store: Store) -> None:
    for number in range(1, 6):
        await store.files.add(_file(number))
    await store.files.add(_file(9, "bob"))
    await store.files.add(_file(10, ANONYMOUS))

    async def listed(user: User = ANN, **how: object) -> list[str]:
        found = await store.files.list(user, **{"limit": 10, **how})  # type: ignore[arg-type]
        return [file.id.removeprefix("file-") for file in found]

    assert await listed() == ["5", "4", "3", "2", "1"]
    assert await listed(order="asc", after="file-2", limit=2) == ["3", "4"]
    assert await listed(after="file-3") == ["2", "1"]
    assert await listed(purpose="batch_output") == ["4", "2"]
    assert await listed(User()) == []
    with pytest.raises(MenagerieError, match=r"file\.unknown"):
        await listed(after="file-9")


async def test_only_files_whose_time_is_over_and_that_no_open_batch_wants_are_forgotten(store: Store) -> None:
    for number in (1, 2, 3):
        await store.files.add(_file(number))
    await store.batches.add(_batch(1))
    assert await store.files.forget_expired(NOW + timedelta(days=2, hours=1)) == ("file-2",)
    await store.batches.change("batch_1", BEGINNING, {"status": "failed"})
    assert await store.files.forget_expired(NOW + timedelta(days=2, hours=1)) == ("file-1",)


async def test_a_batch_changes_only_from_the_states_that_are_named_and_with_its_files(store: Store) -> None:
    await store.batches.add(_batch(1))
    assert await store.batches.get("batch_1", ANN) == _batch(1)
    assert await store.batches.change("batch_1", ASKING, {"completed": 1}, [_file(7)]) is None
    with pytest.raises(MenagerieError, match=r"file\.unknown"):
        await store.files.get("file-7", ANN)
    values = {"status": "in_progress", "in_progress_at": NOW, "total": 5}
    changed = await store.batches.change("batch_1", BEGINNING, values, [_file(7)])
    assert changed is not None
    assert (changed.status, changed.in_progress_at, changed.total) == ("in_progress", NOW, 5)
    assert await store.files.get("file-7", ANN) == _file(7)


async def test_batches_are_listed_newest_first_and_only_to_their_owner(store: Store) -> None:
    for number in (1, 2, 3):
        await store.batches.add(_batch(number))
    found = await store.batches.list(ANN, limit=2)
    assert [batch.id for batch in found] == ["batch_3", "batch_2"]
    assert [batch.id for batch in await store.batches.list(ANN, limit=2, after="batch_2")] == ["batch_1"]
    assert await store.batches.list(BOB, limit=2) == ()
    assert await store.batches.list(User(), limit=2) == ()
    with pytest.raises(MenagerieError, match=r"batch\.unknown"):
        await store.batches.get("batch_1", BOB)


async def test_what_is_to_be_done_is_what_is_open_the_oldest_first(store: Store) -> None:
    for number in (1, 2, 3):
        await store.batches.add(_batch(number))
    await store.batches.change("batch_2", BEGINNING, {"status": "completed"})
    found = await store.batches.to_do()
    assert [batch.id for batch in found] == ["batch_1", "batch_3"]
    assert await store.batches.adopt(found[0])
