"""`menagerie models`: what is on the disk, and getting more of it."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from pathlib import Path
from typing import Final

from menagerie.cli.columns import columns
from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.cli.personas import wanted_personas
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language, text
from menagerie.models.catalogue import Catalogue, InstalledModel
from menagerie.models.defaults import default_wish, embedding_choice, reranker_choice
from menagerie.models.failures import size_text
from menagerie.models.pull import pull_with_bar
from menagerie.models.wish import ModelWish, parse_wish
from menagerie.settings import Settings
from menagerie.settings_report import variable_of

CHOICES: Final = {
    "embedding": ("whisper_embedding_model", embedding_choice),
    "reranker": ("reranker", reranker_choice),
}
"""The words for models that a setting chooses: its field, and how it is read."""


def models_folder(settings: Settings) -> Path:
    """Where models are kept."""
    return settings.data / "models"


def run(arguments: Namespace, language: Language) -> int:
    """`list`, `pull`, `inspect` or `remove`."""
    settings = wanted_settings(language)
    catalogue = Catalogue(models_folder(settings))
    match arguments.action:
        case "list":
            print(_table(catalogue, language))
        case "pull":
            wish = _wish(arguments.wish, settings, language)
            model = pull_with_bar(wish, catalogue, settings, language)
            print(text("cli.models.pulled", language, model=model.name, path=model.path))
        case "inspect":
            model = _named(arguments.model, catalogue)
            print(columns(_facts(model, asyncio.run(catalogue.sha256(model.path)), language)))
        case _:
            model = catalogue.remove(arguments.model)
            freed = size_text(model.size, language)
            print(text("cli.models.removed", language, model=model.name, size=freed))
    return Exit.DONE


def _wish(word: str | None, settings: Settings, language: Language) -> ModelWish:
    """What a person asks for: nothing (the default model), a source such as `hub:…`, a model of the settings
    (`embedding`, `reranker`), or a persona's name."""
    if not word:
        return default_wish(settings)
    if word in CHOICES:
        field, choice = CHOICES[word]
        chosen = choice(settings).wish
        if chosen is None:
            raise CommandError(
                Exit.USAGE, [text("cli.models.not_chosen", language, variable=variable_of(field))]
            )
        return chosen
    if ":" in word:
        return parse_wish(word)
    persona = wanted_personas(settings, language).get(word)
    if persona.engine or persona.engine_url:
        raise CommandError(Exit.USAGE, [text("cli.models.remote", language, persona=persona.name)])
    return persona.model_wish or default_wish(settings)


def _named(name: str, catalogue: Catalogue) -> InstalledModel:
    """A model by the name that `list` shows, or by the path of its file."""
    for model in catalogue.installed():
        if model.name == name:
            return model
    if name.endswith(".gguf"):
        found = catalogue.find(ModelWish(kind="file", file=str(Path(name).absolute())))
        if found:
            return found
    raise MenagerieError(ErrorCode.MODEL_UNKNOWN, model=name)


def _table(catalogue: Catalogue, language: Language) -> str:
    models = catalogue.installed()
    lines = [failure.message(language) for failure in catalogue.broken()]
    if not models:
        return "\n".join([text("cli.models.none", language, folder=catalogue.folder), *lines])
    columns_ = ("name", "size", "quantization", "kind", "source")
    heads = [text(f"cli.models.head.{head}", language) for head in columns_]
    rows = [
        [
            model.name,
            size_text(model.size, language),
            model.header.quantization or "–",
            text(f"cli.models.kind.{_kind(model)}", language),
            model.source,
        ]
        for model in models
    ]
    return "\n".join([columns([heads, *rows]), *lines])


def _kind(model: InstalledModel) -> str:
    """The work that a model is for, as its file tells."""
    if model.header.ranks:
        return "rerank"
    return "embedding" if model.header.pooling else "text"


def _facts(model: InstalledModel, sha256: str, language: Language) -> list[list[str]]:
    header = model.header
    values = {
        "name": header.name or model.name,
        "path": str(model.path),
        "size": size_text(model.size, language),
        "sha256": sha256,
        "source": model.source,
        "architecture": header.architecture,
        "quantization": header.quantization,
        "parameters": f"{header.parameters / 1e6:,.0f} M" if header.parameters else "",
        "window": str(header.context_length or ""),
        "licence": header.licence,
        "cache": size_text(header.kv_bytes_per_token, language) if header.kv_bytes_per_token else "",
    }
    return [[text(f"cli.models.fact.{name}", language), value or "–"] for name, value in values.items()]
