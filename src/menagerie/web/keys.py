"""Who asks, with keys: a program that shows one acts for the key's owner, and may do what the key may."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog
from starlette.requests import HTTPConnection

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.core.keys import ApiKey, hash_of, looks_like_key
from menagerie.personas.directory import PersonaDirectory, shown_name
from menagerie.personas.persona import Persona
from menagerie.store.failures import StoreUnavailableError
from menagerie.web.identity import client_address, identify
from menagerie.web.services import Services, services_of

KEY_HEADER: Final = b"authorization"
_WORDS: Final = re.compile(r"[\w-]+", re.ASCII)

log = structlog.get_logger("menagerie.web")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and with which key if with any. What they make belongs to `user`."""

    user: User
    key: ApiKey | None = None

    @property
    def may_bypass(self) -> bool:
        """Whether they may ask a model without its persona's imperative."""
        return self.key is not None and self.key.bypass

    def may_use(self, persona: str) -> bool:
        """Whether the persona of this name exists for them."""
        return self.user.may_use(persona)

    def persona(self, personas: PersonaDirectory, name: str) -> Persona:
        """The persona of this name. Raises `persona.unknown` where there is none, or none for them."""
        if not self.may_use(name):
            raise MenagerieError(ErrorCode.PERSONA_UNKNOWN, name=shown_name(name))
        return personas.get(name)


async def caller_of(connection: HTTPConnection, *, public: bool = False) -> Caller:
    """Who asks. The key is looked up every time, so that one is worth nothing from the moment it is revoked.

    Raises `key.invalid` for a key that is unknown, expired or revoked, and, where keys are required and the route is
    not `public`, `key.required` for whoever has neither a key nor a name from a trusted proxy. What is no key of
    ours, such as `Bearer none`, counts as nothing.
    """
    services = services_of(connection)
    shown = _shown(connection)
    if shown is not None:
        key = await _found(services, shown)
        return Caller(key.user(client_address(connection, services.settings)), key)
    user = identify(connection, services.settings)
    if services.settings.api_keys == "required" and not public and not user.names:
        raise MenagerieError(ErrorCode.KEY_REQUIRED)
    return Caller(user)


def _shown(connection: HTTPConnection) -> str | None:
    """What the caller shows as a key of ours; None where it shows none, and empty where it is not clear which, or under
    a scheme that is not ours."""
    headers = [value.decode("latin-1") for name, value in connection.scope["headers"] if name == KEY_HEADER]
    if not any(map(looks_like_key, _WORDS.findall(" ".join(headers)))):
        return None
    return _credential(headers[0]) if len(headers) == 1 else ""


def _credential(header: str) -> str:
    """What follows `Bearer`, in any case; all of a header that has no scheme."""
    scheme, *rest = header.split(maxsplit=1)
    return "".join(rest).strip() if scheme.lower() == "bearer" else header.strip()


async def _found(services: Services, shown: str) -> ApiKey:
    hashed = hash_of(shown)
    now = datetime.now(UTC)
    key = await services.store.keys.find(hashed) if hashed else None
    if key is None or key.state(now) != "active":
        raise MenagerieError(ErrorCode.KEY_INVALID)
    try:
        await services.store.keys.note_use(key, now)
    except StoreUnavailableError as failure:
        log.warning("key_use_not_noted", reason=failure.reason.value)
    return key
