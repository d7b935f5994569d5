"""The JSON Schema of persona files, for editors and for whoever writes such files by program.

`python -m menagerie.personas.schema > docs/persona.schema.json` publishes it, `… schema en` and `… schema fr` print the
table of keys for `docs/personas.*.md`; tests compare them with what is published."""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from menagerie.locales import LANGUAGES, Language, text
from menagerie.personas.load import SCHEMA_KEY
from menagerie.personas.persona import FILE_KEYS, MAX_LINE, MAX_NAME, MAX_TEXT, Features, Persona, Text
from menagerie.personas.problem import expected

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

NAME_PATTERN: Final = rf"^(?!\.)[A-Za-z0-9._@+\u00AA-\uFFFD-]{{1,{MAX_NAME}}}$"
"""Wider than the rule for names, which tells letters of all scripts from signs; no pattern can."""

Schema = dict[str, Any]


def persona_file_schema() -> Schema:
    """The schema of one persona file (JSON Schema 2020-12), with what each key means in both languages. It
    cannot see other files: that a `rag_helper` exists is checked when the files are read."""
    generated = Persona.model_json_schema(mode="validation")
    properties = {key: _documented(key, _property(key, generated)) for key in FILE_KEYS}
    return {
        "$schema": DIALECT,
        "title": "menagerie personas",
        "description": _both("persona.schema.file"),
        "type": "object",
        "properties": {SCHEMA_KEY: {"type": "string"}},
        "propertyNames": {"anyOf": [{"const": SCHEMA_KEY}, {"pattern": NAME_PATTERN}]},
        "additionalProperties": {"anyOf": [{"$ref": "#/$defs/persona"}, {"type": "null"}]},
        "$defs": {
            "persona": {"type": "object", "properties": properties, "additionalProperties": False},
            "text": _text(),
            "features": _features(),
        },
    }


def published() -> str:
    """The text of `docs/persona.schema.json`."""
    return json.dumps(persona_file_schema(), ensure_ascii=False, indent=2) + "\n"


def key_table(language: Language) -> str:
    """The keys of a persona, what they mean and what may stand there, as a table in Markdown."""
    head = text("persona.schema.head", language)
    rows = (
        f"| `{key}` | {text(f'persona.key.{key}', language)} | {expected(key, language)} |"
        for key in FILE_KEYS
    )
    return "\n".join([head, "|---|---|---|", *rows]) + "\n"


def _property(key: str, generated: Schema) -> Schema:
    """What may stand at `key`: what pydantic tells of the field, or for the forms that only files have, ours."""
    field = Persona.model_fields[key]
    if field.annotation is Text:
        return {"$ref": "#/$defs/text"}
    if field.annotation is Features:
        return {"$ref": "#/$defs/features"}
    if key == "flash_attention":
        return {"enum": ["auto", "on", "off", "true", "false", True, False, None]}
    plain = {name: value for name, value in generated["properties"][key].items() if name != "title"}
    if plain.get("default") is None:
        plain.pop("default", None)
    if key == "languages":
        plain |= {"uniqueItems": True}
    return plain if _nullable(plain) else {"anyOf": [plain, {"type": "null"}]}


def _nullable(schema: Schema) -> bool:
    return {"type": "null"} in schema.get("anyOf", [])


def _text() -> Schema:
    one = {"type": "string", "maxLength": MAX_TEXT}
    each = {"type": ["string", "null"], "maxLength": MAX_TEXT}
    by_language = {
        "type": "object",
        "properties": dict.fromkeys(LANGUAGES, each),
        "additionalProperties": False,
    }
    return {"anyOf": [one, by_language, {"type": "null"}]}


def _features() -> Schema:
    names = list(Features.model_fields)
    switches = {
        "type": "object",
        "properties": {name: {"type": "boolean"} for name in names},
        "additionalProperties": False,
    }
    listed = {"type": "array", "items": {"enum": names}}
    return {"anyOf": [switches, listed, {"type": "string", "maxLength": MAX_LINE}, {"type": "null"}]}


def _documented(key: str, schema: Schema) -> Schema:
    return {"description": _both(f"persona.key.{key}"), **schema}


def _both(key: str) -> str:
    return " / ".join(text(key, language) for language in LANGUAGES)


if __name__ == "__main__":
    wanted = [language for language in LANGUAGES if language in sys.argv[1:]]
    sys.stdout.write("".join(key_table(language) for language in wanted) or published())
