"""The service under the profiler: `python -m bench.profiled_service FILE` writes what it saw to FILE at the end."""

from __future__ import annotations

import cProfile
import sys

from menagerie import app
from menagerie.settings import Settings

if __name__ == "__main__":
    profile = cProfile.Profile()
    profile.enable()
    try:
        status = app.serve(Settings())
    finally:
        profile.disable()
        profile.dump_stats(sys.argv[1])
    raise SystemExit(status)
