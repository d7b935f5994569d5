"""What a persona's turns can go to: a model on this machine, or an engine at an address."""

from __future__ import annotations

import msgspec

from menagerie.engines.plan import Local


class Remote(msgspec.Struct, frozen=True):
    """An engine elsewhere, at one address or several that serve the same model."""

    name: str
    urls: tuple[str, ...]
    model: str
    key: str
    slots: int
    """Turns that each address takes at once."""
    window: int
    sees: bool = False
    """Whether its model takes pictures."""

    @property
    def all_slots(self) -> int:
        """Turns that all addresses together take at once."""
        return self.slots * max(1, len(self.urls))


Target = Local | Remote


def serves(loaded: Local, wanted: Local) -> bool:
    """Whether an engine that was loaded for one may answer for the other: the same model under the same parameters,
    and a window that is as large."""
    ours, theirs = loaded.forms[0], wanted.forms[0]
    same_size = msgspec.structs.replace(
        ours,
        window=theirs.window,
        context=theirs.context,
        slots=theirs.slots,
        cache_mib=theirs.cache_mib,
        memory=theirs.memory,
    )
    same_file = loaded.version == wanted.version
    return same_file and same_size == theirs and loaded.window >= wanted.window
