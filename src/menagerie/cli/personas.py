"""`menagerie personas`: list them, check their files, show one."""

from __future__ import annotations

import json
from argparse import Namespace

from menagerie.cli.columns import columns
from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.locales import Language, text
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.load import persona_files, persona_folders
from menagerie.personas.persona import Persona
from menagerie.personas.problem import PersonaFileError
from menagerie.settings import Settings


def run(arguments: Namespace, language: Language) -> int:
    """`list`, `check` or `show`."""
    settings = wanted_settings(language)
    match arguments.action:
        case "check":
            more = tuple(folder.absolute() for folder in arguments.folders)
            settings = settings.model_copy(update={"personalities": (*settings.personalities, *more)})
            for folder in more:
                if not folder.is_dir():
                    raise CommandError(Exit.USAGE, [text("cli.personas.no_folder", language, folder=folder)])
            files = len([*persona_files(persona_folders(settings))])
            count = len(wanted_personas(settings, language).all())
            print(text("cli.personas.sound", language, count=count, files=files))
        case "list":
            print(_table(wanted_personas(settings, language).all(), language))
        case _:
            persona = wanted_personas(settings, language).get(arguments.persona)
            shown = persona.model_dump(mode="json", exclude={"folder"})
            print(json.dumps(shown, ensure_ascii=False, indent=2))
    return Exit.DONE


def wanted_personas(settings: Settings, language: Language) -> PersonaDirectory:
    """The personas of these settings. Raises `CommandError` with file, line and key where a file is wrong."""
    try:
        return PersonaDirectory(persona_folders(settings), settings)
    except PersonaFileError as problem:
        raise CommandError(Exit.USAGE, [problem.message(language)]) from problem


def _table(personas: tuple[Persona, ...], language: Language) -> str:
    heads = [text(f"cli.personas.head.{head}", language) for head in ("name", "title", "model", "licence")]
    return columns([heads, *(_row(persona, language) for persona in personas)])


def _row(persona: Persona, language: Language) -> list[str]:
    wish = persona.model_wish
    model = (
        persona.engine_url
        or persona.engine
        or (wish.label if wish else text("cli.personas.default", language))
    )
    return [persona.name, persona.text("title", language), model, persona.licence or "–"]
