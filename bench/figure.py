"""What a measurement gives."""

from __future__ import annotations

import msgspec


class Figure(msgspec.Struct):
    """One measured figure, its goal, and what it was made from."""

    name: str
    value: float
    goal: str
    reached: bool
    detail: str
