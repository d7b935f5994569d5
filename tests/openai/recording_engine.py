"""An engine at an address that notes what it is asked, and always says the same."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class RecordingEngine(ThreadingHTTPServer):
    """`asked` has the bodies of all generations, in their order."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[dict[str, Any]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: RecordingEngine

    def do_GET(self) -> None:
        self._reply(b'{"status":"ok"}')

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/tokenize":
            self._reply(json.dumps({"tokens": [1] * (len(body["content"]) // 4)}).encode())
        elif self.path == "/apply-template":
            self._reply(b'{"prompt":"menagerie-probe"}')
        else:
            self.server.asked.append({"path": self.path, **body})
            self._reply(_answer(), "text/event-stream")

    def _reply(self, body: bytes, kind: str = "application/json") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def _answer() -> bytes:
    choice = {"delta": {"content": "Said."}, "text": "Said.", "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 2}
    events: list[dict[str, Any]] = [{"choices": [choice]}, {"choices": [], "usage": usage}]
    return b"".join(b"data: %s\n\n" % json.dumps(one).encode() for one in events) + b"data: [DONE]\n\n"


@contextlib.contextmanager
def recording_engine() -> Iterator[RecordingEngine]:
    """One that listens on the loopback as long as the block runs."""
    with RecordingEngine() as engine:
        thread = threading.Thread(target=engine.serve_forever)
        thread.start()
        try:
            yield engine
        finally:
            engine.shutdown()
            thread.join()
