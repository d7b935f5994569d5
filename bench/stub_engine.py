"""An engine that computes nothing: it streams tokens at a given pace, for measuring what the service costs.

`python -m bench.stub_engine SECONDS_A_TOKEN TOKENS` serves the OpenAI chat API on a port that it prints.
"""

from __future__ import annotations

import asyncio
import sys
from typing import cast

import uvloop


def _chunk(event: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(event), event)


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_TOKEN = _chunk(
    b'data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":" word"}}],"created":1795467224,'
    b'"id":"chatcmpl-23vgacFnB59LBTcgCmkWCkKSEc3ZioAL","model":"stub","system_fingerprint":"b0-unknown",'
    b'"object":"chat.completion.chunk"}\n\n'
)
_END = (
    _chunk(b'data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}]}\n\n')
    + _chunk(b'data: {"choices":[],"usage":{"completion_tokens":1,"prompt_tokens":1,"total_tokens":2}}\n\n')
    + _chunk(b"data: [DONE]\n\n")
    + b"0\r\n\r\n"
)
_SMALL = {
    b"/health": b'{"status":"ok"}',
    b"/tokenize": b'{"tokens":[1,2,3,4,5,6,7,8]}',
    b"/apply-template": b'{"prompt":"menagerie-probe"}',
}


class _Connection(asyncio.Protocol):
    """One connection: a request at a time, answered by a token every so often."""

    def __init__(self, pause_s: float, tokens: int) -> None:
        self._pause_s = pause_s
        self._tokens = tokens
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._work: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._writable.set()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if len(body) < length:
            return
        self._received = body[length:]
        path = head.split(b" ", 2)[1]
        small = _SMALL.get(path)
        if small is not None and self._transport:
            self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(small), small))
            return
        task = asyncio.create_task(self._stream())
        self._work.add(task)
        task.add_done_callback(self._work.discard)

    async def _stream(self) -> None:
        loop = asyncio.get_running_loop()
        if self._transport:
            self._transport.write(_HEAD)
        began = loop.time()
        for number in range(self._tokens):
            early = began + number * self._pause_s - loop.time()
            if early > 0:
                await asyncio.sleep(early)
            await self._writable.wait()
            if self._transport is None:
                return
            self._transport.write(_TOKEN)
        if self._transport:
            self._transport.write(_END)


async def _main(pause_s: float, tokens: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(pause_s, tokens), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_main(float(sys.argv[1]), int(sys.argv[2])))
