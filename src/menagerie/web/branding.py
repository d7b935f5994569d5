"""Whose service this is, as its pages show it: names, mark, colours, what may be written here, and whom to ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Final, Literal

from markupsafe import Markup
from starlette.requests import HTTPConnection

from menagerie.locales import LANGUAGES, Language, text
from menagerie.settings import Settings

Style = Literal["neutral", "canada", "own"]
TextName = Literal["about", "privacy", "accessibility"]
TEXTS: Final[tuple[TextName, ...]] = ("about", "privacy", "accessibility")
"""What a deployment may say in its own words, above ours."""

SURFACES: Final = ("#ffffff", "#1d262f")
"""The grounds of `ui/style/tokens.css`, light and dark."""


@dataclass(frozen=True)
class Brand:
    """A branding in one language. What is not given is empty."""

    service: str
    style: Style = "neutral"
    department: str = ""
    classification: str = ""
    """The highest classification of what may be written here, such as “Protected A”."""
    contact: str = ""
    mark: str = ""
    """Addresses of the mark and of its form for dark pages; empty: our own mark."""
    mark_dark: str = ""
    stylesheet: str = ""
    texts: Mapping[str, Markup] = field(default_factory=dict)

    @property
    def contact_link(self) -> str:
        """Where a contact that is an address leads; empty where it is none."""
        if self.contact.lower().startswith(("https://", "mailto:")):
            return self.contact
        return f"mailto:{self.contact}" if "@" in self.contact and " " not in self.contact else ""


@dataclass(frozen=True)
class BrandFile:
    """A file that a deployment brought, checked."""

    content: bytes
    media_type: str


@dataclass(frozen=True)
class Branding:
    """One deployment's branding, in both languages. `files` by name are served below `/brand/<version>/`."""

    brands: Mapping[Language, Brand]
    files: Mapping[str, BrandFile] = field(default_factory=dict)
    version: str = ""

    def in_language(self, language: Language) -> Brand:
        """What a page in `language` shows."""
        return self.brands[language]


def read_branding(settings: Settings) -> Branding:
    """The branding that the settings name. Raises `BrandingError` with all that is wrong in its folder."""
    if settings.branding in {"neutral", "canada"}:
        return _of_ours("canada" if settings.branding == "canada" else "neutral")
    from menagerie.web.brand_folder import read_folder

    return read_folder(Path(settings.branding))


def branding_of(connection: HTTPConnection) -> Branding:
    """The branding of the service that got this request; ours where none is there yet to ask."""
    services = getattr(getattr(connection.scope.get("app"), "state", None), "services", None)
    return services.branding if services is not None else neutral()


@cache
def neutral() -> Branding:
    """Ours: what is shown where the settings say nothing else."""
    return _of_ours("neutral")


def _of_ours(style: Style) -> Branding:
    def brand(language: Language) -> Brand:
        department = text("page.government", language) if style == "canada" else ""
        return Brand(service=text("page.service", language), style=style, department=department)

    return Branding({language: brand(language) for language in LANGUAGES})
