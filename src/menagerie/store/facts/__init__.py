"""Collections of facts: their documents, the passages of those, and what passages are found by."""

from __future__ import annotations

from menagerie.store.connections import Database
from menagerie.store.facts.collections import Collections
from menagerie.store.facts.documents import Documents
from menagerie.store.facts.finding import Finding
from menagerie.store.facts.passages import Passages
from menagerie.store.facts.vectors import Vectors


class Facts:
    """The facts of a store. Who may use a collection is for the caller to check."""

    def __init__(self, database: Database) -> None:
        self.passages = Passages(database)
        self.vectors = Vectors(database)
        self.finding = Finding(database)
        self.documents = Documents(database, self.passages)
        self.collections = Collections(database, self.passages)
