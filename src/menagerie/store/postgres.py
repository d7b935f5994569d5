"""PostgreSQL by address, shared by several services."""

from __future__ import annotations

from importlib import import_module
from typing import Final, TypeVar

from sqlalchemy import URL, BigInteger, Select, Text, cast, func, literal, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.sql import column, table

from menagerie.store.connections import Work
from menagerie.store.failures import Reason, StoreUnavailableError, unavailable

T = TypeVar("T")

asyncpg = import_module("asyncpg")  # it has no types of its own

FAILURES: Final[tuple[type[Exception], ...]] = (
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    OSError,
    TimeoutError,
)
CONNECTIONS: Final = 8
CONNECT_S: Final = 5
COMMAND_S: Final = 15
PATIENCE_S: Final = 10
ALIVE: Final = 0x6D656E62
"""The class of the advisory locks by which the services see one another (PostgreSQL manual, 13.3.5)."""


class Postgres:
    """A PostgreSQL database. A service is alive as long as it holds the advisory lock of its number, which the
    server frees when the service's connection ends: at once if it is killed, within two minutes if its machine
    or the network is gone."""

    shared = True

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._claim: AsyncConnection | None = None
        self._closed = False

    @classmethod
    async def open(cls, url: URL) -> Postgres:
        """Open the database at `url`. It connects at the first transaction."""
        engine = create_async_engine(
            url.set(drivername="postgresql+asyncpg"),
            pool_size=CONNECTIONS,
            max_overflow=CONNECTIONS,
            pool_timeout=PATIENCE_S,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "timeout": CONNECT_S,
                "command_timeout": COMMAND_S,
                "server_settings": {
                    "application_name": "menagerie",
                    "tcp_keepalives_idle": "60",
                    "tcp_keepalives_interval": "15",
                    "tcp_keepalives_count": "4",
                },
            },
        )
        return cls(engine)

    async def write(self, work: Work[T]) -> T:
        if self._closed:
            raise StoreUnavailableError(Reason.CLOSED)
        try:
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)
        except FAILURES as failure:
            raise unavailable(failure) from failure

    async def erase(self, work: Work[T]) -> T:
        return await self.write(work)

    async def read(self, work: Work[T]) -> T:
        return await self.write(work)

    async def claim(self, instance: int) -> None:
        try:
            if self._claim is not None:
                try:
                    await self._claim.execute(text("SELECT 1"))
                except FAILURES:
                    await self._drop_claim()
                else:
                    return
            connection = await self._engine.connect()
            self._claim = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await self._claim.execute(
                text("SELECT pg_advisory_lock(:kind, :instance)"), {"kind": ALIVE, "instance": instance}
            )
        except FAILURES as failure:
            raise unavailable(failure) from failure

    def living(self) -> Select[int]:
        """The numbers under which an advisory lock of our class is held in this database."""
        locks = table(
            "pg_locks",
            column("locktype", Text),
            column("database", BigInteger),
            column("classid", BigInteger),
            column("objid", BigInteger),
            column("objsubid", BigInteger),
            column("granted"),
        )
        databases = table("pg_database", column("oid", BigInteger), column("datname", Text))
        here = select(databases.c.oid).where(databases.c.datname == func.current_database()).scalar_subquery()
        return select(cast(locks.c.objid, BigInteger)).where(
            locks.c.locktype == "advisory",
            locks.c.database == here,
            cast(locks.c.classid, BigInteger) == literal(ALIVE),
            cast(locks.c.objsubid, BigInteger) == literal(2),
            locks.c.granted,
        )

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            await self._drop_claim()
            await self._engine.dispose()

    async def _drop_claim(self) -> None:
        claim, self._claim = self._claim, None
        if claim is not None:
            # Back in the pool, the connection would keep its lock.
            await claim.invalidate()
            await claim.close()
