"""Which package index this machine's pip uses, asked of that pip itself.

An environment made by other tools may hold no pip, so the Python behind it and those on the path are asked too; where
there is no pip at all, its configuration files and variables are read
(pip's user guide, "Configuration": files in order, then `PIP_*`).
"""

from __future__ import annotations

import ast
import asyncio
import configparser
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec
import structlog

_SECTIONS: Final = ("global", "install", ":env:")
"""Later ones count more."""
_SECONDS: Final = 30.0
_DEFAULT_INDEX: Final = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
_TRUE: Final = frozenset({"1", "y", "yes", "true", "on", "t"})

log = structlog.get_logger(__name__)


class PipSettings(msgspec.Struct, frozen=True):
    """Where packages come from. `indexes` and `find_links` may hold credentials: never log or show them."""

    indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    trusted_hosts: frozenset[str] = frozenset()
    certificate: Path | None = None
    client_certificate: Path | None = None
    proxy: str | None = None


async def read_pip_settings() -> PipSettings:
    """The settings of the first Python here that has a pip; else those that a pip would read."""
    for python in _pythons():
        listed = await _output(python, "-m", "pip", "config", "list")
        if listed is not None:
            values = _listed_values(listed)
            default = "" if values.get("index-url") else await _output(python, "-c", _DEFAULT_INDEX) or ""
            return _settings(values, default.strip())
    return _settings(_read_files(os.environ), "")


def _pythons() -> Iterator[str]:
    candidates = [sys.executable, getattr(sys, "_base_executable", None)]
    candidates += [shutil.which(name) for name in ("python3", "python")]
    return iter(dict.fromkeys(python for python in candidates if python))


async def _output(*command: str) -> str | None:
    """What a command writes, or None where it fails or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return output.decode(errors="replace") if process.returncode == 0 else None


def _listed_values(listed: str) -> dict[str, str]:
    """The lines of `pip config list`: `global.index-url='…'`, `:env:.cert='…'`."""
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    for line in listed.splitlines():
        name, separator, quoted = line.partition("=")
        section, _, key = name.rpartition(".")
        if not separator or section not in found:
            continue
        try:
            value = ast.literal_eval(quoted)
        except (SyntaxError, ValueError):
            continue
        found[section][key] = str(value)
    return _merged(found)


def _read_files(environment: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, dict[str, str]] = {section: {} for section in _SECTIONS}
    parser = configparser.RawConfigParser()
    for path in _configuration_files(environment):
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            log.warning("pip_configuration_unreadable", file=str(path))
    for section in parser.sections():
        if section in found:
            found[section] |= {key.replace("_", "-"): value for key, value in parser.items(section)}
    for name, value in environment.items():
        if name.startswith("PIP_") and value:
            found[":env:"][name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return _merged(found)


def _configuration_files(environment: Mapping[str, str]) -> list[Path]:
    chosen = environment.get("PIP_CONFIG_FILE", "")
    if chosen == os.devnull:
        return []
    home = Path(environment.get("HOME") or Path.home())
    if sys.platform == "win32":
        roaming = Path(environment.get("APPDATA", home / "AppData" / "Roaming"))
        files = [Path(environment.get("PROGRAMDATA", "C:/ProgramData")) / "pip" / "pip.ini"]
        files += [home / "pip" / "pip.ini", roaming / "pip" / "pip.ini", Path(sys.prefix) / "pip.ini"]
    else:
        shared = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        files = [Path(folder) / "pip" / "pip.conf" for folder in reversed(shared.split(":"))]
        own = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", own / "pip" / "pip.conf"]
        files += [Path(sys.prefix) / "pip.conf"]
    return files + ([Path(chosen)] if chosen else [])


def _merged(found: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    return {key: value for section in _SECTIONS for key, value in found[section].items()}


def _settings(values: Mapping[str, str], default_index: str) -> PipSettings:
    indexes = [
        values.get("index-url", "").strip() or default_index,
        *values.get("extra-index-url", "").split(),
    ]
    if values.get("no-index", "").strip().lower() in _TRUE:
        indexes = []
    return PipSettings(
        indexes=tuple(dict.fromkeys(index for index in indexes if index)),
        find_links=tuple(dict.fromkeys(values.get("find-links", "").split())),
        trusted_hosts=frozenset(host.partition(":")[0] for host in values.get("trusted-host", "").split()),
        certificate=_path(values.get("cert", "")),
        client_certificate=_path(values.get("client-cert", "")),
        proxy=values.get("proxy") or None,
    )


def _path(value: str) -> Path | None:
    return Path(value).expanduser() if value.strip() else None
