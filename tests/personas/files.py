"""Persona files on the disk, as a site would write them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from menagerie.personas.load import load_personas
from menagerie.personas.persona import Persona
from menagerie.personas.problem import PersonaFileError
from menagerie.settings import Settings


def set_nothing(patch: pytest.MonkeyPatch) -> None:
    """An environment without any setting of ours."""
    for name in os.environ:
        if name.startswith(("LLM_", "UI_", "MENAGERIE_")):
            patch.delenv(name)


class Site:
    """A folder of persona files, and what comes of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, content: object) -> Path:
        """A file with `content`: text and bytes as they are, anything else as JSON."""
        file = self.folder / name
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif isinstance(content, str):
            file.write_text(content, encoding="utf-8")
        else:
            file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return file

    def load(self, **settings: Any) -> dict[str, Persona]:
        return load_personas([self.folder], Settings(**settings))

    def refused(self, **settings: Any) -> PersonaFileError:
        """Why these files are refused; they have to be."""
        with pytest.raises(PersonaFileError) as refusal:
            self.load(**settings)
        return refusal.value
