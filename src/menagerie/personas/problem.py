"""Why a persona file is refused: the file, the line, the key and the reason, in both languages."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from menagerie.locales import Language, text
from menagerie.personas.persona import Expects, Features, Persona, Text
from menagerie.personas.positions import KeyPath

MAX_SHOWN: Final = 60

_KINDS: Final[dict[object, str]] = {
    bool: "boolean",
    int: "integer",
    int | None: "integer",
    float: "number",
    float | None: "number",
    Text: "text",
    Features: "features",
}


class PersonaFileError(Exception):
    """A persona file that is refused. `line` counts from 1; None where none is to blame. `reason` is the end of
    a `persona.file.*` key; `file` is the name of a setting where that brought the wrong value."""

    def __init__(
        self,
        reason: str,
        file: Path | str,
        line: int | None = None,
        path: KeyPath = (),
        /,
        **values: str | int,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.file = file
        self.line = line
        self.path = path
        self.values = values

    @property
    def key(self) -> str:
        """The key as a person would write it: `fox.ui_features.rag_custom`, `"jo@example.org".title`."""
        return _dotted(self.path)

    def message(self, language: Language) -> str:
        """File, line, key and reason in one line."""
        values = {**self.values, "expected": self._expected(language)}
        reason = text(f"persona.file.{self.reason}", language, **values)
        if self.values.get("nearest"):
            reason += " " + text("persona.file.nearest", language, nearest=self.values["nearest"])
        place = "place" + ("_line" if self.line else "") + ("_key" if self.path else "")
        return text(
            f"persona.file.{place}", language, file=self.file, line=self.line, key=self.key, reason=reason
        )

    def _expected(self, language: Language) -> str:
        return _in_words(self.values, language) if "expects" in self.values else ""

    def __str__(self) -> str:
        return self.message("en")


def refusal(
    file: Path, name: str, keys: Mapping[str, object], lines: Mapping[KeyPath, int], error: ErrorDetails
) -> PersonaFileError:
    """What pydantic found in the `keys` of the persona `name`, as a person who edits the file sees it."""
    loc = error["loc"]
    key = str(loc[0])
    value, field = keys[key], Persona.model_fields[key]
    path: KeyPath = (name, *loc)
    inner = field.annotation
    if isinstance(inner, type) and issubclass(inner, BaseModel) and len(loc) > 1:
        if error["type"] == "extra_forbidden":
            if isinstance(value, list):
                path = (name, key, value.index(loc[1]))
            line, known = _line(lines, path), inner.model_fields
            return unknown("unknown_key", file, line, path, word=str(loc[1]), known=known)
        if isinstance(value, dict):
            field, value = inner.model_fields[str(loc[1])], value[str(loc[1])]
        else:
            path = (name, key)
    elif isinstance(value, list) and len(loc) > 1 and isinstance(loc[1], int):
        value = value[loc[1]]
    return wrong_value(file, _line(lines, path), path, value, field)


def wrong_value(
    file: Path | str, line: int | None, path: KeyPath, value: object, field: FieldInfo
) -> PersonaFileError:
    """A `value` that may not stand in `field`; the message says what may."""
    return PersonaFileError("wrong_value", file, line, path, found=shown(value), **_expects(field))


def unknown(
    reason: str, file: Path | str, line: int | None, path: KeyPath, *, word: str, known: Collection[str]
) -> PersonaFileError:
    """A `word` that is none of the `known` ones; the nearest of them is suggested."""
    by_lower = {name.lower(): name for name in known}
    found = get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    nearest = by_lower[found[0]] if found else ""
    return PersonaFileError(reason, file, line, path, word=shown(word), nearest=nearest)


def shown(value: object) -> str:
    """A value as it stands in the file, cut to what fits a message."""
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= MAX_SHOWN else written[: MAX_SHOWN - 1] + "…"


def _line(lines: Mapping[KeyPath, int], path: KeyPath) -> int | None:
    """The line of the innermost part of `path` that has one."""
    return next((lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in lines), None)


def _expects(field: FieldInfo) -> dict[str, str | int]:
    """The name of the text that says what may stand in `field`, and its bounds."""
    bounds: dict[str, str | int] = {}
    kind = _KINDS.get(field.annotation, "")
    for part in field.metadata:
        if isinstance(part, Expects):
            kind = str(part)
        for bound, name in (("ge", "low"), ("le", "high"), ("max_length", "limit")):
            if hasattr(part, bound):
                bounds[name] = getattr(part, bound)
    return {"expects": kind, **bounds}


def expected(key: str, language: Language) -> str:
    """What may stand at `key` of a persona file, in words."""
    return _in_words(_expects(Persona.model_fields[key]), language)


def _in_words(expects: Mapping[str, str | int], language: Language) -> str:
    return text(f"persona.expects.{expects['expects']}", language, **expects)


def _dotted(path: KeyPath) -> str:
    dotted = ""
    for part in path:
        if isinstance(part, int):
            dotted += f"[{part}]"
        else:
            plain = part.replace("_", "a").replace("-", "a").isalnum()
            dotted += ("." if dotted else "") + (part if plain else json.dumps(part, ensure_ascii=False))
    return dotted
