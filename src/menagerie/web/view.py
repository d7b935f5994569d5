"""How a person wants the pages to look, as far as the first paint needs it: kept in a cookie that scripts and the
form of the settings write, and that the server reads to put it on `<html>`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from starlette.requests import HTTPConnection

COOKIE: Final = "view"

Scheme = Literal["system", "light", "dark"]
TextSize = Literal["normal", "large", "larger"]
Motion = Literal["system", "reduced"]


@dataclass(frozen=True)
class View:
    """Colour scheme, size of the text, movement. The cookie holds the three, joined by dots: `dark.large.system`."""

    scheme: Scheme = "system"
    text: TextSize = "normal"
    motion: Motion = "system"

    def cookie(self) -> str:
        """The value of the cookie."""
        return f"{self.scheme}.{self.text}.{self.motion}"


CHOICES: Final[dict[str, tuple[str, ...]]] = {
    "scheme": get_args(Scheme),
    "text": get_args(TextSize),
    "motion": get_args(Motion),
}


def view_of(connection: HTTPConnection) -> View:
    """What the cookie of a caller says; the defaults for each part that is none of ours."""
    return view_from(connection.cookies.get(COOKIE, "").split("."))


def view_from(parts: list[str]) -> View:
    """A view from three words in the order of its fields; what is none of ours counts as not given."""
    if len(parts) != len(CHOICES):
        return View()
    chosen = {
        name: part for (name, choices), part in zip(CHOICES.items(), parts, strict=True) if part in choices
    }
    return View(**chosen)  # type: ignore[arg-type]  # each part was just looked up among its choices
