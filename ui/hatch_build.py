"""Part of every build of the package: the pages are built where they are not yet."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PagesHook(BuildHookInterface):
    """Builds `src/menagerie/web/built`. A source distribution carries it: a wheel from that needs no Node."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called before files are collected."""
        runpy.run_path(str(Path(self.root) / "ui" / "build.py"))["build"]()
