"""What people who mean harm write as the address of a page, and a way to try it all where nothing can leave.

Each of `written` is refused before anything is sent, whatever the port is that somebody listens on here.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec
import pytest

from menagerie.net.client import NetworkError
from menagerie.net.page import PageClient
from menagerie.settings import Settings
from tests.net.cutting import Cut
from tests.net.pages import Names

LOOPBACK_HOSTS: Final = (
    # IPv4, as inet_aton and browsers read it
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.2",
    "127.127.127.127",
    "127.255.255.254",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "0177.0x0.0.01",
    "0x7f.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F000001",
    "0x7f.0x00.0x00.0x01",
    "0x7f.00000000001",
    "127.0.0.01",
    "127.00.0.1",
    "127.000.000.001",
    "127.0.0.1.",
    "127.0.0.1..",
    "127.0.0.1%00",
    "127.0.0.1%20",
    "127.0.0.1%2f",
    "127%2e0%2e0%2e1",
    "%31%32%37.0.0.1",
    "4294967297",
    "127.0.0.257",
    "127.0.0.1.0",
    "0",
    "00000000",
    "0x0",
    "0.0.0.0",
    "0.0.0.0.",
    # IPv6, and every way in which it carries IPv4
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0.0.0.1]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7F00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::ffff:0:127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[64:ff9b:1:7f00:0:100::]",
    "[2002:7f00:1::]",
    "[2002:7f00:1::1]",
    "[2001:0:7f00:1::]",
    "[2001:0:5ef5:79fd:0:0:80ff:fffe]",
    "[fe80::5efe:127.0.0.1]",
    "[2606:4700::5efe:7f00:1]",
    "[2606:4700::200:5efe:7f00:1]",
    "[::1%25lo]",
    "[::1%lo]",
    "[::ffff:127.0.0.1%25lo]",
    "[::1]]",
    "[[::1]]",
    "[::1].",
    "::1",
    "[127.0.0.1]",
    "[v1.127.0.0.1]",
    # names and spellings of them
    "localhost",
    "LOCALHOST",
    "LocalHost",
    "localhost.",
    "sub.localhost",
    "localhost.localdomain",
    "localhost6",
    "ip6-localhost",
    "loopback",
    "loc%61lhost",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "ｌｏｃａｌｈｏｓｔ",
    "loc\u00adalhost",
    "lo\u200bcalhost",
    "\u2060localhost",
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "127。0.0。1",
    # another host for another program
    "user@127.0.0.1",
    "user:password@127.0.0.1",
    "example.org@127.0.0.1",
    "example.org:80@127.0.0.1",
    "example.org%40127.0.0.1",
    "example.org\\@127.0.0.1",
    "127.0.0.1\\@example.org",
    "127.0.0.1\\.example.org",
    "127.0.0.1\t",
    "127.0\t.0.1",
    "127.0.0.1\n",
    "127.0.0.1\r\nHost:%20example.org",
    "127.0.0.1 ",
    "127.0.0.1\x00.example.org",
    "127.0.0.1\u2028",
    "127.0.0.1;example.org",
    "127.0.0.1,example.org",
    "{127.0.0.1}",
    "127.0.0.1^",
)
"""Hosts that lead to this machine, for some program at least."""

INSIDE_HOSTS: Final = (
    "10.0.0.1",
    "10.1",
    "012.0.0.1",
    "167772161",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.1",
    "0xC0A80001",
    "3232235521",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.43518",
    "0xA9FEA9FE",
    "0251.0376.0251.0376",
    "2852039166",
    "025177524776",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::ffff:10.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "[2001:0:0:0:0:0:5601:5601]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fc00::1]",
    "[fe80::1]",
    "[fec0::1]",
    "[ff02::1]",
    "[100::1]",
    "[2001:db8::1]",
    "[3fff::1]",
    "[5f00::1]",
    "metadata",
    "metadata.google.internal",
    "METADATA.google.internal",
    "instance-data",
    "instance-data.ec2.internal",
    "host.docker.internal",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
    "printer.local",
    "router.lan",
    "nas.home",
    "gateway.home.arpa",
    "wiki.corp",
    "db.private",
    "intranet",
    "1.0.0.10.in-addr.arpa",
)
"""Hosts of other people's networks, clouds and tests."""

