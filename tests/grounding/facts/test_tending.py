"""What was replaced is gone, from the index of words too."""

from __future__ import annotations

from pathlib import Path

from menagerie.grounding.facts.index import Facts
from menagerie.store.database import Store
from tests.grounding.facts.conftest import add, collection, found


async def test_of_what_was_replaced_no_word_is_left(tmp_path: Path, store: Store, facts: Facts) -> None:
    owner = await collection(store)
    for number in range(30):
        await add(store, facts, owner, f"other {number}", f"word{number} of another document")
    await add(store, facts, owner, "rules", "The password of the lighthouse is swordfish8153.")
    await add(store, facts, owner, "rules", "The lighthouse has no password any more.")
    await facts.tend()
    assert len(await found(facts, "lighthouse password", owner)) == 1
    await store.close()
    assert b"swordfish8153" not in held_in(tmp_path)


def held_in(folder: Path) -> bytes:
    """All that lies in the files of a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
