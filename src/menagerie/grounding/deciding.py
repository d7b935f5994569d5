"""What is looked up, where, and with which words: decided by a model under a schema, and checked.

A small model invents what it is not held to. So its places are those of a list, its question and its terms count only
where they have words of the conversation, and without a model the person's own words are the terms.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

from menagerie.core.languages import OTHER
from menagerie.core.messages import Message
from menagerie.grounding.analysis import folded_text, language_of_text, words_of
from menagerie.grounding.source import Option
from menagerie.locales import LANGUAGES, Language, text

Ask = Callable[[Sequence[Message], object], Awaitable[Mapping[str, Any] | None]]
"""Has a model answer messages under a JSON Schema; None where it could not."""

LONGEST_QUESTION: Final = 400
LONGEST_TERMS: Final = 120
_MOST_SHOWN: Final = 2_000
_FEWEST_KEPT: Final = 2
_FEWEST_WORDS: Final = 3
"""Words up to which a question in the middle of a conversation is taken to need what was said before."""
_LAST_MESSAGES: Final = 4


_GOES_ON: Final[dict[Language, re.Pattern[str]]] = {
    "en": re.compile(
        r"^\W*(?:and|but|so|what about|how about)\b|\b(?:it|its|they|them|their|that|this|those|these|then)\b",
        re.IGNORECASE,
    ),
    "fr": re.compile(
        r"^\W*(?:et|mais|alors|qu'en)\b|\b(?:cela|ça|celui|celle|ceux|celles|ils|elles|elle|lui|leur|cette|ces)\b",
        re.IGNORECASE,
    ),
}
"""What a question has that goes on from what was said before."""


class Decision(msgspec.Struct, frozen=True):
    """What is to be looked for, in which language; `chosen` is one of the places that were offered, or nothing."""

    question: str
    terms: str
    language: Language
    chosen: str = ""


async def decide(
    ask: Ask,
    prompt: str,
    history: Sequence[Message],
    language: Language,
    options: Sequence[Option] = (),
) -> Decision:
    """What to look up for `prompt`, said after `history`; at one of `options`, or at none of them.

    The terms leave the machine. So they are words of the person's, never of an answer, of what they pasted or of what
    was found, and ask for what the prompt asks for.
    """
    answer = await ask(_question(prompt, history, language, options), _schema(options)) or {}
    asked = [message.content for message in history[-_LAST_MESSAGES:] if message.role == "user"]
    said = " ".join([prompt, *asked])
    plain = plain_question(prompt, history, language)
    question = _believed(answer.get("question"), said, language)
    if not _keeps(question, plain, language):
        question = plain
    terms = _only_said(answer.get("terms"), said)
    if not _asks_for(terms, prompt, language):
        terms = terms_of(question, language)
    chosen = next((one.where for one in options if one.where == answer.get("look_up")), "")
    return Decision(
        question=question[:LONGEST_QUESTION],
        terms=terms[:LONGEST_TERMS],
        language=_language(answer.get("language"), f"{question} {terms}", language),
        chosen=chosen,
    )


def undecided(prompt: str, history: Sequence[Message], language: Language) -> Decision:
    """What to look up without asking a model."""
    question = plain_question(prompt, history, language)
    return Decision(question[:LONGEST_QUESTION], terms_of(question, language), language)


def plain_question(prompt: str, history: Sequence[Message], language: Language) -> str:
    """The question as far as it stands alone without a model: what is short and has little in it goes with what was
    asked before."""
    words = len(set(words_of(prompt, language)))
    goes_on = bool(_GOES_ON[language].search(prompt))
    if words > _FEWEST_WORDS or (words > 1 and not goes_on):
        return prompt
    before = next((message.content for message in reversed(history) if message.role == "user"), "")
    return f"{before}\n{prompt}".strip()


def terms_of(question: str, language: Language) -> str:
    """The words of a question that a search engine wants, as the person wrote them."""
    kept: list[str] = []
    room = LONGEST_TERMS
    for word in question[:_MOST_SHOWN].split():
        if words_of(word, language):
            room -= len(word) + 1
            if room < 0:
                break
            kept.append(word)
    return (" ".join(kept) or question[:LONGEST_TERMS]).strip(" ?!.,;:«»\"'\n")


def _question(
    prompt: str, history: Sequence[Message], language: Language, options: Sequence[Option]
) -> list[Message]:
    said = "\n".join(
        text(f"prompt.decide.{message.role}", language, text=message.content[:_MOST_SHOWN])
        for message in history[-_LAST_MESSAGES:]
        if message.role in {"user", "assistant"}
    )
    places = "\n".join(f"- {option.where}: {option.about}" for option in options)
    parts = [
        text("prompt.decide.before", language, said=said) if said else "",
        text("prompt.decide.user", language, text=prompt[:_MOST_SHOWN]),
        text("prompt.decide.places", language, places=places) if places else "",
        text("prompt.decide", language),
    ]
    return [Message("user", "\n\n".join(part for part in parts if part))]


def _schema(options: Sequence[Option]) -> object:
    properties: dict[str, object] = {
        "question": {"type": "string", "minLength": 1, "maxLength": LONGEST_QUESTION},
        "terms": {"type": "string", "minLength": 1, "maxLength": LONGEST_TERMS},
        "language": {"enum": list(LANGUAGES)},
    }
    if options:
        properties["look_up"] = {"enum": [*(option.where for option in options), None]}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _language(wanted: object, written: str, language: Language) -> Language:
    """The other language only where what is to be looked for is written in it."""
    other = OTHER[language]
    return other if wanted == other and language_of_text(written) == other else language


def _only_said(written: object, said: str) -> str:
    """What a model wrote, if all of its words were said."""
    if not isinstance(written, str):
        return ""
    heard = {word for one in LANGUAGES for word in words_of(said, one)}
    words = [{stem for one in LANGUAGES for stem in words_of(word, one)} for word in written.split()]
    return " ".join(written.split()) if all(stems & heard for stems in words if stems) else ""


def _asks_for(terms: str, prompt: str, language: Language) -> bool:
    """Whether the terms have a word of the prompt, where that has words that say something."""
    wanted = {word for one in LANGUAGES for word in words_of(prompt, one)}
    return bool(terms) and (
        not set(words_of(prompt, language))
        or bool(wanted & {word for one in LANGUAGES for word in words_of(terms, one)})
    )


def _keeps(question: str, plain: str, language: Language) -> bool:
    """Whether a question still asks for what the person's words do: at least a third of them are in it."""
    wanted = {word for one in LANGUAGES for word in words_of(plain, one)}
    kept = {word for one in LANGUAGES for word in words_of(question, one)} & wanted
    return len(set(words_of(question, language))) >= _FEWEST_KEPT and len(kept) * 3 >= len(wanted)


def _believed(written: object, said: str, language: Language) -> str:
    """What a model wrote, if at least half of its words were said: in either language, since it may translate."""
    if not isinstance(written, str) or not written.strip():
        return ""
    heard = {word for one in LANGUAGES for word in words_of(said, one)}
    folded = folded_text(said)
    words = set(words_of(written, language)) | set(words_of(written, OTHER[language]))
    known = sum(word in heard or word in folded for word in words)
    return " ".join(written.split()) if words and known * 2 >= len(words) else ""
