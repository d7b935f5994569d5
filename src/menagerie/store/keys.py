"""Keys of programs: made once, found by their hash, and worth nothing from the moment they are revoked."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, RowMapping, bindparam, insert, or_, select, update

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import KEY_OWNER
from menagerie.core.keys import ApiKey, hash_of, id_in, new_key
from menagerie.store.connections import Database
from menagerie.store.log import insert_events, row
from menagerie.store.tables import api_keys

NOTED_EVERY: Final = timedelta(minutes=1)
"""How exactly it is known when a key was last used."""


class Keys:
    """The keys of a store. No part of a key but its id and its SHA-256 is ever written."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        name: str,
        *,
        owner: str = "",
        personas: Sequence[str] = (),
        bypass: bool = False,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
        expires_at: datetime | None = None,
        now: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key, and the text of it, which is to be had only here. Without an owner it owns itself
        (`key:<id>`). Raises `key.name_taken` where a key of this name is still good."""
        key_id, shown = new_key()
        now = now or datetime.now(UTC)
        made = ApiKey(
            id=key_id,
            name=name,
            owner=owner or f"{KEY_OWNER}{key_id}",
            personas=tuple(dict.fromkeys(unicodedata.normalize("NFC", persona) for persona in personas)),
            bypass=bypass,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            created_at=now,
            expires_at=expires_at,
        )

        def work(connection: Connection) -> None:
            if any(one.state(now) == "active" for one in _named(connection, name)):
                raise MenagerieError(ErrorCode.KEY_NAME_TAKEN, name=name)
            connection.execute(insert(api_keys), _row(made, hash_of(shown)))
            _log(connection, "key_created", made, now)

        await self._database.write(work)
        return made, shown

    async def list(self) -> tuple[ApiKey, ...]:
        """Every key that ever was, the oldest first."""
        rows = await self._database.read(lambda connection: connection.execute(_LIST).mappings().all())
        return tuple(map(_key, rows))

    async def find(self, hashed: str) -> ApiKey | None:
        """The key with this hash, whatever its state.

        The database compares hashes. How long that takes tells something of the hash of what was sent, which
        is of no use: whoever could choose it so as to come nearer to the hash of a key would have broken SHA-256.
        """
        found = await self._database.read(
            lambda connection: connection.execute(_FIND, {"hashed": hashed}).mappings().one_or_none()
        )
        return _key(found) if found is not None else None

    async def get(self, key: str) -> ApiKey | None:
        """The key with this id, whatever its state."""
        found = await self._database.read(
            lambda connection: connection.execute(_BY_ID, {"key_id": key}).mappings().one_or_none()
        )
        return _key(found) if found is not None else None

    async def note_use(self, key: ApiKey, now: datetime) -> None:
        """Remember that the key was used, at most once a minute."""
        latest = now - NOTED_EVERY
        if key.used_at is not None and key.used_at > latest:
            return
        values = {"key_id": key.id, "now": now, "latest": latest}
        await self._database.write(lambda connection: connection.execute(_NOTE, values))

    async def revoke(self, wanted: str, now: datetime | None = None) -> tuple[ApiKey, ...]:
        """Revoke the key with this id (a whole key will do), or else all those of this name. They are refused from
        the moment that this returns, by every service on this database.

        Returns the keys as they are now; one that was revoked before keeps its time. Raises `key.unknown`.
        """
        moment = now or datetime.now(UTC)

        def work(connection: Connection) -> tuple[ApiKey, ...]:
            by_id = connection.execute(_BY_ID, {"key_id": id_in(wanted)}).mappings().all()
            found = [*map(_key, by_id)] or _named(connection, wanted)
            if not found:
                raise MenagerieError(ErrorCode.KEY_UNKNOWN, key=id_in(wanted))
            return _revoke(connection, found, moment)

        return await self._database.write(work)

    async def revoke_owned(self, owner: str, now: datetime | None = None) -> tuple[ApiKey, ...]:
        """Revoke all keys of one owner; those that were good until now come back."""
        moment = now or datetime.now(UTC)

        def work(connection: Connection) -> tuple[ApiKey, ...]:
            found = connection.execute(_BY_OWNER, {"owner_name": owner}).mappings().all()
            return _revoke(connection, [*map(_key, found)], moment)

        return await self._database.write(work)


def _named(connection: Connection, name: str) -> list[ApiKey]:
    """The keys of this name that nobody has revoked."""
    return [*map(_key, connection.execute(_BY_NAME, {"key_name": name}).mappings())]


def _revoke(connection: Connection, found: Sequence[ApiKey], moment: datetime) -> tuple[ApiKey, ...]:
    revoked: list[ApiKey] = []
    for key in found:
        if key.revoked_at is not None:
            revoked.append(key)
            continue
        connection.execute(_REVOKE, {"key_id": key.id, "now": moment})
        _log(connection, "key_revoked", key, moment)
        revoked.append(msgspec.structs.replace(key, revoked_at=moment))
    return tuple(revoked)


def _log(connection: Connection, event: str, key: ApiKey, at: datetime) -> None:
    insert_events(connection, [row(event, subject=key.id, data={"name": key.name}, user=key.owner, at=at)])


def _row(key: ApiKey, hashed: str | None) -> dict[str, Any]:
    personas = msgspec.json.encode(key.personas).decode()
    return {**msgspec.structs.asdict(key), "personas": personas, "hash": hashed}


def _key(found: RowMapping) -> ApiKey:
    personas = msgspec.json.decode(found["personas"], type=tuple[str, ...])
    return ApiKey(**{**found, "personas": personas})


_LIST: Final = select(*(api_keys.c[name] for name in ApiKey.__struct_fields__)).order_by(api_keys.c.key)
_FIND: Final = _LIST.where(api_keys.c.hash == bindparam("hashed"))
_BY_ID: Final = _LIST.where(api_keys.c.id == bindparam("key_id"))
_BY_NAME: Final = _LIST.where(api_keys.c.name == bindparam("key_name"), api_keys.c.revoked_at.is_(None))
_BY_OWNER: Final = _LIST.where(api_keys.c.owner == bindparam("owner_name"), api_keys.c.revoked_at.is_(None))
_REVOKE: Final = (
    update(api_keys).where(api_keys.c.id == bindparam("key_id")).values(revoked_at=bindparam("now"))
)
_NOTE: Final = (
    update(api_keys)
    .where(
        api_keys.c.id == bindparam("key_id"),
        or_(api_keys.c.used_at.is_(None), api_keys.c.used_at <= bindparam("latest")),
    )
    .values(used_at=bindparam("now"))
)
