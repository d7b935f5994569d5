"""What collections of facts promise on every store: whole documents or none, and what is removed is gone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, make_url, text

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.store.database import Store
from menagerie.store.facts.collections import Collection, Folder
from menagerie.store.facts.vectors import NewVector
from menagerie.store.facts.words import frequencies, matching, words_of_passages
from tests.store.examples import NOON
from tests.store.facts import collection, document, passage, write

TABLES = ("fact_collections", "fact_folders", "fact_documents", "fact_passages", "fact_vectors", "fact_words")


@pytest.fixture
async def command(store: Store, address: str, tmp_path: Path) -> AsyncIterator[Store]:
    """A command beside the service that has the store open."""
    opened = await Store.visit(address, tmp_path)
    yield opened
    await opened.close()


async def rows(store: Store) -> dict[str, int]:
    def work(connection: Connection) -> dict[str, int]:
        counts = {
            name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in TABLES
        }
        return {name: count for name, count in counts.items() if count}

    return await store._database.read(work)


async def found(store: Store, *words: str) -> list[str]:
    """The texts of the passages that have any of these words, best first, of documents that are searched."""

    def work(connection: Connection) -> list[str]:
        keys = matching(connection, dict.fromkeys(words, 1.0), 10)
        query = text(
            "SELECT p.key, p.text FROM fact_passages p JOIN fact_documents d"
            " ON d.key = p.document AND d.version = p.version"
        )
        texts = {row[0]: row[1] for row in connection.execute(query)}
        return [texts[key] for key in keys if key in texts]

    return await store._database.read(work)


async def refusal(work: object) -> ErrorCode:
    with pytest.raises(MenagerieError) as refused:
        await work  # type: ignore[misc]
    return refused.value.code


async def test_a_collection_is_known_by_its_name_which_it_has_alone(store: Store) -> None:
    made = await collection(store)
    assert await store.facts.collections.get("rules") == made
    assert await refusal(collection(store)) is ErrorCode.FACTS_NAME_TAKEN
    changed = await store.facts.collections.change(made.key, title="Rules", readers=["everyone"])
    assert (changed.title, changed.readers) == ("Rules", ("everyone",))
    assert await store.facts.collections.list() == (changed,)
    assert await refusal(store.facts.collections.get("other")) is ErrorCode.FACTS_UNKNOWN


async def test_a_folder_is_remembered_once(store: Store) -> None:
    made = await collection(store)
    folder = Folder(collection=made.key, path="/srv/rules")
    first = await store.facts.collections.add_folder(folder)
    again = await store.facts.collections.add_folder(msgspec.structs.replace(folder, watched=True))
    assert again == msgspec.structs.replace(first, watched=True)
    await store.facts.collections.change_folder(first.key, mark="8:1", looked_at=NOON)
    assert await store.facts.collections.folders(watched=True) == (
        msgspec.structs.replace(again, mark="8:1", looked_at=NOON),
    )
    await store.facts.collections.remove_folder(first.key)
    assert await store.facts.collections.folders(made.key) == ()


async def test_a_document_of_a_known_origin_is_the_same_document(store: Store) -> None:
    made = await collection(store)
    first = await document(store, made)
    await write(store, made, first, ["twenty days of leave"])
    again = await document(store, made)
    assert (again.key, again.id, again.state, again.passages) == (first.key, first.id, "ready", 1)
    assert await store.facts.documents.get(first.id) == again
    assert await store.facts.documents.find(made.key, first.origin) == again
    assert await refusal(store.facts.documents.get("none")) is ErrorCode.DOCUMENT_UNKNOWN


async def test_a_document_is_searched_when_it_is_all_there_and_its_old_text_until_then(store: Store) -> None:
    made = await collection(store)
    record = await document(store, made)
    await write(store, made, record, [f"leave number{n}" for n in range(450)])
    assert await found(store, f"{made.key}enumber449") == ["leave number449"]

    version = await store.facts.passages.begin(record.key)
    await store.facts.passages.add(record.key, version, 0, [passage(made, "no leave")])
    assert await found(store, f"{made.key}eno") == []
    assert await found(store, f"{made.key}enumber7") == ["leave number7"]
    await store.facts.passages.finish(record.key, version, {})
    assert await found(store, f"{made.key}eno") == ["no leave"]
    assert await found(store, f"{made.key}enumber7") == []
    assert (await rows(store))["fact_passages"] == (await rows(store))["fact_words"] == 1


async def test_what_failed_is_remembered_and_the_old_text_still_searched(store: Store) -> None:
    made = await collection(store)
    record = await document(store, made)
    await write(store, made, record, ["twenty days"])
    await store.facts.documents.fail(record.key, "document.too_large", {"limit": 5})
    failed = await store.facts.documents.get(record.id)
    assert (failed.state, failed.code, failed.values) == ("failed", "document.too_large", {"limit": 5})
    assert await found(store, f"{made.key}edays") == ["twenty days"]
    counts = await store.facts.documents.counts(made.key, "m")
    assert (counts.documents, counts.failed, counts.passages, counts.embedded) == (1, 1, 1, 0)


async def test_who_writes_last_has_written(store: Store) -> None:
    made = await collection(store)
    record = await document(store, made)
    slow = await store.facts.passages.begin(record.key)
    await write(store, made, record, ["new"])
    late = store.facts.passages.add(record.key, slow, 0, [passage(made, "old")])
    assert await refusal(late) is ErrorCode.DOCUMENT_UNKNOWN
    assert await refusal(store.facts.passages.finish(record.key, slow, {})) is ErrorCode.DOCUMENT_UNKNOWN
    assert await found(store, f"{made.key}enew", f"{made.key}eold") == ["new"]


async def test_nothing_of_a_removed_collection_is_left_and_its_name_is_free(store: Store) -> None:
    made = await collection(store)
    await store.facts.collections.add_folder(Folder(collection=made.key, path="/srv/rules"))
    for number in range(3):
        record = await document(store, made, f"/srv/{number}")
        await write(store, made, record, [f"leave {n}" for n in range(250)])
    missing = await store.facts.vectors.missing("m")
    await store.facts.vectors.set("m", {one.passage: NewVector(b"\0\0") for one in missing})
    await store.facts.collections.remove(made.key)
    assert await rows(store) == {}
    assert (await collection(store)).key > made.key


async def test_a_document_that_is_removed_while_it_is_written_is_gone(store: Store) -> None:
    made = await collection(store)
    record = await document(store, made)
    version = await store.facts.passages.begin(record.key)
    await store.facts.passages.add(record.key, version, 0, [passage(made, "leave")])
    await store.facts.documents.remove([record.key])
    late = store.facts.passages.add(record.key, version, 1, [passage(made, "more leave")])
    assert await refusal(late) is ErrorCode.DOCUMENT_UNKNOWN
    assert await rows(store) == {"fact_collections": 1}
    assert (await document(store, made)).key > record.key


async def test_what_a_dead_process_left_half_removed_is_swept(store: Store) -> None:
    made = await collection(store)
    record = await document(store, made)
    await write(store, made, record, ["leave"])
    await store._database.write(
        lambda connection: connection.execute(text("UPDATE fact_documents SET version = -1"))
    )
    assert await store.facts.passages.sweep() == 1
    assert await rows(store) == {"fact_collections": 1}


async def test_not_a_word_of_what_was_removed_is_left_in_the_file(
    store: Store, address: str, request: pytest.FixtureRequest
) -> None:
    if not address.startswith("sqlite"):
        pytest.skip("what is in PostgreSQL's files is its vacuum's business")
    made = await collection(store)
    for number in range(30):
        record = await document(store, made, f"/srv/{number}")
        await write(store, made, record, [f"common word{number} xylophone"] * 20)
    path = Path(make_url(address).database or "")

    def in_file() -> bool:
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        return b"word7" in path.read_bytes()

    assert in_file()
    seventh = await store.facts.documents.find(made.key, "/srv/7")
    assert seventh is not None
    await store.facts.documents.remove([seventh.key])
    assert not in_file()
    assert await found(store, f"{made.key}eword8") == ["common word8 xylophone"] * 10


async def test_words_are_counted_and_found_by_what_they_weigh(store: Store) -> None:
    made, other = await collection(store), await collection(store, "other")
    for owner in (made, other):
        record = await document(store, owner, f"/srv/{owner.name}")
        await write(
            store, owner, record, ["leave twenty days", "leave ten days", "pay 1.5", "it's \\ o'clock"]
        )
    words = [f"{made.key}e{word}" for word in ("leave", "twenty", "1.5", "it's", "\\", "none")]

    def work(connection: Connection) -> tuple[dict[str, int], list[int]]:
        weights = {words[0]: 0.5, words[1]: 2.0}
        return frequencies(connection, words[:3] + words[5:], 100), matching(connection, weights, 10)

    counts, keys = await store._database.read(work)
    assert list(counts.values()) == [2, 1, 1, 0]
    bags = await store._database.read(lambda connection: words_of_passages(connection, keys))
    assert [bags[key].words[1:] for key in keys] == [
        (words[1], f"{made.key}edays"),
        (f"{made.key}eten", f"{made.key}edays"),
    ]


async def test_vectors_are_missed_set_and_carried_over_to_what_says_the_same(store: Store) -> None:
    made = await collection(store)
    record = await document(store, made)
    await write(store, made, record, ["one", "two"])
    missing = await store.facts.vectors.missing("m")
    assert [one.text for one in missing] == ["one", "two"]
    await store.facts.vectors.set(
        "m", {one.passage: NewVector(one.text.encode(), b"s") for one in missing} | {999: NewVector(b"gone")}
    )
    assert await store.facts.vectors.missing("m") == ()
    assert len(await store.facts.vectors.missing("another", collection=made.key)) == 2

    await write(store, made, record, ["two", "three"])
    kept = await store.facts.vectors.slice(made.key, "m", limit=10)
    assert [one.vector for one in kept] == [b"two"]
    (found_,), sentences = await store.facts.finding.passages([kept[0].passage], "m")
    assert (found_.text, sentences) == ("two", {kept[0].passage: b"s"})
    assert (await store.facts.finding.passages([kept[0].passage], "another"))[1] == {}
    assert [one.text for one in await store.facts.vectors.missing("m")] == ["three"]
    listed = await store.facts.documents.list(made.key, model="m")
    assert [(one.passages, one.embedded) for one in listed] == [(2, 1)]
    await store.facts.vectors.forget(made.key)
    assert await store.facts.vectors.slice(made.key, "m", limit=10) == ()


async def test_every_change_of_what_is_searched_is_numbered_for_other_processes(
    store: Store, command: Store
) -> None:
    made = await collection(store)
    seen = [(await command.facts.vectors.changes())[made.key]]

    async def changed() -> bool:
        seen.append((await command.facts.vectors.changes())[made.key])
        return seen[-1] > seen[-2]

    record = await document(store, made)
    await write(store, made, record, ["one"])
    assert await changed()
    (missing,) = await command.facts.vectors.missing("m")
    await store.facts.vectors.set("m", {missing.passage: NewVector(b"one")})
    assert await changed()
    assert await command.facts.vectors.documents(made.key) == {record.key: seen[-1]}
    await store.facts.vectors.forget(made.key)
    assert await changed()
    await store.facts.documents.remove([record.key])
    assert await changed()
    await store.facts.collections.remove(made.key)
    assert await command.facts.vectors.changes() == {}


async def test_writers_beside_each_other_lose_nothing(store: Store, command: Store) -> None:
    made = await collection(store)

    async def fill(writer: Store, name: str) -> None:
        for number in range(5):
            record = await document(writer, made, f"/srv/{name}{number}")
            await write(writer, made, record, [f"{name} {number}"])

    await asyncio.gather(fill(store, "a"), fill(command, "b"), fill(store, "c"))
    counts = await store.facts.documents.counts(made.key)
    assert (counts.documents, counts.passages) == (15, 15)
    documents = await store.facts.vectors.documents(made.key)
    assert len(set(documents.values())) == 15


async def test_a_collection_of_nobody_is_not_written_to(store: Store) -> None:
    ghost = Collection(key=77, name="ghost", created_at=NOON)
    assert await refusal(document(store, ghost)) is ErrorCode.FACTS_UNKNOWN
    folder = Folder(collection=77, path="/srv")
    assert await refusal(store.facts.collections.add_folder(folder)) is ErrorCode.FACTS_UNKNOWN
