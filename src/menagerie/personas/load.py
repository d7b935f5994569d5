"""Persona files to personas: read in order, checked one by one, merged key by key, checked together."""

from __future__ import annotations

import errno
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from menagerie.locales import LANGUAGES
from menagerie.personas.persona import (
    FILE_KEYS,
    MODEL_KEYS,
    WEB,
    Features,
    Persona,
    Text,
    features_object,
    is_absolute,
    is_name,
)
from menagerie.personas.positions import Document, JsonError, KeyPath, read_json
from menagerie.personas.problem import PersonaFileError, refusal, shown, unknown, wrong_value
from menagerie.settings import Settings

MAX_BYTES: Final = 8 * 2**20
SCHEMA_KEY: Final = "$schema"

_TEXT_KEYS: Final = frozenset(key for key in FILE_KEYS if Persona.model_fields[key].annotation is Text)

_SETTINGS: Final = {
    "context_window": "llm_context_window",
    "gpu_layers": "llm_gpu_layers",
    "cpu_threads": "llm_cpu_threads",
    "flash_attention": "llm_flash_attention",
    "idle_timeout": "engine_idle",
    "rag_length": "llm_rag_length",
    "rag_helper": "llm_rag_helper",
    "voice": "llm_voice",
    "voice_param": "llm_voice_param",
    "ui_style": "ui_style",
}
"""Which setting is the default of which key."""


class Origin(NamedTuple):
    """Where a key got its value."""

    file: Path
    line: int


Keys = dict[str, object]


class _Merged(NamedTuple):
    personas: dict[str, Keys]
    origins: dict[tuple[str, str], Origin]


def shipped_folder() -> Path:
    """The personas that come with the service: beside the package in a wheel, at the root of a checkout."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "personalities.d"
    return packaged if packaged.is_dir() else package.parents[1] / "personalities.d"


def persona_folders(settings: Settings) -> tuple[Path, ...]:
    """Ours first, then the site's (`MENAGERIE_PERSONALITIES`), in the order in which they patch one another."""
    return (shipped_folder(), *settings.personalities)


def persona_files(folders: Iterable[Path]) -> Iterator[Path]:
    """All persona files in the order in which they are read. A folder that is not there has none."""
    for folder in folders:
        try:
            entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as failure:
            raise PersonaFileError("unreadable", folder, detail=_errno(failure)) from failure
        for entry in entries:
            if entry.suffix == ".json" and not entry.name.startswith(".") and not entry.is_dir():
                yield entry


def load_personas(folders: Sequence[Path], settings: Settings) -> dict[str, Persona]:
    """All personas by name, in the order of the files, with the settings' defaults where a key is missing.
    Raises `PersonaFileError` for the first thing that is wrong."""
    merged = _Merged({}, {})
    for file in persona_files(folders):
        document = _read(file)
        _check_file(file, document)
        _add(merged, file, document)
    personas = {name: _persona(name, keys, settings) for name, keys in merged.personas.items()}
    for persona in personas.values():
        _check_together(persona, personas, settings, merged.origins)
    return personas


def merge(base: object, patch: object) -> object:
    """`patch` over `base`: objects key by key, recursively; anything else replaces. Neither is changed."""
    if not isinstance(base, dict) or not isinstance(patch, dict):
        return patch
    return base | {key: merge(base[key], value) if key in base else value for key, value in patch.items()}


