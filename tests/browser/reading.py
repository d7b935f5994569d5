"""All that a page says, to the eye or to a screen reader, that is marked as being in its language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from playwright.sync_api import Page

from menagerie.locales import Language, catalogue
from tests.locales.test_catalogues import NARROW, NO_BREAK, prose

_COLLECT: Final = """language => {
  const said = [];
  const SPOKEN = ['alt', 'title', 'aria-label', 'aria-description', 'aria-roledescription', 'aria-valuetext',
    'placeholder', 'label'];
  const CODE = 'code, pre, kbd, samp, math, [translate=no]';
  const read = (node, ours) => {
    if (node.nodeType === Node.TEXT_NODE) {
      if (ours && node.data.trim()) said.push(node.data.replace(/[ \\t\\n]+/g, ' ').trim());
      return;
    }
    if (node.nodeType === Node.ELEMENT_NODE) {
      if (node.matches('script, style, noscript') || node.matches(CODE)) return;
      const lang = node.getAttribute('lang');
      if (lang !== null) ours = lang === '' ? false : lang.slice(0, 2) === language;
      if (ours) for (const name of SPOKEN) {
        const value = node.getAttribute(name);
        if (value?.trim()) said.push(value.replace(/[ \\t\\n]+/g, ' ').trim());
      }
      if (node.shadowRoot) read(node.shadowRoot, ours);
      if (node instanceof HTMLTemplateElement) read(node.content, ours);
    }
    for (const child of node.childNodes) read(child, ours);
  };
  read(document.documentElement, false);
  return said;
}"""
"""Also what is hidden at the moment or waits in a template: it will be seen."""

ENGLISH: Final = re.compile(
    r"\b(?:the|and|of|is|are|was|were|with|your|you|this|that|these|from|it|its|has|have|will|not|which|what|when)\b",
    re.IGNORECASE,
)
FRENCH: Final = re.compile(
    r"\b(?:le|la|les|des|du|est|sont|avec|votre|vos|vous|ce|cette|ces|dans|qui|que|pour|une|et|ne|pas)\b",
    re.IGNORECASE,
)
_MONTHS: Final = {
    "en": "January|February|April|June|July|August|September|October|November|December|Monday|Tuesday|Wednesday"
    "|Thursday|Friday|Saturday|Sunday",
    "fr": "janvier|février|avril|juin|juillet|août|septembre|octobre|novembre|décembre|lundi|mardi|mercredi|jeudi"
    "|vendredi|samedi|dimanche",
}
_NUMBERED: Final = re.compile(
    r"WCAG \d\.\d|\b[\w-]*[A-Za-z][\w.-]*\d[\w.-]*|\d+(?:\.\d+){2,}(?::\d+)?|https?://\S+"
)
"""What has digits and is no number: standards, names of models and files, versions, addresses."""


def said_on(page: Page, language: Language) -> list[str]:
    """Every text and every name of a part, with white space as it is shown."""
    said: list[str] = page.evaluate(_COLLECT, language)
    return said


def is_of_the_other_language(said: str, language: Language) -> bool:
    """Whether a text that should be in `language` is one of the other catalogue, or reads like the other language."""
    theirs, ours = (ENGLISH, FRENCH) if language == "fr" else (FRENCH, ENGLISH)
    words = len(set(map(str.lower, theirs.findall(said))))
    return _is_from_catalogue_of("en" if language == "fr" else "fr", said) or (
        words >= 2 and words > len(set(map(str.lower, ours.findall(said))))
    )


@cache
def _catalogue_of(language: Language) -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Texts of more than two words that only this language has: whole ones, and those with something to fill in."""
    others = set(catalogue("fr" if language == "en" else "en").values())
    own = {one for one in catalogue(language).values() if one not in others and len(prose(one).split()) > 2}
    filled = (one for one in own if "{" in one and len(re.sub(r"\{\w*\}", "", one).split()) > 2)
    patterns = (re.sub(r"\\\{\w*\\\}", ".+", re.escape(one)) for one in filled)
    return frozenset(own), tuple(re.compile(one) for one in patterns)


def _is_from_catalogue_of(language: Language, said: str) -> bool:
    whole, patterns = _catalogue_of(language)
    return said in whole or any(pattern.fullmatch(said) for pattern in patterns)


def wrongly_set(said: str, language: Language) -> Iterator[str]:
    """What is wrong with the signs, numbers and dates of a text, as `language` writes them in Canada."""
    plain = _NUMBERED.sub("x", said)
    other = "en" if language == "fr" else "fr"
    if re.search(rf"\b\d*\s?(?:{_MONTHS[other]})\b", plain):
        yield "a date of the other language"
    if language == "fr":
        text = prose(plain)
        if re.search(rf"\w[^{NO_BREAK}\w)»…]?:(?=\s|$)|\w :", text) and not re.search(rf"{NO_BREAK}:", text):
            yield "no no-break space before a colon"
        if re.search(rf"«(?!{NO_BREAK})|(?<!{NO_BREAK})»", text):
            yield "no no-break space inside « »"
        if re.search(rf"\w[\s{NO_BREAK}{NARROW}][;!?](?=\s|$)", text):
            yield "a space before ; ! ?"
        if re.search(r"\w'\w", text):
            yield "a straight apostrophe"
        if re.search(r"(?<![\d.,])\d+\.\d+(?![\d.])", plain):
            yield "a decimal point"
        if re.search(r"(?<![\d,])[1-9]\d{0,2}(?:,\d{3})+(?![\d,])", plain):
            yield "commas between thousands"
        if re.search(r"\d\s?(?:a\.?m\.?|p\.?m\.?)\b", plain, re.IGNORECASE):
            yield "a time of twelve hours"
    elif re.search(rf"\d[{NO_BREAK}{NARROW}]\d{{3}}\b|\d,\d{{1,2}}\b(?!,)", plain):
        yield "a number as French writes it"
