"""The table of feeds of a running service: read again when its file changes; a broken file changes nothing."""

from __future__ import annotations

import asyncio
import hashlib
import time
from functools import partial
from ipaddress import ip_address
from typing import Final

import structlog

from menagerie.grounding.feeds.table import OURS, FeedTableError, Subject, read_table
from menagerie.net.addresses import AddressRules
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.grounding")

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at the file."""


def may_be_read(settings: Settings) -> bool:
    """Whether the settings let any feed be read."""
    return settings.fetch == "on" and (settings.outside == "on" or bool(settings.fetch_allow))


class FeedTable:
    """The last table that was whole: that of `MENAGERIE_FEEDS`, or ours. Empty as long as there has been none."""

    def __init__(self, settings: Settings) -> None:
        self.file = settings.feeds or OURS
        self.subjects: tuple[Subject, ...] = ()
        self.problem: FeedTableError | None = None
        self._rules = AddressRules.of(settings)
        self._sign = b""
        self._looked = 0.0
        self._looking: asyncio.Task[None] | None = None
        self._reload_if_changed()

    def get(self, name: str) -> Subject | None:
        """The feed of this id."""
        return next((subject for subject in self.subjects if subject.id == name), None)

    async def look(self) -> None:
        """Read the file again where it has changed since the last look, a second ago or earlier."""
        if time.monotonic() - self._looked >= LOOK_AGAIN:
            await asyncio.to_thread(self._reload_if_changed)

    def look_soon(self) -> None:
        """Look beside what is being done, for who cannot wait."""
        due = time.monotonic() - self._looked >= LOOK_AGAIN
        if due and (self._looking is None or self._looking.done()):
            try:
                loop = asyncio.get_running_loop()
            except RuntimeError:
                self._reload_if_changed()
            else:
                self._looking = loop.create_task(self.look())

    def _reload_if_changed(self) -> None:
        self._looked = time.monotonic()
        try:
            sign = hashlib.sha256(self.file.read_bytes()).digest()
        except OSError:
            sign = b"none"
        if sign == self._sign:
            return
        first, self._sign = not self._sign, sign
        try:
            self.subjects = read_table(self.file, partial(is_plain, self._rules))
        except FeedTableError as problem:
            self.problem = problem
            log.warning("feeds.refused", file=str(self.file), reason=str(problem))
        else:
            self.problem = None
            if not first:
                log.info("feeds.loaded", count=len(self.subjects))


def is_plain(rules: AddressRules, host: str) -> bool:
    """Whether a host is one inside, that the settings allow by name or by address: http will do there."""
    try:
        address = ip_address(host)
    except ValueError:
        return rules.names(host)
    return any(
        address.version == network.version and address in network for network in rules.allowed_networks
    )
