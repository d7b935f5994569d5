"""The personas of a running service: found by name, and read again when their files change."""

from __future__ import annotations

import asyncio
import hashlib
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.personas.load import load_personas, persona_files
from menagerie.personas.persona import Persona
from menagerie.personas.problem import PersonaFileError
from menagerie.settings import Settings

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at the files. Looking costs a `stat` each, works on every file system and for folders that
come later; the system's own reports do neither, and cost more."""
MAX_SHOWN_NAME: Final = 80
SETTLED: Final = 2.0
"""Seconds after which a file's time tells every further change: more than the coarsest clock of a file system."""

_log = structlog.get_logger(__name__)

Fingerprint = tuple[tuple[str, bytes], ...]


class PersonaDirectory:
    """The last set of personas that was whole.

    Built from files that are wrong, it raises `PersonaFileError`. Files that become wrong later change nothing
    but `problem`.
    """

    def __init__(self, folders: Sequence[Path], settings: Settings) -> None:
        self.folders = tuple(folders)
        self.problem: PersonaFileError | None = None
        self._settings = settings
        self._digests: dict[tuple[Path, int, int, int], bytes] = {}
        self._fingerprint = self._look()
        self._personas = load_personas(self.folders, settings)
        self._all = tuple(self._personas.values())

    def get(self, name: str) -> Persona:
        """The persona of exactly this name, whichever way its accents are written. Raises `persona.unknown`."""
        persona = self._personas.get(unicodedata.normalize("NFC", name))
        if persona is None:
            raise MenagerieError(ErrorCode.PERSONA_UNKNOWN, name=shown_name(name))
        return persona

    def all(self) -> tuple[Persona, ...]:
        """Every persona, hidden ones too, in the order of the files; the same tuple until they change."""
        return self._all

    def listed(self) -> tuple[Persona, ...]:
        """The personas that the directory page shows, in the order of the files."""
        return tuple(persona for persona in self._all if not persona.hidden)

    def reload(self) -> bool:
        """Read the files again. True: the new set answers from now on, whole. False: the old one goes on
        answering, and `problem` says why."""
        fingerprint = self._look()
        try:
            personas = load_personas(self.folders, self._settings)
        except PersonaFileError as problem:
            self._fingerprint = fingerprint
            self.problem = problem
            _log.warning(
                "personas.refused",
                file=str(problem.file),
                line=problem.line,
                key=problem.key,
                reason=problem.message("en"),
            )
            return False
        self._fingerprint, self.problem = fingerprint, None
        self._personas, self._all = personas, tuple(personas.values())
        _log.info("personas.loaded", count=len(personas))
        return True

    async def watch(self) -> None:
        """Reload after every change of the files, until cancelled."""
        while True:
            await self._reload_if_changed()
            await asyncio.sleep(LOOK_AGAIN)

    async def _reload_if_changed(self) -> None:
        if await asyncio.to_thread(self._look) != self._fingerprint:
            await asyncio.to_thread(self.reload)

    def _look(self) -> Fingerprint:
        """What tells whether any file has changed: their paths and what is in them."""
        try:
            return tuple((str(file), self._digest(file)) for file in persona_files(self.folders))
        except PersonaFileError:
            return ()

    def _digest(self, file: Path) -> bytes:
        """A digest of the content; it is read only where size, time or identity are new, or so recent that a
        second change might not show in them."""
        try:
            status = file.stat()
            seen = (file, status.st_size, status.st_mtime_ns, status.st_ino)
            if seen not in self._digests or time.time() - status.st_mtime < SETTLED:
                self._digests = {old: digest for old, digest in self._digests.items() if old[0] != file}
                self._digests[seen] = hashlib.sha256(file.read_bytes()).digest()
            return self._digests[seen]
        except OSError:
            return b""


def shown_name(name: str) -> str:
    """A name that somebody asked for, safe to show: no control or invisible characters, 80 characters at most."""
    cleaned = "".join(
        character for character in name if not unicodedata.category(character).startswith(("C", "Zl", "Zp"))
    )
    return cleaned if len(cleaned) <= MAX_SHOWN_NAME else cleaned[: MAX_SHOWN_NAME - 1] + "…"
