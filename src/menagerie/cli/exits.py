"""How a command ends: its exit status, and the settings that it cannot start without."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from menagerie.locales import Language

if TYPE_CHECKING:
    from menagerie.settings import Settings


class Exit(IntEnum):
    """Exit statuses, stable. After `USAGE`, starting again without a change is of no use."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    """The command line, a setting or a persona file is wrong."""
    ADDRESS = 3
    """The address is taken, or cannot be listened on."""
    MODEL = 4
    """The default model is not there and could not be fetched."""
    INTERRUPTED = 130


class CommandError(Exception):
    """A command that ends with `status` after saying `lines`, which are in the person's language."""

    def __init__(self, status: Exit, lines: Sequence[str]) -> None:
        super().__init__("\n".join(lines))
        self.status = status
        self.lines = lines


def wanted_settings(language: Language, *, logs: bool = False, **overrides: object) -> Settings:
    """The settings of the environment, `overrides` before it; log lines go to stderr from here on: errors alone, unless
    the command's `logs` are for people, or the environment says which lines are wanted.

    Raises `CommandError` with all that is wrong.
    """
    from menagerie.logs import configure_logging
    from menagerie.settings_check import WrongSettingsError, read_settings

    given = {name: value for name, value in overrides.items() if value is not None}
    try:
        settings = read_settings(**given)
    except WrongSettingsError as problems:
        raise CommandError(Exit.USAGE, problems.lines(language)) from problems
    quiet = not logs and "log_level" not in settings.model_fields_set
    configure_logging(settings.model_copy(update={"log_level": "error"}) if quiet else settings)
    return settings
