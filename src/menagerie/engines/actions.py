"""What the policy answers: what is to be done, and why somebody is not let in. Values."""

from __future__ import annotations

from collections.abc import Hashable

import msgspec

from menagerie.engines.overview import Reason

Key = Hashable


class Grant(msgspec.Struct, frozen=True):
    """The request may generate."""

    request: int


class Refuse(msgspec.Struct, frozen=True):
    """The request will not be served, for the reason `code`: the code of a failed load, of an engine's death, what
    `stop` was told, or `too_large` with MiB: its engine cannot fit any more."""

    request: int
    code: str
    needed: int = 0
    budget: int = 0


class Start(msgspec.Struct, frozen=True):
    """Load the engine in this form, then tell `loaded` or `failed`."""

    key: Key
    form: int


class End(msgspec.Struct, frozen=True):
    """End the engine, then tell `ended`. `reason` as in `Observer.unloaded`."""

    key: Key
    reason: Reason


Action = Grant | Refuse | Start | End


class NotLetIn(Exception):  # noqa: N818 - an answer, not a fault
    """A request that is not let in. `retry_s` where trying again can help; `needed` and `budget` in MiB where it is too
    large, in tokens where it is too long."""

    def __init__(self, why: str, retry_s: float | None = None, needed: int = 0, budget: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.retry_s = retry_s
        self.needed = needed
        self.budget = budget
