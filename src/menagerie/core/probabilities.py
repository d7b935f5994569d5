"""How sure a model was of each token that it wrote."""

from __future__ import annotations

import msgspec


class Alternative(msgspec.Struct, frozen=True):
    """A token that could have stood in a place, and the logarithm of its probability."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None


class TokenLogprob(msgspec.Struct, frozen=True):
    """A token of an answer, the logarithm of its probability, and what else could have stood there."""

    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: tuple[Alternative, ...] = ()
