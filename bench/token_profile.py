"""Where the time of a token goes in the service, by layer: `python -m bench.token_profile`.

The profiler sees Python's calls and what they call in C; it makes calls dearer than they are, so the shares tell more
than the sums. What the event loop and the kernel do between them is not in it.
"""

from __future__ import annotations

import asyncio
import pstats
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

from bench import processes
from bench.measures import stream

LAYERS: Final = {
    "a frame to its socket, the system's send included": ("/socket_protocol.py", "/uvicorn/", "/websockets/"),
    "aiohttp: from the engine's socket to bytes": ("/aiohttp/",),
    "starlette and fastapi": ("/starlette/", "/fastapi/"),
    "bytes to text: server-sent events, JSON": ("/engines/completion.py", "msgspec"),
    "the turn: engine client, turn, socket, codec": ("/menagerie/",),
}
SOCKETS: Final = 8
TOKENS: Final = 300


async def profile(file: Path) -> None:
    """Stream to a few sockets at a person's pace, under the profiler."""
    async with (
        processes.stub(0.02, TOKENS) as url,
        processes.service(url, module="bench.profiled_service", arguments=(str(file),)) as service,
    ):
        await stream(service, SOCKETS)


def layers(file: Path) -> list[tuple[str, float, float]]:
    """Layer, calls a token, microseconds a token; only calls that happen for each token."""
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = vars(pstats.Stats(str(file)))[
        "stats"
    ]
    total = SOCKETS * TOKENS
    found: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for (path, _, name), (_, calls, own, _, _) in stats.items():
        if calls < total / 2 or "/personas/" in path:
            continue
        place = name if path == "~" else path
        layer = next(
            (layer for layer, marks in LAYERS.items() if any(mark in place for mark in marks)), "the rest"
        )
        found[layer][0] += calls / total
        found[layer][1] += own / total * 1e6
    rows = [(layer, calls, micros) for layer, (calls, micros) in found.items()]
    return sorted(rows, key=lambda row: -row[2])


def main() -> None:
    """Profile and print a table in Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "profile"
        asyncio.run(profile(file))
        rows = layers(file)
    sum_micros = sum(micros for _, _, micros in rows)
    print("| layer | calls a token | share |\n|---|---|---|")
    for layer, calls, micros in rows:
        print(f"| {layer} | {calls:.0f} | {micros / sum_micros:.0%} |")
    print(
        f"| all of it, under the profiler | {sum(calls for _, calls, _ in rows):.0f} | {sum_micros:.0f} µs |"
    )


if __name__ == "__main__":
    main()