OTHER: Final = (
    "",
    "127.0.0.1",
    "//127.0.0.1/",
    "http:127.0.0.1",
    "http:/127.0.0.1",
    "http:///127.0.0.1/",
    "http:\\\\127.0.0.1\\",
    "http:/\\127.0.0.1/",
    " http://127.0.0.1/",
    "\thttp://127.0.0.1/",
    "ht\ntp://127.0.0.1/",
    "url:http://127.0.0.1/",
    "http://",
    "http://?127.0.0.1",
    "http://#127.0.0.1",
    "http://@127.0.0.1/",
    "http://:@127.0.0.1/",
    "http://127.0.0.1#@example.org/",
    "http://127.0.0.1?@example.org/",
    "file:///etc/passwd",
    "FILE:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "file:/etc/passwd",
    "gopher://127.0.0.1:6379/_INFO",
    "dict://127.0.0.1:11211/stat",
    "ftp://127.0.0.1/",
    "sftp://127.0.0.1/",
    "tftp://127.0.0.1/a",
    "ldap://127.0.0.1/",
    "smb://127.0.0.1/c$",
    "ws://127.0.0.1/",
    "netdoc:///etc/passwd",
    "jar:http://127.0.0.1!/",
    "view-source:http://127.0.0.1/",
    "data:text/html,hello",
    "javascript:alert(1)",
    "about:blank",
    "blob:http://127.0.0.1/a",
    "http+unix://%2Frun%2Fdocker.sock/info",
    "unix:/run/docker.sock",
    "http://8.8.8.8:22/",
    "http://8.8.8.8:25/",
    "http://8.8.8.8:6379/",
    "http://8.8.8.8:2375/",
    "http://8.8.8.8:0/",
    "http://8.8.8.8:-80/",
    "http://8.8.8.8:+80/",
    "http://8.8.8.8:080/",
    "http://8.8.8.8:65536/",
    "http://8.8.8.8:4294967376/",
    "http://8.8.8.8:80:80/",
    "http://8.8.8.8：80/",
    "http://8.8.8.8:８０/",
    "http://8.8.8.8:/",
)
"""Other schemes, other ports, and what is hardly an address."""

NAMES: Final[dict[str, list[list[str]]]] = {
    "here.example.org": [["127.0.0.1"]],
    "here6.example.org": [["::1"]],
    "zero.example.org": [["0.0.0.0"]],
    "mapped.example.org": [["::ffff:127.0.0.1"]],
    "nat64.example.org": [["64:ff9b::7f00:1"]],
    "six-to-four.example.org": [["2002:7f00:1::"]],
    "private.example.org": [["10.0.0.1"]],
    "metadata.example.org": [["169.254.169.254"]],
    "unique-local.example.org": [["fd00::1"]],
    "link-local.example.org": [["fe80::1"]],
    "both.example.org": [["8.8.8.8", "127.0.0.1"]],
    "both-ways.example.org": [["127.0.0.1", "8.8.8.8"]],
    "six-and-four.example.org": [["2606:4700::1111", "10.0.0.1"]],
    "127.0.0.1.wildcard.example": [["127.0.0.1"]],
    "127-0-0-1.wildcard.example": [["127.0.0.1"]],
    "localhost.example.org": [["127.0.0.1"]],
    "xn--lcalhost-54a.example": [["127.0.0.1"]],
    "nothing.example.org": [[]],
}
"""Names of the public Internet and what is told of them, whatever the name of it is in the end (`CNAME`)."""


def written(port: int) -> list[str]:
    """All of them, for somebody who listens at this port."""
    hosts = (*LOOPBACK_HOSTS, *INSIDE_HOSTS, *NAMES)
    return [*(f"http://{host}:{port}/" for host in hosts), *(f"http://{host}/" for host in hosts), *OTHER]


def loopback(port: int) -> list[str]:
    """Those that would get to this machine, if they got anywhere."""
    named = [name for name, answers in NAMES.items() if "127.0.0.1" in str(answers) or "::1" in str(answers)]
    return [
        f"{scheme}://{host}:{port}/" for host in (*LOOPBACK_HOSTS, *named) for scheme in ("http", "https")
    ]


class Outcome(msgspec.Struct):
    """What became of the addresses that were tried."""

    tried: int = 0
    taken: list[str] = msgspec.field(default_factory=list)
    """Those that were not refused, with what became of them."""
    left: list[str] = msgspec.field(default_factory=list)
    """What was looked up or connected to outside, had it not been cut off."""
    connections: int = 0
    """What the listener has seen."""


async def outcome_of(addresses: Iterable[str], settings: Settings, listener: Listener) -> Outcome:
    """Try every address where nothing can leave the machine."""
    found = Outcome()
    with pytest.MonkeyPatch.context() as patch:
        cut = Cut(patch)
        pages = PageClient(settings, Names(**NAMES))
        for address in addresses:
            try:
                await pages.get(address, 5)
                found.taken.append(f"{address!r}: a page")
            except NetworkError as failure:
                if failure.reason != "refused":
                    found.taken.append(f"{address!r}: {failure.reason}")
            found.tried += 1
        await pages.close()
        found.left = cut.tried
    found.connections = listener.connections
    return found


class Listener:
    """Somebody who listens on this machine and counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        await reader.read(65_536)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nsecret")
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """A listener at one port of every address of this machine's own, IPv6 too where there is any."""
    listener = Listener()
    opened: list[Any] = []
    for host in ("127.0.0.1", "127.0.0.2", "127.127.127.127", "::1"):
        try:
            opened.append(await asyncio.start_server(listener.answer, host, listener.port))
        except OSError:
            continue
        listener.port = listener.port or opened[-1].sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        for one in opened:
            one.close()
