"""The program that searches with `ddgs`, a library that opens connections of its own: here it knows nothing of the
service, and goes out through the proxy that it is told.

It reads one line of JSON from stdin (`query`, `region`, `most` results, `backends`, `proxy`, `certificates`: a PEM file
or nothing, `seconds`), writes a list of objects with `title`, `href` and `body` to stdout, and ends.
"""

from __future__ import annotations

import ctypes
import json
import logging
import signal
import sys
from typing import Any, Final

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_PR_SET_PDEATHSIG: Final = 1
_CPU_SECONDS: Final = 20
_MEMORY: Final = 4 << 30
"""Of addresses, of which the threads of the library's runtime reserve many and use few."""


def main() -> None:
    """Answer the one order."""
    _limit()
    logging.disable(logging.CRITICAL)
    order = json.loads(sys.stdin.buffer.readline())
    sys.stdout.buffer.write(json.dumps(found(order), ensure_ascii=False).encode("utf-8", "replace"))


def found(order: dict[str, Any]) -> list[dict[str, Any]]:
    """What the library finds; nothing where it finds nothing."""
    from ddgs import DDGS
    from ddgs.exceptions import DDGSException

    searcher = DDGS(proxy=order["proxy"], timeout=order["seconds"], verify=order["certificates"] or True)
    try:
        return searcher.text(
            order["query"],
            region=order["region"],
            safesearch="moderate",
            max_results=order["most"],
            backend=order["backends"],
        )
    except DDGSException as failure:
        if "No results" in str(failure):
            return []
        raise


def _limit() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if resource is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
