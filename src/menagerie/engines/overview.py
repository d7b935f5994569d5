"""What can be seen of the engines from outside, at one moment and as it happens: values for figures and pages."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

EngineState = Literal["absent", "waiting", "loading", "ready", "leaving", "resting", "set_aside", "stopped"]
"""`waiting`: wanted, no room yet. `resting`: failed, tried again soon. `set_aside`: failed too often."""

Reason = Literal["evicted", "idle", "shrunk", "died", "stopped"]
"""Why an engine has ended."""


class DeviceView(msgspec.Struct, frozen=True):
    """One device's memory, in MiB. `reserved_mib` is what the engines may take, `measured_mib` what they do take,
    None where that cannot be told."""

    name: str
    description: str
    total_mib: int
    budget_mib: int
    reserved_mib: int
    measured_mib: int | None = None


class EngineView(msgspec.Struct, frozen=True):
    """One engine, loaded or not. `form` counts from 0, the full one, up to the smallest, `forms - 1`.

    `failure` is the code of the last failure while it rests or is set aside; `retry_in_s` until it is tried again.
    """

    name: str
    kind: str
    state: EngineState
    remote: bool
    pinned: bool = False
    form: int = 0
    forms: int = 1
    slots: int = 0
    running: int = 0
    waiting: int = 0
    reserved_mib: tuple[int, ...] = ()
    measured_mib: int | None = None
    loads: int = 0
    failures: int = 0
    last_load_s: float | None = None
    idle_s: float | None = None
    failure: str = ""
    retry_in_s: float | None = None
    healthy_addresses: int | None = None
    addresses: int | None = None


class Overview(msgspec.Struct, frozen=True):
    """All of it now. Counters count from the start of the service."""

    devices: tuple[DeviceView, ...]
    engines: tuple[EngineView, ...]
    running: int
    waiting: int
    queue_length: int
    hits: int
    """Turns whose engine was ready when they came."""
    misses: int
    loads: int
    evictions: int
    failures: int


class Observer(Protocol):
    """Told of what happens; must not raise and must not take long."""

    def entered(self, *, kind: str, hit: bool) -> None:
        """A turn has come; `hit`: its engine was ready."""

    def granted(self, *, kind: str, waited_s: float) -> None:
        """A turn got its slot after so many seconds."""

    def left(self, *, kind: str, held_s: float) -> None:
        """A turn has given its slot back."""

    def refused(self, *, code: str) -> None:
        """A turn was not let in, or was turned away while it waited."""

    def loaded(self, *, engine: str, kind: str, seconds: float) -> None:
        """An engine was loaded."""

    def unloaded(self, *, engine: str, reason: Reason) -> None:
        """An engine was ended, or has ended."""

    def failed(self, *, engine: str, code: str) -> None:
        """A load failed, or an engine died."""
