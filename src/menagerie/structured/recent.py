"""What was made of the texts that were asked for last, within a bound on the length of those texts together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Recent(Generic[T]):
    """Remembers what `make` made of a text, of the last `most` texts that together have at most `most_bytes`. May be
    asked from several threads; two that ask for the same at once may both make it."""

    def __init__(self, make: Callable[[bytes], T], *, most: int, most_bytes: int) -> None:
        self._make = make
        self._most = most
        self._most_bytes = most_bytes
        self._made: OrderedDict[bytes, T] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __call__(self, text: bytes) -> T:
        """What is made of `text`. Raises what `make` raises, and remembers no failure."""
        with self._lock:
            if text in self._made:
                self._made.move_to_end(text)
                return self._made[text]
        made = self._make(text)
        with self._lock:
            if text not in self._made:
                self._made[text] = made
                self._bytes += len(text)
            while len(self._made) > self._most or self._bytes > self._most_bytes:
                oldest, _ = self._made.popitem(last=False)
                self._bytes -= len(oldest)
            return made

    def cache_clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._made.clear()
            self._bytes = 0

    def __len__(self) -> int:
        """How many texts are remembered."""
        return len(self._made)
