"""What a container or a service unit may use: the limits of Linux's control groups, version 2 and 1.

Formats: the kernel's documentation, "Control Group v2" and "Memory Resource Controller" (version 1), proc(5).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

_ROOT: Final = Path("/")
_MOUNT: Final = "sys/fs/cgroup"


class MemoryLimit(msgspec.Struct, frozen=True):
    """The tightest limit, and what is free below it or can be had back from the page cache. In bytes."""

    total: int
    available: int


def memory(root: Path = _ROOT) -> MemoryLimit | None:
    """The limit of the group that we are in, or of one above it; None where there is none."""
    limits = [
        *_limits(root, "", "memory.max", "memory.current", ("inactive_file", "active_file")),
        *_limits(
            root,
            "memory",
            "memory.limit_in_bytes",
            "memory.usage_in_bytes",
            ("total_inactive_file", "total_active_file"),
        ),
    ]
    if not limits:
        return None
    return MemoryLimit(min(limit.total for limit in limits), min(limit.available for limit in limits))


def cores(root: Path = _ROOT) -> int | None:
    """How many cores' worth of time we get, rounded up; None where there is no limit."""
    quotas: list[float] = []
    for group in _groups(root, ""):
        quota, _, period = _text(group / "cpu.max").partition(" ")
        if quota.isdecimal() and period.strip().isdecimal() and int(period):
            quotas.append(int(quota) / int(period))
    for group in _groups(root, "cpu"):
        v1_quota, v1_period = _number(group / "cpu.cfs_quota_us"), _number(group / "cpu.cfs_period_us")
        if v1_quota and v1_period:
            quotas.append(v1_quota / v1_period)
    return max(1, math.ceil(min(quotas))) if quotas else None


def _limits(
    root: Path, controller: str, limit: str, usage: str, cached: tuple[str, ...]
) -> Iterator[MemoryLimit]:
    for group in _groups(root, controller):
        total = _number(group / limit)
        if total is None:
            continue
        used = _number(group / usage) or 0
        lines = (line.partition(" ") for line in _text(group / "memory.stat").splitlines())
        had_back = sum(int(value) for name, _, value in lines if name in cached and value.isdecimal())
        yield MemoryLimit(total, max(0, total - max(0, used - had_back)))


def _groups(root: Path, controller: str) -> Iterator[Path]:
    """Our group and those above it, of a controller of version 1 or, with none, of version 2."""
    mount = root / _MOUNT / controller
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controller not in controllers.split(","):
            continue
        inside = Path(path.lstrip("/"))
        if ".." in inside.parts:
            continue
        yield from (mount / part for part in (inside, *inside.parents))


def _number(file: Path) -> int | None:
    content = _text(file).strip()
    return int(content) if content.isdecimal() else None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
