"""The command line, in the person's language, argparse's own words included."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from menagerie import __version__
from menagerie.cli import fact_arguments, key_arguments
from menagerie.core.languages import parse_language
from menagerie.locales import LANGUAGES, Language, catalogue, text

LOCALES: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
MAX_PORT: Final = 65535
BACKENDS: Final = ("cuda", "rocm", "vulkan", "metal", "cpu")
"""What the text engine can be built for."""


def language_of(words: Sequence[str], environment: Mapping[str, str]) -> Language:
    """What `--lang` says, else the locale, else `MENAGERIE_LANGUAGE`, else English."""
    for word, following in zip(words, [*words, ""][1:], strict=True):
        if word == "--":
            break
        asked = following if word == "--lang" else word.removeprefix("--lang=") if "--lang=" in word else ""
        if asked in LANGUAGES:
            return asked
    locale = next((environment[name] for name in LOCALES if environment.get(name)), "")
    return _of_tag(locale) or _of_tag(environment.get("MENAGERIE_LANGUAGE", "")) or "en"


def _of_tag(locale: str) -> Language | None:
    return parse_language(locale.replace("_", "-").partition(".")[0])


def parse(words: Sequence[str], language: Language) -> argparse.Namespace:
    """The arguments; `command` names the module that runs them. Raises `SystemExit` as argparse does."""
    with argparse_in(language):
        return _parser(language).parse_args(words)


@contextmanager
def argparse_in(language: Language) -> Iterator[None]:
    """Let argparse speak `language`. It asks `gettext`, through two names of its module, for every text of its own;
    the one place where we stand in for that."""
    keys = {template: key for key, template in catalogue("en").items() if key.startswith("cli.argparse.")}

    def translated(message: str) -> str:
        return text(keys[message], language) if message in keys else message

    def numbered(singular: str, plural: str, count: int) -> str:
        return translated(singular if count == 1 else plural)

    module = vars(argparse)
    before = {name: module[name] for name in ("_", "ngettext")}
    module.update(_=translated, ngettext=numbered)
    try:
        yield
    finally:
        module.update(before)


def _parser(language: Language) -> argparse.ArgumentParser:
    def said(key: str, **values: object) -> str:
        return text(f"cli.{key}", language, **values)

    def port(word: str) -> int:
        if not word.isdecimal() or int(word) > MAX_PORT:
            raise argparse.ArgumentTypeError(said("serve.port_wrong", value=word, most=MAX_PORT))
        return int(word)

    common = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    common.add_argument(
        "--lang", choices=LANGUAGES, default=argparse.SUPPRESS, metavar="en|fr", help=said("option.lang")
    )

    def command(
        commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, key: str
    ) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=said(f"{key}.help"),
            description=said(f"{key}.help"),
            parents=[common],
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def commands_of(
        parser: argparse.ArgumentParser, destination: str
    ) -> argparse._SubParsersAction[argparse.ArgumentParser]:
        return parser.add_subparsers(
            dest=destination, required=True, title=said("argparse.commands"), metavar=said("command")
        )

    parser = argparse.ArgumentParser(
        prog="menagerie",
        description=said("description"),
        epilog=said("epilog"),
        parents=[common],
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"menagerie {__version__}", help=said("option.version")
    )
    top = commands_of(parser, "command")

    serve = command(top, "serve", "serve")
    serve.add_argument("--host", metavar=said("serve.host_word"), help=said("serve.host"))
    serve.add_argument("--port", type=port, metavar=said("serve.port_word"), help=said("serve.port"))

    batch = command(top, "batch", "batch")
    batch.add_argument("persona", metavar=said("persona"), help=said("personas.name"))
    for name, required in (("in", True), ("out", True), ("failed", False), ("schema", False)):
        batch.add_argument(
            f"--{name}",
            dest=f"{name}_file",
            type=Path,
            required=required,
            metavar=said("file"),
            help=said(f"batch.{name}"),
        )
    batch.add_argument(
        "--prompt", metavar=said("batch.prompt_word"), help=said("batch.prompt", left="{", right="}")
    )
    for name in ("keep", "restart"):
        batch.add_argument(f"--{name}", action="store_true", help=said(f"batch.{name}"))
    for name in ("url", "key"):
        batch.add_argument(f"--{name}", metavar=said(f"batch.{name}_word"), help=said(f"batch.{name}"))

    settings = command(top, "settings", "settings")
    settings.add_argument("--markdown", action="store_true", help=said("settings.markdown"))

    personas = commands_of(command(top, "personas", "personas"), "action")
    command(personas, "list", "personas.list")
    check = command(personas, "check", "personas.check")
    check.add_argument("folders", nargs="*", type=Path, metavar=said("folder"), help=said("personas.folders"))
    show = command(personas, "show", "personas.show")
    show.add_argument("persona", metavar=said("persona"), help=said("personas.name"))

    models = commands_of(command(top, "models", "models"), "action")
    command(models, "list", "models.list")
    pull = command(models, "pull", "models.pull")
    pull.add_argument("wish", nargs="?", metavar=said("source"), help=said("models.source"))
    for action in ("inspect", "remove"):
        one = command(models, action, f"models.{action}")
        one.add_argument("model", metavar=said("model"), help=said("models.name"))

    feeds = commands_of(command(top, "feeds", "feeds"), "action")
    command(feeds, "list", "feeds.list")
    feeds_check = command(feeds, "check", "feeds.check")
    feeds_check.add_argument("--all", action="store_true", help=said("feeds.all"))

    keys = commands_of(command(top, "keys", "keys"), "action")
    key_arguments.add(partial(command, keys), said)

    facts = commands_of(command(top, "facts", "facts"), "action")
    fact_arguments.add(partial(command, facts), said)

    doctor = command(top, "doctor", "doctor")
    doctor.add_argument(
        "--install-engine",
        nargs="?",
        choices=BACKENDS,
        const=True,
        metavar="|".join(BACKENDS),
        help=said("doctor.install"),
    )
    return parser
