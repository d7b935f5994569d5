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

    @property
    def all_slots(self) -> int:
        """Turns that all addresses together take at once."""
        return self.slots * max(1, len(self.urls))


Target = Local | Remote
