"""What a kind of database offers to the repositories: whole transactions, and who else is alive on it.

The repositories are plain functions of a SQLAlchemy `Connection`; a kind decides where they run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, Select

T = TypeVar("T")
Work = Callable[[Connection], T]
"""One transaction: it reads and writes through the connection, and rolls back by raising."""


class Database(Protocol):
    """An open database. Everything raises `StoreUnavailableError` where the database cannot serve."""

    shared: bool
    """Whether several services, and several transactions of each, may be at work at the same time."""

    async def write(self, work: Work[T]) -> T:
        """Run `work` in one transaction that is committed when it returns."""
        ...

    async def erase(self, work: Work[T]) -> T:
        """As `write`, for a deletion: what it deletes is soon in none of the files that this service writes."""
        ...

    async def read(self, work: Work[T]) -> T:
        """Run `work` on one consistent view of the data."""
        ...

    async def claim(self, instance: int) -> None:
        """Be known as alive under this number, until closed or dead. Called again, it renews a claim lost."""
        ...

    def living(self) -> Select[int] | tuple[int, ...]:
        """The numbers of the services that are alive, this one among them."""
        ...

    async def close(self) -> None:
        """Wait for running transactions, then let go of everything."""
        ...
