"""What was learned of loads: what they really take and how long they last, over restarts too.

A fact belongs to a file of weights as it was (path, size, time of change) under one set of load parameters. Nothing
here asks the disk for more than a file's size; `save` alone writes, and is made for a thread.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import structlog

from menagerie.engines.plan import Load
from menagerie.models.gguf import shard_paths
from menagerie.models.manifest import write_json

FILE_NAME: Final = "measurements.json"
"""The file in the data folder."""

MOST_FACTS: Final = 512
MOST_SET_ASIDE: Final = 128
_LARGEST_FILE: Final = 4 * 2**20
_WEIGHT: Final = 0.3
"""Of the newest load in the mean of their durations."""
_BYTES_PER_SECOND: Final = 500e6
_START_S: Final = 0.5
_ROOM_SHARE: Final = 0.1
_ROOM_MIB: Final = 32
"""What an engine may still grow by after its load, when buffers are used for the first time: a share and this."""
_AFTER_OUT_OF_MEMORY: Final = 1.25
_MOST_CAUTION: Final = 4.0

_Mib = Annotated[int, msgspec.Meta(ge=0, le=2**32)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e6)]

log = structlog.get_logger("menagerie.engines")


class Fact(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of one load. Of memory, what was resident in the machine's; 0 and None: not known."""

    loaded_mib: _Mib = 0
    """After the load, before the first turn: without a prompt cache."""
    highest_mib: _Mib = 0
    load_s: _Seconds | None = None
    caution: Annotated[float, msgspec.Meta(ge=1.0, le=_MOST_CAUTION)] = 1.0
    """By how much the expectation is raised, after memory ran out in spite of it."""


class SetAside(msgspec.Struct, frozen=True):
    """Why a model is not tried any more: the code of its last failure, and since when (seconds since 1970)."""

    code: str
    since: float


class _Content(msgspec.Struct):
    facts: dict[str, Fact] = {}
    set_aside: dict[str, SetAside] = {}


class Measurements:
    """The facts of one service, kept in `file`, or nowhere. A file that is missing or broken is an empty one."""

    def __init__(self, file: Path | None = None, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._content = _read(file) if file else _Content()
        self._changed = False

    def correct(self, load: Load) -> Load:
        """The same load with what it is known to take. Its prompt cache keeps its share; GPUs keep their estimate.

        Never less than what was measured, and never more than what was estimated unless more was measured, or memory
        ran out.
        """
        fact = self._fact(load)
        if fact is None:
            return load
        fixed, *gpus = (load.memory[0] - load.cache_mib, *load.memory[1:])
        measured = max(fact.loaded_mib, fact.highest_mib - load.cache_mib)
        if fact.loaded_mib:
            with_room = fact.loaded_mib + max(_ROOM_MIB, int(fact.loaded_mib * _ROOM_SHARE))
            fixed = min(fixed, with_room)
        fixed = max(fixed, measured)
        memory = [-int(-mib * fact.caution // 1) for mib in (fixed, *gpus)]
        memory[0] += load.cache_mib
        return msgspec.structs.replace(load, memory=tuple(memory))

    def note_loaded(self, load: Load, seconds: float, resident_mib: int) -> None:
        """It was loaded in so many seconds, and has so much resident before its first turn."""
        fact = self._fact(load) or Fact()
        mean = seconds if fact.load_s is None else fact.load_s + _WEIGHT * (seconds - fact.load_s)
        self._keep(
            load,
            Fact(
                loaded_mib=max(fact.loaded_mib, resident_mib),
                highest_mib=max(fact.highest_mib, resident_mib),
                load_s=mean,
                caution=1 + (fact.caution - 1) / 2,
            ),
        )

    def note_seen(self, load: Load, resident_mib: int) -> None:
        """It has so much resident now, its prompt cache included."""
        fact = self._fact(load) or Fact()
        if resident_mib > fact.highest_mib:
            self._keep(load, msgspec.structs.replace(fact, highest_mib=resident_mib))

    def note_out_of_memory(self, load: Load) -> None:
        """It found no memory although it was expected to: expect a quarter more the next time. Loads that succeed
        take half of that back each."""
        fact = self._fact(load) or Fact()
        caution = min(_MOST_CAUTION, fact.caution * _AFTER_OUT_OF_MEMORY)
        self._keep(load, msgspec.structs.replace(fact, caution=caution))

    def expected_load_s(self, load: Load) -> float:
        """How long loading should take: as it did before, in this form or in another one of the same weights, else
        what reading the weights takes."""
        fact = self._fact(load)
        if fact is not None and fact.load_s is not None:
            return fact.load_s
        stamp = _stamp(load)
        alike = [
            one.load_s
            for key, one in self._content.facts.items()
            if key.startswith(stamp) and one.load_s is not None
        ]
        return max(alike) if alike else _START_S + _size(load) / _BYTES_PER_SECOND

    @property
    def set_aside(self) -> dict[str, SetAside]:
        """The models that the service has set aside, by name."""
        return dict(self._content.set_aside)

    def note_set_aside(self, name: str, code: str) -> None:
        """The model `name` failed too often, the last time with `code`."""
        noted = self._content.set_aside
        noted[name] = SetAside(code, self._now())
        while len(noted) > MOST_SET_ASIDE:
            del noted[next(iter(noted))]
        self._changed = True

    def clear_set_aside(self, name: str | None = None) -> None:
        """The model `name` is tried again; without a name, every one is, as when a service starts."""
        noted = self._content.set_aside
        for one in [*noted] if name is None else [name]:
            if noted.pop(one, None):
                self._changed = True

    def save(self) -> None:
        """Write what has changed since the last time. Blocks; a folder that cannot be written to is logged."""
        if not self._changed or self._file is None:
            return
        self._changed = False
        try:
            write_json(self._file, _Content(dict(self._content.facts), dict(self._content.set_aside)))
        except OSError as failure:
            log.warning("measurements.not_saved", failure=str(failure))

    def _fact(self, load: Load) -> Fact | None:
        return self._content.facts.get(_key(load))

    def _keep(self, load: Load, fact: Fact) -> None:
        """Replace a fact; the one that has not been touched for longest makes room."""
        facts, key = self._content.facts, _key(load)
        facts.pop(key, None)
        facts[key] = fact
        while len(facts) > MOST_FACTS:
            del facts[next(iter(facts))]
        self._changed = True


def _key(load: Load) -> str:
    split = ",".join(f"{share:g}" for share in load.tensor_split)
    parameters = (
        load.kind, load.context, load.slots, load.threads, load.gpu_layers, load.main_gpu, split,
        load.flash_attention, load.draft, load.mapped,
    )  # fmt: skip
    return _stamp(load) + "|".join(map(str, parameters))


def _stamp(load: Load) -> str:
    """The file as it is now: another one of the same name is another model."""
    try:
        changed = Path(load.model).stat().st_mtime_ns
    except OSError:
        changed = 0
    return f"{load.model}|{_size(load)}|{changed}|"


def _size(load: Load) -> int:
    """Bytes of the weights, all shards together."""
    size = 0
    for shard in shard_paths(Path(load.model)):
        try:
            size += shard.stat().st_size
        except OSError:
            continue
    return size


def _read(file: Path) -> _Content:
    try:
        with file.open("rb") as opened:
            return msgspec.json.decode(opened.read(_LARGEST_FILE), type=_Content)
    except FileNotFoundError:
        pass
    except (OSError, msgspec.DecodeError) as failure:
        log.warning("measurements.unreadable", failure=str(failure))
    return _Content()
