"""Small JSON files beside the models, each written whole or not at all."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from menagerie.models.gguf import GgufHeader

Content = TypeVar("Content")


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a pulled model: the wish (`label`), its GGUF, and when it came (ISO 8601, UTC).

    `sha256` holds while the file has `size` bytes and was last changed at `changed` (nanoseconds).
    """

    label: str
    file: str
    sha256: str
    size: int
    changed: int
    pulled_at: str
    licence: str = ""

    @classmethod
    def now(
        cls, label: str, file: str, header: GgufHeader, sha256: str, *, size: int, changed: int
    ) -> Manifest:
        """The manifest of a model that came this moment."""
        return cls(
            label=label,
            file=file,
            sha256=sha256,
            size=size,
            changed=changed,
            pulled_at=datetime.now(UTC).isoformat(timespec="seconds"),
            licence=header.licence,
        )


def read_json(path: Path, kind: type[Content]) -> Content | None:
    """The content of a file, or None where it is missing or was damaged: it can always be made again."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError):
        return None


def write_json(path: Path, content: object, *, needed: bool = True) -> None:
    """Replace a file at once. Where it is not `needed`, a folder that cannot be written to is no failure."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode(content), indent=2) + b"\n")
            Path(name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError:
        if needed:
            raise


def finish_file(part: Path, final: Path) -> None:
    """Make sure that all of `part` is on the disk, then give it its name at once. Blocking: for a thread."""
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(final)
