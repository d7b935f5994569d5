"""A lock between processes, so that two pulls of one model become one."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

POLL_SECONDS: Final = 0.2
_HELD: Final = frozenset({errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK})


@asynccontextmanager
async def file_lock(path: Path, waiting: Callable[[], None]) -> AsyncGenerator[None, None]:
    """Hold the lock `path` (a file that is made and stays); `waiting` is called as long as another holds it.

    The operating system lets go of it with the process, however that ends. A file system without locks gives
    none: there, two pulls write side by side and the hash decides.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not locked(descriptor):
            waiting()
            await asyncio.sleep(POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def locked(descriptor: int) -> bool:
    """Whether the open file is locked by us now, at once. Also where the file system has no locks."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as failure:
        return failure.errno not in _HELD
    return True
