"""What can go wrong on the way out."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "scheme",
    "redirect",
    "status",
    "unreachable",
    "interrupted",
    "too_large",
    "certificate",
    "insecure",
    "refused",
    "content",
    "robots",
    "outside",
]
"""`refused` is an address that nobody may ask for, `robots` a page that its site does not want crawled, `outside` a
host outside where the settings forbid to ask for any."""


class NetworkError(Exception):
    """A request that did not work out. It names the host, never the whole address, which may hold credentials."""

    def __init__(
        self, reason: Reason, *, host: str = "", status: int = 0, retry_after: float = 0.0, limit: int = 0
    ) -> None:
        super().__init__(f"{reason} {host} {status or ''}".strip())
        self.reason: Reason = reason
        self.host = host
        self.status = status
        self.retry_after = retry_after
        """Seconds that the server asks to wait; 0 where it does not."""
        self.limit = limit
        """Bytes, where there were more; 0 where it is not told."""

    @property
    def passing(self) -> bool:
        """Whether the same request may work a little later."""
        if self.reason == "status":
            return self.status in {408, 425, 429} or self.status >= 500
        return self.reason in {"unreachable", "interrupted"}
