"""`menagerie keys`: make, list and revoke the keys of programs, also while the service runs."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

from menagerie.cli.columns import columns
from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.core.errors import MenagerieError
from menagerie.core.keys import ApiKey
from menagerie.locales import Language, text
from menagerie.personas.directory import PersonaDirectory, shown_name
from menagerie.personas.load import persona_folders
from menagerie.personas.problem import PersonaFileError
from menagerie.settings import Settings
from menagerie.store.database import Store


def run(arguments: Namespace, language: Language) -> int:
    """`create`, `list` or `revoke`. `create` prints the key alone on standard output."""
    settings = wanted_settings(language)
    now = datetime.now(UTC)
    match arguments.action:
        case "create":
            _create(arguments, settings, language, now)
        case "list":
            print(_table(asyncio.run(_list(settings)), settings, language, now))
        case _:
            revoked = asyncio.run(_revoke(arguments, settings))
            print("\n".join(_told(revoked, arguments.owner, language, now)))
    return Exit.DONE


async def active_keys(settings: Settings) -> int:
    """How many keys are good now. Changes nothing; raises `StoreUnavailableError`, with `outdated` where there
    is no store yet."""
    store = await Store.visit(settings.database, settings.data, upgrade=False)
    try:
        now = datetime.now(UTC)
        return sum(key.state(now) == "active" for key in await store.keys.list())
    finally:
        await store.close()


def _create(arguments: Namespace, settings: Settings, language: Language, now: datetime) -> None:
    ends = _end(arguments.expires, settings, now)
    if ends is not None and ends <= now:
        raise CommandError(Exit.USAGE, [text("cli.keys.expires_past", language, value=arguments.expires)])
    made, shown = asyncio.run(_make(arguments, settings, ends, now))
    print(shown, flush=True)
    hints = [
        text("cli.keys.created", language, name=made.name, id=made.id, owner=made.owner),
        text("cli.keys.once", language),
        *_unknown_personas(made, settings, language),
    ]
    print("\n".join(hints), file=sys.stderr)


def _end(expires: int | date | None, settings: Settings, now: datetime) -> datetime | None:
    """So many days from now, or the end of a day where the service is."""
    if expires is None or isinstance(expires, int):
        return None if expires is None else now + timedelta(days=expires)
    zone = ZoneInfo(settings.timezone)
    try:
        return datetime.combine(expires + timedelta(days=1), time_of_day(), zone).astimezone(UTC)
    except OverflowError:  # the last day of the calendar is as good as no end
        return None


async def _make(
    arguments: Namespace, settings: Settings, ends: datetime | None, now: datetime
) -> tuple[ApiKey, str]:
    store = await Store.visit(settings.database, settings.data)
    try:
        return await store.keys.create(
            arguments.name,
            owner=arguments.owner or "",
            personas=arguments.persona or (),
            bypass=arguments.bypass,
            requests_per_minute=arguments.requests_per_minute,
            tokens_per_minute=arguments.tokens_per_minute,
            expires_at=ends,
            now=now,
        )
    finally:
        await store.close()


async def _list(settings: Settings) -> tuple[ApiKey, ...]:
    store = await Store.visit(settings.database, settings.data)
    try:
        return await store.keys.list()
    finally:
        await store.close()


async def _revoke(arguments: Namespace, settings: Settings) -> tuple[ApiKey, ...]:
    store = await Store.visit(settings.database, settings.data)
    try:
        if arguments.owner:
            return await store.keys.revoke_owned(arguments.owner)
        return await store.keys.revoke(arguments.key)
    finally:
        await store.close()


def _told(revoked: tuple[ApiKey, ...], owner: str | None, language: Language, now: datetime) -> Iterator[str]:
    if not revoked:
        yield text("cli.keys.none_owned", language, owner=owner)
    for key in revoked:
        before = key.revoked_at is not None and key.revoked_at < now
        yield text(
            f"cli.keys.{'revoked_before' if before else 'revoked'}", language, name=key.name, id=key.id
        )


def _unknown_personas(key: ApiKey, settings: Settings, language: Language) -> Iterator[str]:
    """A warning for each persona that there is not, or not yet."""
    try:
        directory = PersonaDirectory(persona_folders(settings), settings)
    except PersonaFileError as problem:
        yield problem.message(language)
        return
    for persona in key.personas:
        try:
            directory.get(persona)
        except MenagerieError:
            yield text("cli.keys.persona_unknown", language, persona=shown_name(persona))


def _table(keys: tuple[ApiKey, ...], settings: Settings, language: Language, now: datetime) -> str:
    if not keys:
        return text("cli.keys.none", language)
    heads = ("id", "name", "owner", "personas", "requests", "tokens", "used", "expires", "state")
    zone = ZoneInfo(settings.timezone)
    rows = [
        [
            key.id,
            key.name,
            key.owner,
            _personas(key, language),
            _number(key.requests_per_minute),
            _number(key.tokens_per_minute),
            _moment(key.used_at, zone),
            _moment(key.expires_at, zone),
            text(f"cli.keys.state.{key.state(now)}", language),
        ]
        for key in keys
    ]
    return columns([[text(f"cli.keys.head.{head}", language) for head in heads], *rows])


def _personas(key: ApiKey, language: Language) -> str:
    names = ",".join(map(shown_name, key.personas)) or text("cli.keys.all", language)
    return f"{names} {text('cli.keys.bypasses', language)}" if key.bypass else names


def _number(limit: int | None) -> str:
    return "–" if limit is None else str(limit)


def _moment(moment: datetime | None, zone: ZoneInfo) -> str:
    return "–" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d %H:%M")
