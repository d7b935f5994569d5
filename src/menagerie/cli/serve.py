"""`menagerie serve`: check everything that can be wrong, bring the default model, then serve."""

from __future__ import annotations

import errno
import os
import socket
import sys
from argparse import Namespace

from menagerie import __version__
from menagerie.app import listen, serve
from menagerie.cli.branding import wanted_branding
from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.cli.models import CHOICES, models_folder
from menagerie.cli.personas import wanted_personas
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language, text
from menagerie.models.catalogue import Catalogue
from menagerie.models.defaults import default_wish
from menagerie.models.pull import pull_with_bar
from menagerie.models.wish import ModelWish
from menagerie.personas.directory import PersonaDirectory
from menagerie.settings import Settings
from menagerie.settings_report import variable_of

DEFAULT_ENGINE = "default"
"""The name under which an engine at an address stands in for the default model."""


def run(arguments: Namespace, language: Language) -> int:
    """Serve until told to stop."""
    settings = wanted_settings(language, logs=True, host=arguments.host, port=arguments.port)
    personas = _checked_personas(settings, language)
    wanted_branding(settings, language)
    sockets = _listening(settings, language)
    lacks_default, lacking = _lacks_default_model(settings, personas), _lacking_choices(settings)
    if lacks_default or lacking:
        for opened in sockets:  # nobody is to wait in line while a model is fetched
            opened.close()
        if lacks_default:
            _bring_default_model(settings, language)
        for word, wish in lacking:
            _bring_if_possible(word, wish, settings, language)
        sockets = _listening(settings, language)
    _say(text("cli.serve.welcome", language, version=__version__, address=_address(settings, sockets)))
    return serve(settings, sockets)


def bring_what_is_lacking(settings: Settings, language: Language) -> None:
    """Fetch the default model where some persona would want it and it is not on the disk. Raises `CommandError`."""
    if _lacks_default_model(settings, _checked_personas(settings, language)):
        _bring_default_model(settings, language)


def _checked_personas(settings: Settings, language: Language) -> PersonaDirectory:
    personas = wanted_personas(settings, language)
    try:
        personas.get(settings.default_persona)
    except MenagerieError as failure:
        line = text(
            "cli.serve.no_default_persona",
            language,
            variable=variable_of("default_persona"),
            persona=settings.default_persona,
        )
        raise CommandError(Exit.USAGE, [line]) from failure
    return personas


def _listening(settings: Settings, language: Language) -> list[socket.socket]:
    try:
        return listen(settings)
    except OSError as failure:
        raise CommandError(Exit.ADDRESS, [address_problem(settings, failure, language)]) from failure


def address_problem(settings: Settings, failure: OSError, language: Language) -> str:
    """Why the configured address cannot be listened on, and what to do."""
    reason = {errno.EADDRINUSE: "taken", errno.EACCES: "forbidden"}.get(failure.errno or 0, "impossible")
    return text(
        f"cli.serve.address_{reason}",
        language,
        host=settings.host,
        port=settings.port,
        problem=failure.strerror or os.strerror(failure.errno or 0),
    )


def _lacks_default_model(settings: Settings, personas: PersonaDirectory) -> bool:
    """Whether some persona would want the default model, and it is not on the disk."""
    if DEFAULT_ENGINE in settings.engines:
        return False
    if all(persona.engine or persona.engine_url for persona in personas.all()):
        return False
    try:
        return Catalogue(models_folder(settings)).find(default_wish(settings)) is None
    except MenagerieError as failure:
        return failure.code is ErrorCode.MODEL_BROKEN


def _bring_default_model(settings: Settings, language: Language) -> None:
    """Fetch the default model, with a progress bar.

    Raises `CommandError` where that fails, unless personas do without it (`MENAGERIE_MODEL_FALLBACK=off`): then the
    service starts, and says of each persona what it lacks.
    """
    wish = default_wish(settings)
    try:
        pull_with_bar(wish, Catalogue(models_folder(settings)), settings, language)
    except MenagerieError as failure:
        by_hand = text(
            "cli.serve.model_by_hand", language, model=wish.label, folder=models_folder(settings).absolute()
        )
        lines = [failure.message(language), by_hand]
        if settings.model_fallback == "on":
            raise CommandError(Exit.MODEL, lines) from failure
        _say("\n".join(lines))


def _lacking_choices(settings: Settings) -> list[tuple[str, ModelWish]]:
    """The models of texts that the settings choose and that are not on the disk, each with its word."""
    catalogue = Catalogue(models_folder(settings))
    lacking: list[tuple[str, ModelWish]] = []
    for word, (_, choice) in CHOICES.items():
        wish = choice(settings).wish
        if wish is not None and not _is_here(wish, catalogue):
            lacking.append((word, wish))
    return lacking


def _is_here(wish: ModelWish, catalogue: Catalogue) -> bool:
    try:
        return catalogue.find(wish) is not None
    except MenagerieError:
        return False


def _bring_if_possible(word: str, wish: ModelWish, settings: Settings, language: Language) -> None:
    """Fetch a model that the service can start without, with a progress bar; say so where that fails."""
    folder = models_folder(settings)
    try:
        pull_with_bar(wish, Catalogue(folder), settings, language)
    except MenagerieError as failure:
        without = text(
            "cli.serve.without_file" if wish.kind == "file" else "cli.serve.without",
            language,
            work=text(f"cli.serve.work.{word}", language),
            file=wish.stored or wish.label,
            folder=folder.absolute(),
            variable=variable_of(CHOICES[word][0]),
        )
        _say(f"{failure.message(language)}\n{without}")


def _address(settings: Settings, sockets: list[socket.socket]) -> str:
    """Where a person on this machine points a browser."""
    port = sockets[0].getsockname()[1] if sockets else settings.port
    here = settings.host in ("127.0.0.1", "0.0.0.0", "::1", "::", "")  # noqa: S104 (compared, not listened on)
    host = "localhost" if here else f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"http://{host}:{port}/"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
