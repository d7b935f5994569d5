"""The websocket protocol of the listener: uvicorn's, with a short way for the frames of an answer.

A frame to a client is two to ten bytes and the text (RFC 6455, section 5.2: unmasked, final, opcode 1). Through the
library's state machine each costs as much as decoding the engine's event does; everything else stays with it.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.protocol import State

_TEXT: Final = 0x81
_SHORT: Final = 125
_MEDIUM: Final = 65_535


class ShortWayWebSocketProtocol(WebSocketsSansIOProtocol):
    """Writes text frames itself while the connection is open and takes data."""

    async def send(self, message: Any) -> None:
        """What the application sends."""
        text = message.get("text")
        if (
            text is not None
            and self.handshake_complete
            and not self.close_sent
            and not self.disconnected
            and self.writable.is_set()
            and self.conn.state is State.OPEN
        ):
            self.transport.write(text_frame(text))
        else:
            await super().send(message)


def text_frame(text: str) -> bytes:
    """One whole text frame, as a server sends it."""
    data = text.encode()
    size = len(data)
    if size <= _SHORT:
        return bytes((_TEXT, size)) + data
    if size <= _MEDIUM:
        return bytes((_TEXT, 126)) + size.to_bytes(2) + data
    return bytes((_TEXT, 127)) + size.to_bytes(8) + data
