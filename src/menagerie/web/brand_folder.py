"""A deployment's branding from a folder: `brand.toml`, marks and texts, all of it checked before anything starts."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from menagerie.locales import LANGUAGES, Language, text
from menagerie.web.branding import SURFACES, TEXTS, Brand, BrandFile, Branding
from menagerie.web.colours import contrast, is_colour
from menagerie.web.marks import mark_faults
from menagerie.web.prose import rendered

TOML: Final = "brand.toml"
NAMES: Final = ("service", "department", "classification", "contact")
MARKS: Final = ("mark.svg", "mark-dark.svg")
MOST_LETTERS: Final = 200
LARGEST_TEXT: Final = 262_144
LEAST_CONTRAST: Final = 5.5
"""Of an accent on its ground: 4.5 is left where it stands on a tint of itself."""

_SCHEME: Final = re.compile(
    r"mailto:|[A-Za-z][A-Za-z0-9+.-]*://|(?:javascript|data|vbscript|file|tel|sms):", re.IGNORECASE
)


@dataclass(frozen=True)
class BrandProblem:
    """One thing that is wrong: in which file, and the end of a `branding.problem.*` key with what fills it in."""

    file: str
    reason: str
    values: Mapping[str, object]

    def message(self, language: Language) -> str:
        """The sentence for the person who made the folder."""
        reason = text(f"branding.problem.{self.reason}", language, **self.values)
        return text("branding.place", language, file=self.file, reason=reason)


class BrandingError(Exception):
    """A branding that is refused: everything that is wrong with it."""

    def __init__(self, folder: Path, problems: tuple[BrandProblem, ...]) -> None:
        super().__init__("; ".join(problem.message("en") for problem in problems))
        self.folder = folder
        self.problems = problems

    def lines(self, language: Language) -> list[str]:
        """A heading, then a line for each problem."""
        heading = text("branding.heading", language, variable="MENAGERIE_BRANDING", folder=self.folder)
        return [heading, *(f"  {problem.message(language)}" for problem in self.problems)]


def read_folder(folder: Path) -> Branding:
    """The branding in `folder`. Raises `BrandingError` with all that is wrong."""
    return _Folder(folder).read()


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._problems: list[BrandProblem] = []
        self._seen = hashlib.sha256()

    def read(self) -> Branding:
        given = self._toml()
        names = {name: self._in_both(given, name) for name in NAMES}
        if not names["service"] and not self._problems:
            self._wrong(TOML, "missing", key="service.en, service.fr")
        files = dict(self._marks())
        accent = self._accent(given.get("accent"))
        if accent:
            light, dark = accent
            css = f":root{{--brand:light-dark({light},{dark})}}".encode()
            self._seen.update(css)
            files["brand.css"] = BrandFile(css, "text/css")
        texts = {language: dict(self._texts(language)) for language in LANGUAGES}
        self._look_for_unknown_files()
        if self._problems:
            raise BrandingError(self._folder, tuple(self._problems))
        version = self._seen.hexdigest()[:12]

        def address(name: str) -> str:
            return f"/brand/{version}/{name}" if name in files else ""

        def brand(language: Language) -> Brand:
            return Brand(
                style="own",
                mark=address("mark.svg"),
                mark_dark=address("mark-dark.svg"),
                stylesheet=address("brand.css"),
                texts=texts[language],
                **{name: names[name].get(language, "") for name in NAMES},
            )

        return Branding({language: brand(language) for language in LANGUAGES}, files, version)

    def _wrong(self, file: str, reason: str, **values: object) -> None:
        self._problems.append(BrandProblem(file, reason, values))

    def _content(self, name: str) -> bytes | None:
        """A file of the folder; None where it is not there, or too large."""
        try:
            with (self._folder / name).open("rb") as file:
                content = file.read(LARGEST_TEXT + 1)
        except FileNotFoundError:
            return None
        except OSError as failure:
            self._wrong(name, "unreadable", problem=failure.strerror or "")
            return None
        if len(content) > LARGEST_TEXT:
            self._wrong(name, "too_large", limit=LARGEST_TEXT // 1024)
            return None
        self._seen.update(f"{name}\0{len(content)}\0".encode() + content)
        return content

    def _toml(self) -> dict[str, Any]:
        if not self._folder.is_dir():
            self._wrong(str(self._folder), "no_folder")
            return {}
        content = self._content(TOML)
        if content is None:
            if not self._problems:
                self._wrong(TOML, "no_file")
            return {}
        try:
            given = tomllib.loads(content.decode())
        except (UnicodeDecodeError, tomllib.TOMLDecodeError) as failure:
            self._wrong(TOML, "no_toml", problem=str(failure))
            return {}
        for key in given:
            if key not in {*NAMES, "accent"}:
                near = get_close_matches(key, [*NAMES, "accent"], 1)
                self._wrong(TOML, "unknown_nearest" if near else "unknown", key=key, **_nearest(near))
        return given

    def _in_both(self, given: Mapping[str, Any], name: str) -> dict[Language, str]:
        """A text in both languages, or in none."""
        pair = given.get(name)
        if pair is None:
            return {}
        if not isinstance(pair, dict):
            self._wrong(TOML, "no_pair", key=name)
            return {}
        found: dict[Language, str] = {}
        for language in LANGUAGES:
            value, key = pair.get(language), f"{name}.{language}"
            if value is None:
                self._wrong(TOML, "missing", key=key)
            elif not isinstance(value, str) or not value.strip() or not value.isprintable():
                self._wrong(TOML, "no_line", key=key)
            elif len(value) > MOST_LETTERS:
                self._wrong(TOML, "too_long", key=key, limit=MOST_LETTERS)
            elif name == "contact" and _names_other_scheme(value):
                self._wrong(TOML, "no_contact", key=key)
            else:
                found[language] = value.strip()
        for key in pair.keys() - set(LANGUAGES):
            self._wrong(TOML, "unknown", key=f"{name}.{key}")
        return found

    def _accent(self, given: object) -> tuple[str, str] | None:
        if given is None:
            return None
        if not isinstance(given, dict) or set(given) != {"light", "dark"}:
            self._wrong(TOML, "no_accent")
            return None
        for scheme, ground in zip(("light", "dark"), SURFACES, strict=True):
            colour = given[scheme]
            if not is_colour(colour):
                self._wrong(TOML, "no_colour", key=f"accent.{scheme}")
            elif (seen := contrast(colour, ground)) < LEAST_CONTRAST:
                values = {"colour": colour, "ground": ground, "seen": f"{seen:.1f}", "least": LEAST_CONTRAST}
                self._wrong(TOML, "contrast", key=f"accent.{scheme}", **values)
        return given["light"], given["dark"]

    def _marks(self) -> Iterator[tuple[str, BrandFile]]:
        for name in MARKS:
            content = self._content(name)
            if content is None:
                continue
            faults = mark_faults(content)
            for fault in faults:
                self._wrong(name, f"svg_{fault.reason}", what=fault.what)
            if not faults:
                yield name, BrandFile(content, "image/svg+xml")
        if (self._folder / "mark-dark.svg").exists() and not (self._folder / "mark.svg").exists():
            self._wrong("mark-dark.svg", "no_mark")

    def _look_for_unknown_files(self) -> None:
        """A misspelt name would be a file that nobody sees. Hidden files are the system's own affair."""
        known = [TOML, *MARKS, *(f"{name}.{language}.md" for name in TEXTS for language in LANGUAGES)]
        try:
            there = sorted(path.name for path in self._folder.iterdir())
        except OSError:  # told by then
            return
        for name in there:
            if name not in known and not name.startswith("."):
                near = get_close_matches(name, known, 1)
                self._wrong(name, "unknown_file_nearest" if near else "unknown_file", **_nearest(near))

    def _texts(self, language: Language) -> Iterator[tuple[str, Markup]]:
        for name in TEXTS:
            files = {each: f"{name}.{each}.md" for each in LANGUAGES}
            there = {each: (self._folder / file).exists() for each, file in files.items()}
            if not any(there.values()):
                continue
            file = files[language]
            if not there[language]:
                self._wrong(file, "no_twin", twin=next(files[each] for each in LANGUAGES if there[each]))
                continue
            content = self._content(file)
            if content is None:
                continue
            try:
                yield name, rendered(content.decode(), 3 if name == "privacy" else 2)
            except UnicodeDecodeError:
                self._wrong(file, "no_utf8")


def _names_other_scheme(contact: str) -> bool:
    """Whether a contact is an address that begins with anything but `mailto:` or `https://`."""
    scheme = _SCHEME.match(contact.strip())
    return scheme is not None and scheme[0].lower() not in {"mailto:", "https://"}


def _nearest(near: list[str]) -> dict[str, object]:
    return {"nearest": near[0]} if near else {}
