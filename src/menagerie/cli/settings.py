"""`menagerie settings`: every setting, its value, its origin and its meaning."""

from __future__ import annotations

from argparse import Namespace

from menagerie.cli.exits import Exit, wanted_settings
from menagerie.locales import Language
from menagerie.settings_report import markdown, report


def run(arguments: Namespace, language: Language) -> int:
    """Print the settings in force, or with `--markdown` the page of the docs."""
    if arguments.markdown:
        print(markdown(language), end="")
    else:
        print(report(wanted_settings(language), language))
    return Exit.DONE
