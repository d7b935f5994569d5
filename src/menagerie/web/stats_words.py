"""How the figures are told to people: times, spans, sizes and words, by language."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from menagerie.core.numbers import number_text
from menagerie.engines.plan import MIB
from menagerie.locales import Language, catalogue, text
from menagerie.models.failures import size_text
from menagerie.web.ticks import clock_text

NONE: Final = "–"
"""Where there is nothing to tell."""
_NO_BREAK: Final = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class When:
    """How moments are told: in which language, and in which zone."""

    language: Language
    zone: tzinfo

    def moment(self, at: float) -> str:
        """The time of day, to the minute."""
        return clock_text(at, self.language, self.zone)

    def exact(self, at: float) -> str:
        """The time of day, to the second."""
        return clock_text(at, self.language, self.zone, seconds=True)


def span_text(seconds: float, language: Language) -> str:
    """How long: `45 ms`, `1.2 s`, `12 s`, `3 min 20 s`, `2 h 5 min`, `3 d`."""
    if seconds < 0.0995:
        return number_text(seconds * 1000, language, 0, "ms")
    if seconds < 59.5:
        return number_text(seconds, language, 1 if seconds < 9.95 else 0, "s")
    for limit, unit, part, part_unit in ((3570, "min", 1, "s"), (84600, "h", 60, "min")):
        if seconds < limit:
            whole, rest = divmod(round(seconds / part), 60)
            more = f"{_NO_BREAK}{rest}{_NO_BREAK}{part_unit}" if rest else ""
            return f"{whole}{_NO_BREAK}{unit}{more}"
    return number_text(seconds / 86400, language, 0, "d" if language == "en" else "j")


def memory_text(mib: int | None, language: Language) -> str:
    """A size given in MiB: `1.2 GB`, `1,2 Go`; a dash for None."""
    return NONE if mib is None else size_text(mib * MIB, language)


def share_text(part: float, whole: float, language: Language) -> str:
    """`98%`, `98 %`; a dash where there is no whole."""
    if not whole:
        return NONE
    told = number_text(100 * part / whole, language)
    return f"{told}%" if language == "en" else f"{told}{_NO_BREAK}%"


def device_title(name: str, language: Language) -> str:
    """`ram` and `gpu0` in words; another name as it is."""
    if name == "ram":
        return text("page.stats.device.ram", language)
    if name.startswith("gpu") and name[3:].isdecimal():
        return text("page.stats.device.gpu", language, number=int(name[3:]) + 1)
    return name


def kind_text(kind: str, language: Language) -> str:
    """What an engine computes, in words; an unknown kind as it is."""
    return catalogue(language).get(f"page.stats.kind.{kind}", kind)


def failure_text(code: str, language: Language) -> str:
    """What a failure's code means for an engine."""
    texts = catalogue(language)
    return texts.get(f"page.stats.failure.{code}", texts["page.stats.failure.other"])
