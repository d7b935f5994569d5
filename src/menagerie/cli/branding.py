"""The branding that the settings name, as commands need it: right, or told what is wrong with it."""

from __future__ import annotations

from menagerie.cli.exits import CommandError, Exit
from menagerie.locales import Language
from menagerie.settings import Settings
from menagerie.web.brand_folder import BrandingError
from menagerie.web.branding import Branding, read_branding


def wanted_branding(settings: Settings, language: Language) -> Branding:
    """The branding of these settings. Raises `CommandError` with all that is wrong in its folder."""
    try:
        return read_branding(settings)
    except BrandingError as problems:
        raise CommandError(Exit.USAGE, problems.lines(language)) from problems