def _read(file: Path) -> Document:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as failure:
        raise PersonaFileError("unreadable", file, detail=_errno(failure)) from failure
    if len(content) > MAX_BYTES:
        raise PersonaFileError("too_large", file, limit=MAX_BYTES // 2**20)
    try:
        return read_json(content.decode("utf-8-sig"))
    except UnicodeDecodeError as failure:
        line = content.count(b"\n", 0, failure.start) + 1
        raise PersonaFileError("encoding", file, line, _key_before(content, failure.start)) from failure
    except JsonError as problem:
        raise PersonaFileError(
            problem.reason, file, problem.line, problem.path, **problem.values
        ) from problem


def _key_before(content: bytes, position: int) -> KeyPath:
    """The key in whose value `position` is: as far as the JSON before it can be read."""
    try:
        read_json(content[:position].decode("utf-8-sig"))
    except JsonError as problem:
        return problem.path
    return ()


def _check_file(file: Path, document: Document) -> None:
    """Refuse what is wrong in this file whatever the others say."""
    if not isinstance(document.value, dict):
        raise PersonaFileError("root", file, 1)
    seen: dict[str, str] = {}
    for name, keys in document.value.items():
        path = (name,)
        line = document.lines[path]
        if name == SCHEMA_KEY and isinstance(keys, str):
            continue
        normal = unicodedata.normalize("NFC", name)
        if not is_name(normal):
            raise PersonaFileError("name", file, line, path)
        if normal in seen:
            raise PersonaFileError("duplicate", file, line, path, first=document.lines[(seen[normal],)])
        seen[normal] = name
        if keys is None:
            continue
        if not isinstance(keys, dict):
            raise PersonaFileError("persona", file, line, path, found=shown(keys))
        _check_keys(file, name, keys, document.lines)


def _check_keys(file: Path, name: str, keys: Keys, lines: Mapping[KeyPath, int]) -> None:
    for key in keys:
        if key not in FILE_KEYS:
            path = (name, key)
            raise unknown("unknown_key", file, lines[path], path, word=key, known=FILE_KEYS)
    try:
        _validated(name, keys)
    except ValidationError as failure:
        refusals = [refusal(file, name, keys, lines, error) for error in failure.errors()]
        raise min(refusals, key=lambda refusal: refusal.line or 0) from failure


def _add(merged: _Merged, file: Path, document: Document) -> None:
    """One file, already checked, over those before it."""
    assert isinstance(document.value, dict)
    for written, keys in document.value.items():
        name = unicodedata.normalize("NFC", written)
        if written == SCHEMA_KEY:
            continue
        if keys is None:
            merged.personas.pop(name, None)
            continue
        patch = {key: _canonical(key, value, file.parent) for key, value in keys.items()}
        merged.personas[name] = {**_object(merge(merged.personas.get(name, {}), patch))}
        for key in keys:
            merged.origins[name, key] = Origin(file, document.lines[written, key])


def _canonical(key: str, value: object, folder: Path) -> object:
    """A value in the one form that can be patched key by key: a text by language, features by name."""
    if key == "ui_features":
        return features_object(value)
    if key not in _TEXT_KEYS:
        return value
    texts = dict.fromkeys(LANGUAGES, value) if isinstance(value, str) else value
    if key != "agent_rag_source" or not isinstance(texts, dict):
        return texts
    return {language: _located(where, folder) for language, where in texts.items()}


def _located(where: object, folder: Path) -> object:
    if not isinstance(where, str) or not where or where.startswith(WEB) or is_absolute(where):
        return where
    return str(folder.absolute() / where)


def _persona(name: str, keys: Keys, settings: Settings) -> Persona:
    given = {key: value for key, value in keys.items() if value is not None}
    local = not (given.get("engine") or given.get("engine_url"))
    if local and settings.llm_model_file is not None:
        given |= {"local_file": str(settings.llm_model_file.absolute()), "model_sha256": "", "licence": ""}
    elif local and settings.llm_huggingface_repo and not any(given.get(key) for key in MODEL_KEYS):
        given |= {"hf_repo": settings.llm_huggingface_repo}
    if given.get("hf_repo") and not given.get("hf_filename") and not given.get("model_package"):
        given |= {"hf_filename": settings.llm_huggingface_file}
    complete = {**_defaults(settings), **given}
    try:
        return _validated(name, complete)
    except ValidationError as failure:
        raise _refused_setting(complete, failure.errors()[0]) from failure


def _refused_setting(keys: Keys, error: ErrorDetails) -> PersonaFileError:
    """The keys of the files have been checked one by one, so what is wrong now came from a setting."""
    key = str(error["loc"][0])
    setting = {**_SETTINGS, "hf_repo": "llm_huggingface_repo", "hf_filename": "llm_huggingface_file"}.get(
        key, key
    )
    return wrong_value(setting.upper(), None, (), keys[key], Persona.model_fields[key])


def _defaults(settings: Settings) -> Keys:
    defaults: Keys = {key: getattr(settings, setting) for key, setting in _SETTINGS.items()}
    defaults["ui_features"] = features_object(settings.ui_features)
    for feature in _object(defaults["ui_features"]):
        if feature not in Features.model_fields:
            raise unknown("unknown_key", "UI_FEATURES", None, (), word=feature, known=Features.model_fields)
    return defaults


def _validated(name: str, keys: Keys) -> Persona:
    return Persona.model_validate(
        {"name": name, **{key: value for key, value in keys.items() if value is not None}}
    )


def _check_together(
    persona: Persona,
    personas: Mapping[str, Persona],
    settings: Settings,
    origins: Mapping[tuple[str, str], Origin],
) -> None:
    """Refuse what is only wrong beside other keys, other personas or the settings."""
    helper = unicodedata.normalize("NFC", persona.rag_helper)
    if helper and helper not in personas:
        place = _place(origins, persona.name, "rag_helper", setting="LLM_RAG_HELPER")
        raise unknown("unknown_helper", *place, word=persona.rag_helper, known=personas)
    if persona.engine and persona.engine.lower() not in {name.lower() for name in settings.engines}:
        place = _place(origins, persona.name, "engine")
        raise unknown("unknown_engine", *place, word=persona.engine, known=settings.engines)
    if persona.model_url and not persona.model_sha256:
        raise PersonaFileError("hash_missing", *_place(origins, persona.name, "model_url"))
    for language in LANGUAGES:
        source = persona.stuffing(language)
        if isinstance(source, Path) and not source.is_file():
            place = _place(origins, persona.name, "agent_rag_source")
            raise PersonaFileError("no_file", *place, where=str(source))


def _place(
    origins: Mapping[tuple[str, str], Origin], name: str, key: str, *, setting: str = ""
) -> tuple[Path | str, int | None, KeyPath]:
    """Whom to blame for the value of a key: the last file that had it, else the setting."""
    origin = origins.get((name, key))
    return (origin.file, origin.line, (name, key)) if origin else (setting, None, ())


def _errno(failure: OSError) -> str:
    return errno.errorcode.get(failure.errno or 0, type(failure).__name__)


def _object(value: object) -> Keys:
    return value if isinstance(value, dict) else {}
