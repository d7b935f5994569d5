"""The program that asks the native library which devices it sees, so that its drivers load in no other process.

It writes one line of JSON to stdout (`Report` in `engines/devices.py`) and ends; the library's own output goes to
stderr.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any, Final

_PR_SET_PDEATHSIG: Final = 1


def _device(device: dict[str, Any]) -> dict[str, Any]:
    """One device, of the fields that we use; sizes in bytes."""
    return {
        "name": str(device["name"]),
        "description": str(device["description"]),
        "kind": device["type"].name.rpartition("_")[2].lower(),
        "free": int(device["memory_free"]),
        "total": int(device["memory_total"]),
    }


def main() -> None:
    """Say what there is."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    ours = os.dup(1)
    os.dup2(2, 1)
    import xllamacpp

    report = {
        "version": str(xllamacpp.__version__),
        "system": str(xllamacpp.get_system_info()),
        "devices": [_device(device) for device in xllamacpp.get_device_info()],
    }
    os.write(ours, json.dumps(report).encode() + b"\n")
    os._exit(0)


if __name__ == "__main__":
    main()
