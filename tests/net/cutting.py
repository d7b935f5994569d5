"""The connection cut out: whatever would leave this machine is noted and fails, so that a test that fails is silent."""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import Any

import aiohappyeyeballs
import pytest


class Cut:
    """What somebody tried: the names that were looked up and the addresses that were connected to, outside."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.looked_up: list[str] = []
        self.connected: list[str] = []
        self._connect = aiohappyeyeballs.start_connection
        self._look_up = socket.getaddrinfo
        monkeypatch.setattr(aiohappyeyeballs, "start_connection", self._connecting)
        monkeypatch.setattr(socket, "getaddrinfo", self._looking_up)

    @property
    def tried(self) -> list[str]:
        return self.looked_up + self.connected

    async def _connecting(self, addr_infos: Any, *args: Any, **kwargs: Any) -> socket.socket:
        outside = [info[4][0] for info in addr_infos if not ip_address(info[4][0]).is_loopback]
        if outside:
            self.connected += outside
            raise ConnectionRefusedError
        return await self._connect(addr_infos, *args, **kwargs)

    def _looking_up(self, host: Any, *args: Any, **kwargs: Any) -> Any:
        if host not in {"127.0.0.1", "::1", "localhost", None}:
            self.looked_up.append(str(host))
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._look_up(host, *args, **kwargs)
