"""Which model really answers for a persona: its own, where it is installed or has an address; else the default one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.provenance import ModelFacts
from menagerie.engines.installed import facts_of, planned
from menagerie.engines.plan import Local, Machine, Wish
from menagerie.engines.residency import Engines
from menagerie.engines.target import Remote, Target
from menagerie.engines.unit import Care
from menagerie.models.catalogue import Catalogue, InstalledModel
from menagerie.models.defaults import default_wish
from menagerie.models.wish import DEFAULT_MODEL, ModelWish
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.persona import Persona
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.personas")

_FRESH_SECONDS: Final = 5.0
_DEFAULT_ENGINE: Final = "default"
BARE: Final = "model:"
"""What the name of a bare model begins with; no persona's can hold it."""
_NO_TEXT: Final = frozenset({"bert", "nomic-bert", "jina-bert-v2", "modern-bert", "clip", "t5encoder"})
"""Architectures that write no text."""


class Resolution(msgspec.Struct, frozen=True):
    """Where a persona's turns go. `wanted` names its own model where another one answers instead of it."""

    target: Target
    facts: ModelFacts
    window: int
    """Tokens that one conversation with this persona may use."""
    wanted: str = ""

    @property
    def sees(self) -> bool:
        """Whether the model takes pictures."""
        if isinstance(self.target, Remote):
            return self.target.sees
        return bool(self.target.forms[0].projector)


