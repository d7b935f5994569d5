"""The model that a setting chooses for a kind of work on texts: found on the disk, or at an address."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final, Literal

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.provenance import ModelFacts
from menagerie.embeddings.prefixes import Prefixes, prefixes_of
from menagerie.engines.installed import facts_of, planned
from menagerie.engines.plan import Machine, Wish
from menagerie.engines.target import Remote, Target
from menagerie.models.catalogue import Catalogue, InstalledModel
from menagerie.models.defaults import Choice
from menagerie.models.failures import ModelError
from menagerie.models.wish import ModelWish
from menagerie.settings import Settings

log = structlog.get_logger("menagerie.embeddings")

TextKind = Literal["embedding", "rerank"]

COMMAND_WORDS: Final[dict[TextKind, str]] = {"embedding": "embedding", "rerank": "reranker"}
"""What `menagerie models pull` calls the model of a kind."""
_FRESH_SECONDS: Final = 5.0


class TextModel(msgspec.Struct, frozen=True):
    """A model that can do its work, and where. `window` in tokens; `names` are those that a caller may use, in lower
    case."""

    target: Target
    facts: ModelFacts
    window: int
    names: frozenset[str]
    keeps_cache: bool = False
    """Whether texts take of the engine's pool of tokens while they are computed."""
    prefixes: Prefixes = Prefixes()


class ChosenModel:
    """The model of one kind. What is installed is looked at again every few seconds, in a thread."""

    def __init__(
        self, kind: TextKind, choice: Choice, settings: Settings, catalogue: Catalogue, machine: Machine
    ) -> None:
        self.choice = choice
        self._kind: TextKind = kind
        self._settings = settings
        self._catalogue = catalogue
        self._machine = machine
        self._known: TextModel | MenagerieError | None = None
        self._known_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()
        self._hashing: asyncio.Task[None] | None = None

    @property
    def known(self) -> TextModel | None:
        """The model as it was last found."""
        return self._known if isinstance(self._known, TextModel) else None

    async def find(self) -> TextModel:
        """The model. Raises `embeddings.off` where none is chosen, `model.missing`, `model.broken`, and
        `model.unsuitable` for one that cannot do such work."""
        async with self._one_at_a_time:
            if time.monotonic() - self._known_at > _FRESH_SECONDS:
                self._known = await asyncio.to_thread(self._look)
                self._known_at = time.monotonic()
        if isinstance(self._known, MenagerieError):
            raise self._known.with_traceback(None)
        assert self._known is not None
        self._hash_soon(self._known)
        return self._known

    async def close(self) -> None:
        """Stop what goes on in the background."""
        if self._hashing:
            self._hashing.cancel()
            await asyncio.gather(self._hashing, return_exceptions=True)

    def _look(self) -> TextModel | MenagerieError:
        try:
            if self.choice.engine:
                return self._at_address(self.choice.engine)
            if self.choice.wish is not None:
                return self._on_disk(self.choice.wish)
        except MenagerieError as failure:
            return failure
        return MenagerieError(ErrorCode.EMBEDDINGS_OFF)

    def _at_address(self, name: str) -> TextModel:
        engine = self._settings.engines[name]
        remote = Remote(
            name, engine.url, engine.model, engine.key.get_secret_value(), engine.slots, engine.window
        )
        facts = ModelFacts(name=engine.model or name, source=f"engine:{name}")
        prefixes = prefixes_of("", engine.model)
        return TextModel(remote, facts, engine.window, _names(facts.name, name), prefixes=prefixes)

    def _on_disk(self, wish: ModelWish) -> TextModel:
        model = self._catalogue.find(wish)
        if model is None:
            command = f"menagerie models pull {COMMAND_WORDS[self._kind]}"
            raise MenagerieError(ErrorCode.MODEL_MISSING, model=wish.label, command=command)
        check_suitable(model, self._kind)
        settings = self._settings
        wanted = Wish(
            window=settings.llm_context_window,
            slots=settings.engine_slots,
            threads=settings.llm_cpu_threads,
            gpu_layers=settings.llm_gpu_layers,
            flash_attention=settings.llm_flash_attention,
            kind=self._kind,
        )
        local = planned(model, wanted, self._machine)
        facts = facts_of(model)
        return TextModel(
            local,
            facts,
            local.window,
            _names(facts.name, model.name, model.path.name, wish.label),
            keeps_cache=bool(model.header.kv_bytes_per_token),
            prefixes=prefixes_of(facts.architecture, f"{facts.name} {model.name}"),
        )

    def _hash_soon(self, model: TextModel) -> None:
        """Have the file's hash by the time of a later look. Of what was pulled it is known."""
        if model.facts.sha256 or isinstance(model.target, Remote) or self._hashing:
            return
        self._hashing = asyncio.create_task(self._hash(Path(model.target.model)), name="model-hash")

    async def _hash(self, path: Path) -> None:
        try:
            await self._catalogue.sha256(path)
            self._known_at = float("-inf")
        except MenagerieError as failure:
            log.warning("model.not_hashed", failure=str(failure))
        finally:
            self._hashing = None


def check_suitable(model: InstalledModel, kind: TextKind) -> None:
    """Raise `model.unsuitable` for a model that cannot do such work: the engine would load it, and compute nonsense."""
    header = model.header
    if kind == "rerank" and not header.ranks:
        raise ModelError(ErrorCode.MODEL_UNSUITABLE, "no_ranking", model=model.name)
    if kind == "embedding" and (header.pooling in {"", "rank"} or header.ranks):
        raise ModelError(ErrorCode.MODEL_UNSUITABLE, "no_embedding", model=model.name)


def _names(*names: str) -> frozenset[str]:
    return frozenset(name.lower() for name in names if name)
