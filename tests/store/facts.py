"""Collections of facts as the service makes them, with everything that a test does not care about filled in."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from menagerie.store.database import Store
from menagerie.store.facts.collections import Collection
from menagerie.store.facts.documents import DocumentRecord
from menagerie.store.facts.passages import NewPassage, slices
from tests.store.examples import NOON


async def collection(store: Store, name: str = "rules") -> Collection:
    return await store.facts.collections.create(Collection(name=name, owner="ann", created_at=NOON))


async def document(store: Store, owner: Collection, origin: str = "/srv/leave.pdf") -> DocumentRecord:
    record = DocumentRecord(
        collection=owner.key, kind="file", name="leave.pdf", origin=origin, size=10, added_at=NOON
    )
    return await store.facts.documents.put(record)


def passage(owner: Collection, text: str) -> NewPassage:
    return NewPassage(
        text=text,
        heading="",
        page=1,
        language="en",
        digest=hashlib.sha256(text.encode()).digest()[:16],
        head_words=(),
        words=tuple(f"{owner.key}e{word}" for word in text.lower().split()),
    )


async def write(store: Store, owner: Collection, record: DocumentRecord, texts: Sequence[str]) -> None:
    """A new version of a document, from begin to finish."""
    version = await store.facts.passages.begin(record.key)
    for first, slice_ in slices([passage(owner, text) for text in texts]):
        await store.facts.passages.add(record.key, version, first, slice_)
    await store.facts.passages.finish(record.key, version, {"sha256": "ab" * 32})
