"""Keys of programs: what one may do, and what one looks like."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from typing import Final, Literal

import msgspec

from menagerie.core.identity import User

PREFIX: Final = "mng_"
"""How every key begins, so that people, and programs that look for lost secrets, recognise one."""

State = Literal["active", "expired", "revoked"]

_ID_BYTES: Final = 6
_SECRET_BYTES: Final = 32
_FORM: Final = re.compile(r"mng_[0-9a-f]{12}_[0-9a-f]{64}", re.ASCII)
_ID: Final = re.compile(r"mng_([0-9a-f]{12})(?:_[0-9a-f]*)?", re.ASCII)


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the store knows it, without its secret. `personas` empty: all of them. Limits are per minute, None:
    there is none. Times are UTC."""

    id: str
    name: str
    owner: str
    personas: tuple[str, ...] = ()
    bypass: bool = False
    """Whether its holder may ask models without a persona's imperative."""
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> State:
        """What the key is worth at `now`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"

    def user(self, address: str) -> User:
        """Whom its holder, at this address, acts for: the owner, with what the key may use."""
        return User((self.owner,), address, self.personas)


def new_key() -> tuple[str, str]:
    """A key that never was: its id, and the whole of it, `mng_<id>_<secret>`. The secret is 256 random bits."""
    key_id = secrets.token_hex(_ID_BYTES)
    return key_id, f"{PREFIX}{key_id}_{secrets.token_hex(_SECRET_BYTES)}"


def looks_like_key(text: str) -> bool:
    """Whether `text` is meant to be one of our keys, well formed or not."""
    return text[: len(PREFIX)].lower() == PREFIX


def hash_of(key: str) -> str | None:
    """The SHA-256, in hexadecimal, under which a key is found; None for what no key can be."""
    return hashlib.sha256(key.encode()).hexdigest() if _FORM.fullmatch(key) else None


def id_in(text: str) -> str:
    """The id that a key, or its beginning, tells; any other text as it is."""
    found = _ID.fullmatch(text)
    return found[1] if found else text
