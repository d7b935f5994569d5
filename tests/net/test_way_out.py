"""Nobody opens a connection but those whose work it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import menagerie

ROOT: Final = Path(menagerie.__file__).parent
ALLOWED: Final = re.compile(
    r"net/.*"  # the way out
    r"|engines/(client|address|child)\.py"  # engines, here and at the addresses that are configured
    r"|store/.*"  # the database
    r"|app\.py|cli/(doctor|serve)\.py|web/(listener|socket_protocol)\.py"  # listening
)
OPENING: Final = re.compile(
    r"socket|ssl|http\.client|urllib\.request|urllib3|httpx|requests|aiohttp|websockets|ftplib|smtplib|telnetlib"
    r"|asyncpg|huggingface_hub|trafilatura\.downloads"
)
CONNECTS: Final = frozenset(
    {"open_connection", "create_connection", "open_unix_connection", "create_unix_connection", "sock_connect"}
    | {"urlopen", "fetch_url", "fetch_response", "ClientSession", "getaddrinfo", "TCPConnector"}
)
HARMLESS: Final = frozenset({"urllib.request.url2pathname"})
"""What is imported from such a module and opens nothing."""
TYPES_ONLY: Final = {"models": "aiohttp", "grounding/reader.py": "aiohttp", "batches/remote.py": "aiohttp"}
"""Who handles what the way out gives them; that they make no client of their own is seen from their calls."""


def faults(name: str, source: str) -> list[str]:
    """Imports of what opens connections, and calls that do, in a file that is not to."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if OPENING.fullmatch(alias.name)]
        elif isinstance(node, ast.ImportFrom) and node.module and OPENING.match(node.module):
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            found += [called] if called in CONNECTS else []
    types = next((module for place, module in TYPES_ONLY.items() if name.startswith(place)), None)
    return [one for one in found if one not in HARMLESS and (types is None or one.partition(".")[0] != types)]


def test_no_other_module_opens_a_connection() -> None:
    outside = {
        name: found
        for path in ROOT.rglob("*.py")
        if not ALLOWED.fullmatch(name := path.relative_to(ROOT).as_posix())
        if (found := faults(name, path.read_text(encoding="utf-8")))
    }
    assert outside == {}


def test_the_test_sees_whoever_does() -> None:
    for source in (
        "import socket",
        "from urllib.request import urlopen",
        "import aiohttp",
        "await asyncio.open_connection('a', 1)",
        "aiohttp.ClientSession()",
        "trafilatura.fetch_url('http://a')",
    ):
        assert faults("web/routes/new.py", source), source
    assert faults("models/new.py", "import aiohttp\naiohttp.ClientSession()") == ["ClientSession"]