class Description(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the directory and `/describe` tell of the model that answers now."""

    name: str
    file: str = ""
    sha256: str = ""
    quantization: str = ""
    parameters: str = ""
    licence: str = ""
    source: str = ""
    substituted: bool = msgspec.field(default=False)
    wanted: str = ""
    state: str = "absent"
    sees: bool = msgspec.field(default=False)
    """Whether it takes pictures."""


class Resolver:
    """Resolves personas to engines. What is installed is looked at again every few seconds, in a thread."""

    def __init__(
        self,
        settings: Settings,
        personas: PersonaDirectory,
        catalogue: Catalogue,
        engines: Engines,
        machine: Machine,
        others: Callable[[], Mapping[Target, Care]] = dict,
    ) -> None:
        """`others` tells of engines that no persona asks for, and how they are kept."""
        self._settings = settings
        self._personas = personas
        self._catalogue = catalogue
        self._engines = engines
        self._machine = machine
        self._others = others
        self._known: dict[str, Resolution | MenagerieError] = {}
        self._instead: dict[str, Resolution] = {}
        """Who answers for a persona while its own model is set aside."""
        self._known_for: tuple[Persona, ...] = ()
        self._bare: dict[str, Persona] = {}
        self._known_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()
        self._refreshing: asyncio.Task[None] | None = None
        self._hashes: dict[str, str] = {}
        self._hashing: dict[str, asyncio.Task[None]] = {}

    async def persona(self, name: str) -> Persona:
        """The persona of that name; for `model:<name>`, the bare model: nobody, without a word of its own.

        Raises `persona.unknown`, `model.unknown`.
        """
        if not name.startswith(BARE):
            return self._personas.get(name)
        found = (await self.models()).get(name)
        if found is None:
            raise MenagerieError(ErrorCode.MODEL_UNKNOWN, model=name.removeprefix(BARE))
        return found

    async def models(self) -> dict[str, Persona]:
        """The models that can be asked without a persona, by `model:<name>`: installed ones, and engines elsewhere."""
        if not self._known_for:
            await self._refresh()
        return self._bare

    async def resolve(self, persona: Persona) -> Resolution:
        """Where `persona` answers. Raises `model.missing`, `model.unknown` or `model.broken`."""
        personas = self._personas.all()
        if personas is not self._known_for:
            await self._refresh()
        elif time.monotonic() - self._known_at > _FRESH_SECONDS:
            self._refresh_soon()
        found = self._known.get(persona.name)
        if found is None:
            raise MenagerieError(ErrorCode.PERSONA_UNKNOWN, name=persona.name)
        if isinstance(found, MenagerieError):
            raise found.with_traceback(None)  # else it would keep what every caller had in hand
        if self._engines.state(found.target) == "set_aside":
            instead = self._instead.get(persona.name)
            if instead is not None and self._engines.could_hold(instead.target):
                return instead
        return found

    async def describe(self, persona: Persona) -> Description:
        """The model that answers for `persona`, for people; `state` is `missing` where none can."""
        try:
            resolution = await self.resolve(persona)
        except MenagerieError:
            wanted = persona.model_wish or DEFAULT_MODEL
            return Description(name="", wanted=wanted.label, state="missing")
        facts = self.with_hash(resolution)
        return Description(
            name=facts.name,
            file=facts.file,
            sha256=facts.sha256,
            quantization=facts.quantization,
            parameters=facts.parameters,
            licence=facts.licence,
            source=facts.source,
            substituted=bool(resolution.wanted),
            wanted=resolution.wanted,
            state=self._engines.state(resolution.target),
            sees=resolution.sees,
        )

    def with_hash(self, resolution: Resolution) -> ModelFacts:
        """The facts of a resolution, with the file's hash once it is known. Hashing goes on in the background."""
        facts, target = resolution.facts, resolution.target
        if facts.sha256 or not isinstance(target, Local):
            return facts
        known = self._hashes.get(target.model)
        if known:
            return msgspec.structs.replace(facts, sha256=known)
        if target.model not in self._hashing:
            self._hashing[target.model] = asyncio.create_task(self._hash(target.model), name="model-hash")
        return facts

    async def close(self) -> None:
        """Stop what goes on in the background."""
        tasks = [*self._hashing.values(), *([self._refreshing] if self._refreshing else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _hash(self, path: str) -> None:
        try:
            self._hashes[path] = await self._catalogue.sha256(Path(path))
        except MenagerieError as failure:
            log.warning("model.not_hashed", failure=str(failure))
        finally:
            del self._hashing[path]

    def _refresh_soon(self) -> None:
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh(), name="resolve")
            self._refreshing.add_done_callback(self._refreshed)

    def _refreshed(self, task: asyncio.Task[None]) -> None:
        self._refreshing = None
        if not task.cancelled() and task.exception():
            log.error("resolve.failed", failure=repr(task.exception()))

    async def _refresh(self) -> None:
        """Look again, one at a time: the catalogue is no place for two threads."""
        async with self._one_at_a_time:
            await self._look_again()

    async def _look_again(self) -> None:
        personas = self._personas.all()
        self._bare = await asyncio.to_thread(self._bare_models)
        everybody = (*personas, *self._bare.values())
        self._known, self._instead = await asyncio.to_thread(self._resolve_all, everybody)
        self._engines.expect({**self._others(), **self._cared_for(everybody)})
        self._hashes.clear()  # what holds of the file as it is now has come with it
        self._known_for = personas
        self._known_at = time.monotonic()

    def _cared_for(self, personas: Iterable[Persona]) -> dict[Target, Care]:
        """How each engine is to be kept: as its most demanding persona wants it."""
        cares: dict[Target, Care] = {}
        for persona in personas:
            resolution = self._known.get(persona.name)
            if not isinstance(resolution, Resolution):
                continue
            own = Care(persona.keep_loaded and not resolution.wanted, persona.idle_timeout)
            other = cares.get(resolution.target, own)
            times = (own.idle_after_s, other.idle_after_s)
            cares[resolution.target] = Care(
                own.pinned or other.pinned,
                None if None in times else max(time for time in times if time is not None),
            )
        return cares

    def _bare_models(self) -> dict[str, Persona]:
        window = self._settings.llm_context_window
        installed = [
            model for model in self._catalogue.installed() if model.header.architecture not in _NO_TEXT
        ]
        default = self._default()
        if isinstance(default, InstalledModel) and all(model.path != default.path for model in installed):
            installed.append(default)
        bare = [
            Persona(name=f"{BARE}{model.name}", local_file=str(model.path.absolute()), context_window=window)
            for model in installed
        ]
        bare += [
            Persona(name=f"{BARE}{name}", engine=name, context_window=engine.window)
            for name, engine in self._settings.engines.items()
        ]
        return {persona.name: persona for persona in bare}

    def _resolve_all(
        self, personas: Iterable[Persona]
    ) -> tuple[dict[str, Resolution | MenagerieError], dict[str, Resolution]]:
        found: dict[str, Resolution | MenagerieError] = {}
        local: list[tuple[Persona, InstalledModel, str]] = []
        for persona in personas:
            try:
                remote = self._remote(persona)
                if remote is not None:
                    found[persona.name] = remote
                    continue
                model, wanted = self._installed(persona)
                if isinstance(model, Remote):
                    found[persona.name] = _remote_resolution(model, persona, wanted)
                else:
                    local.append((persona, model, wanted))
            except MenagerieError as failure:
                found[persona.name] = failure
        windows: dict[tuple[object, ...], int] = {}
        for persona, model, _ in local:
            key = _load_key(persona, model)
            windows[key] = max(windows.get(key, 0), persona.context_window)
        for persona, model, wanted in local:
            found[persona.name] = self._local(persona, model, wanted, windows[_load_key(persona, model)])
        own = ((persona, model) for persona, model, wanted in local if not wanted)
        instead = {
            persona.name: one for persona, model in own if (one := self._instead_of(persona, model, windows))
        }
        return found, instead

    def _instead_of(
        self, persona: Persona, own: InstalledModel, windows: Mapping[tuple[object, ...], int]
    ) -> Resolution | None:
        """The default model in the place of the persona's own; None where there is none, or it is the same."""
        default = self._default()
        if self._settings.model_fallback == "off" or default is None:
            return None
        if isinstance(default, Remote):
            return _remote_resolution(default, persona, own.name)
        if default.path == own.path:
            return None
        window = windows.get(_load_key(persona, default), persona.context_window)
        return self._local(persona, default, own.name, window)

    def _remote(self, persona: Persona) -> Resolution | None:
        if persona.engine_url:
            name = urlsplit(persona.engine_url).hostname or ""
            slots = self._settings.engine_slots or 8
            remote = Remote(name, (persona.engine_url,), "", "", slots, persona.context_window)
            return _remote_resolution(remote, persona, "")
        if persona.engine:
            configured = self._configured(persona.engine)
            if configured is None:
                raise MenagerieError(ErrorCode.MODEL_UNKNOWN, model=persona.engine)
            return _remote_resolution(configured, persona, "")
        return None

    def _configured(self, name: str) -> Remote | None:
        engine = self._settings.engines.get(name.lower())
        if engine is None:
            return None
        key = engine.key.get_secret_value()
        return Remote(
            name.lower(), engine.url, engine.model, key, engine.slots, engine.window, engine.sees == "on"
        )

    def _installed(self, persona: Persona) -> tuple[InstalledModel | Remote, str]:
        """The model on the disk, or the default engine, and the label of the own model if it is neither."""
        own = persona.model_wish
        if own is not None:
            model = self._catalogue.find(own)
            if model is not None:
                return model, ""
            if self._settings.model_fallback == "off":
                raise _missing(persona.name, own)
        wanted = own.label if own is not None else ""
        default = self._default()
        if default is None:
            raise _missing(persona.name, own or DEFAULT_MODEL)
        return default, wanted

    def _default(self) -> InstalledModel | Remote | None:
        """What answers for personas without a model of their own."""
        wishes = dict.fromkeys((default_wish(self._settings), DEFAULT_MODEL))
        installed = (model for wish in wishes if (model := self._catalogue.find(wish)) is not None)
        return self._configured(_DEFAULT_ENGINE) or next(installed, None)

    def _local(self, persona: Persona, model: InstalledModel, wanted: str, window: int) -> Resolution:
        wish = Wish(
            window=window,
            slots=self._settings.engine_slots,
            threads=persona.cpu_threads,
            gpu_layers=persona.gpu_layers,
            flash_attention=persona.flash_attention,
            cache_mib=self._settings.prompt_cache,
            draft=self._settings.whisper_speculative_decoding,
        )
        load = planned(model, wish, self._machine)
        facts = facts_of(model)
        return Resolution(load, facts, min(persona.context_window, load.window), wanted)


def _load_key(persona: Persona, model: InstalledModel) -> tuple[object, ...]:
    """All that makes two loads of the same weights different, but for the window: the widest one serves all."""
    return model.path, persona.gpu_layers, persona.cpu_threads, persona.flash_attention


def _remote_resolution(remote: Remote, persona: Persona, wanted: str) -> Resolution:
    facts = ModelFacts(name=remote.model or remote.name, source=f"engine:{remote.name}")
    return Resolution(remote, facts, min(persona.context_window, remote.window), wanted)


def _missing(persona: str, wish: ModelWish) -> MenagerieError:
    return MenagerieError(
        ErrorCode.MODEL_MISSING, model=wish.label, command=f"menagerie models pull {persona}"
    )
