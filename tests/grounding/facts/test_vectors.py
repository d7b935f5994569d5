"""The vectors of collections in memory follow what is stored, whoever changes it, and stay within their bounds."""

from __future__ import annotations

from pathlib import Path

from menagerie.grounding.facts.index import Facts
from menagerie.grounding.facts.matrix import stored
from menagerie.grounding.facts.vectors import Matrices
from menagerie.store.database import Store
from menagerie.store.facts.vectors import NewVector
from tests.grounding.facts.conftest import add, collection

EAST, NORTH = [1.0, 0.0] * 16, [0.0, 1.0] * 16


async def embed(store: Store, *vectors: list[float], model: str = "m") -> None:
    missing = await store.facts.vectors.missing(model)
    assert len(missing) == len(vectors)
    pairs = zip(missing, vectors, strict=True)
    await store.facts.vectors.set(model, {one.passage: NewVector(stored(vector)) for one, vector in pairs})


async def nearest(matrices: Matrices, store: Store, owner: int, model: str = "m") -> list[float]:
    change = (await store.facts.vectors.changes())[owner]
    scan = await matrices.scan(owner, change, model, EAST)
    return [round(cosine, 2) for _, cosine in scan.best(9)]


async def test_what_another_process_changes_is_seen_at_the_next_question(
    store: Store, facts: Facts, tmp_path: Path
) -> None:
    owner = await collection(store)
    matrices = Matrices(store.facts.vectors)
    command = await Store.visit("", tmp_path)
    assert await nearest(matrices, store, owner) == []
    first = await add(store, facts, owner, "a", "one", "two")
    await embed(command, EAST, NORTH)
    assert await nearest(matrices, store, owner) == [1.0, 0.0]
    await add(store, facts, owner, "b", "three")
    await embed(command, EAST)
    assert await nearest(matrices, store, owner) == [1.0, 1.0, 0.0]
    await add(store, facts, owner, "a", "two", "four")
    assert await nearest(matrices, store, owner) == [1.0, 0.0]
    await command.facts.documents.remove([first.key])
    assert await nearest(matrices, store, owner) == [1.0]
    await command.facts.vectors.forget(owner)
    assert await nearest(matrices, store, owner) == []
    await command.close()


async def test_vectors_of_two_models_are_never_compared(store: Store, facts: Facts) -> None:
    owner = await collection(store)
    matrices = Matrices(store.facts.vectors)
    await add(store, facts, owner, "a", "one", "two")
    await embed(store, EAST, NORTH)
    assert await nearest(matrices, store, owner, "another") == []
    (first, _) = await store.facts.vectors.missing("another")
    await store.facts.vectors.set("another", {first.passage: NewVector(stored(EAST))})
    assert await nearest(matrices, store, owner, "another") == [1.0]
    assert await nearest(matrices, store, owner) == [0.0]


async def test_what_was_not_asked_for_longest_makes_room(store: Store, facts: Facts) -> None:
    one, other = await collection(store, "one"), await collection(store, "other")
    for owner in (one, other):
        await add(store, facts, owner, f"of {owner}", *(f"text {number}" for number in range(50)))
        await embed(store, *[EAST] * 50)
    matrices = Matrices(store.facts.vectors)
    await nearest(matrices, store, one)
    whole = matrices.size
    matrices = Matrices(store.facts.vectors, whole * 19 // 10)
    for owner in (one, other, one):
        assert len(await nearest(matrices, store, owner)) == 9
        assert matrices.size == whole
    matrices.forget(one)
    assert matrices.size == 0


async def test_a_collection_that_is_too_large_for_memory_is_kept_in_half_precision_or_not_at_all(
    store: Store, facts: Facts
) -> None:
    owner = await collection(store)
    await add(store, facts, owner, "a", *(f"text {number}" for number in range(50)))
    await embed(store, *[EAST] * 50)
    whole = Matrices(store.facts.vectors)
    await nearest(whole, store, owner)
    half = Matrices(store.facts.vectors, whole.size)
    assert len(await nearest(half, store, owner)) == 9
    assert half.size < whole.size * 0.6
    none = Matrices(store.facts.vectors, 100)
    change = (await store.facts.vectors.changes())[owner]
    assert not await none.holds(owner, change, "m")
    assert await nearest(none, store, owner) == []
