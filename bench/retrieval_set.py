"""Public-service texts of an invented department, questions on them, and how well a search finds the passages.

`bench/grounding/documents/*.md` are the texts, `bench/grounding/questions.jsonl` the questions, each with the passages
that hold its answer. Each passage alone holds it: a text and its twin in the other language have one each.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from menagerie.grounding.analysis import words_of
from menagerie.locales import Language

FOLDER: Final = Path(__file__).parent / "grounding"
ENOUGH: Final = 0.8
"""How much of a marked passage, in one stretch, counts as having found it."""
SHARED: Final = 1 / 3
"""At most so much of the words of a paraphrase stands in its passages of the same language."""

Kind = Literal["lookup", "paraphrase", "numeric", "exception", "follow-up", "unanswerable", "cross-language"]

_LEAST_DOCUMENTS: Final = 32
_LEAST_QUESTIONS: Final = 90
_LEAST_UNANSWERABLE: Final = 18
_LEAST_OF_KIND: Final[dict[Kind, int]] = {"paraphrase": 40, "follow-up": 10, "cross-language": 12}
_LANGUAGES: Final[tuple[Language, ...]] = ("en", "fr")
_WORD: Final = re.compile(r"\w+(?:[’'-]\w+)*")
_MARKS: Final = re.compile(r"[\s|*_`#>]+")


class SetDocument(msgspec.Struct, frozen=True):
    """A text. No two have the same title; `text` is Markdown and begins with it."""

    id: str
    language: Language
    title: str
    text: str


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody asks, and where the answer stands: nowhere, where it is unanswerable."""

    id: str
    language: Language
    question: str
    documents: tuple[str, ...]
    passages: tuple[str, ...]
    answer: str
    kind: Kind
    history: tuple[str, ...] = ()
    """What was asked before, of a follow-up: without it the question is not complete."""


class RetrievalSet(msgspec.Struct, frozen=True):
    """All of it."""

    documents: tuple[SetDocument, ...]
    questions: tuple[Question, ...]


class Retrieved(msgspec.Struct, frozen=True):
    """A passage that a search gave: the id of its document, and its text."""

    document: str
    text: str


def load(folder: Path = FOLDER) -> RetrievalSet:
    """Read the set; `msgspec.ValidationError` where a line is not a question."""
    documents = [_document(path) for path in sorted((folder / "documents").glob("*.md"))]
    lines = (folder / "questions.jsonl").read_bytes().splitlines()
    questions = [msgspec.json.decode(line, type=Question) for line in lines if line.strip()]
    return RetrievalSet(tuple(documents), tuple(questions))


def _document(path: Path) -> SetDocument:
    text = path.read_text(encoding="utf-8")
    title = text.partition("\n")[0].removeprefix("# ").strip()
    return SetDocument(path.stem, "fr" if path.stem.startswith("fr-") else "en", title, text)


def found_at(ranked: Sequence[Retrieved], question: Question) -> int:
    """The rank, from 1, of the first of `ranked` that holds a marked passage; 0 where none does."""
    for rank, one in enumerate(ranked, 1):
        if one.document in question.documents and any(
            holds(one.text, marked) for marked in question.passages
        ):
            return rank
    return 0


def recall_at(k: int, ranked: Sequence[Retrieved], question: Question) -> float:
    """1 where a marked passage is among the first `k`, else 0. Of many questions, the mean is recall@k."""
    return float(found_at(ranked[:k], question) > 0)


def reciprocal_rank(ranked: Sequence[Retrieved], question: Question) -> float:
    """1 ÷ the rank of the first that holds a marked passage; 0 where none does."""
    rank = found_at(ranked, question)
    return 1 / rank if rank else 0.0


def mean_reciprocal_rank(answers: Iterable[tuple[Sequence[Retrieved], Question]]) -> float:
    """The mean of the reciprocal ranks of what was retrieved for each question; 0 where nothing was asked."""
    ranks = [reciprocal_rank(ranked, question) for ranked, question in answers]
    return sum(ranks) / len(ranks) if ranks else 0.0


def holds(text: str, marked: str) -> bool:
    """Whether `text` has at least 80 % of `marked` in one stretch, but for white space, case and Markdown."""
    text, marked = _plain(text), _plain(marked)
    least = max(1, round(ENOUGH * len(marked)))
    return any(marked[start : start + least] in text for start in range(len(marked) - least + 1))


def _plain(text: str) -> str:
    return _MARKS.sub(" ", text).replace("’", "'").casefold().strip()


def check(found: RetrievalSet) -> list[str]:
    """What is not as promised, in words; nothing where all is."""
    return [*_document_faults(found), *_question_faults(found), *_count_faults(found)]


def _document_faults(found: RetrievalSet) -> Iterator[str]:
    yield from (f"{title}: a title twice" for title in _twice(one.title for one in found.documents))
    for one in found.documents:
        if not one.id.startswith(f"{one.language}-"):
            yield f"{one.id}: neither English nor French by its name"
        if not one.text.startswith(f"# {one.title}\n"):
            yield f"{one.id}: does not begin with its title"
        if not 250 <= (words := len(_WORD.findall(one.text))) <= 600:
            yield f"{one.id}: {words} words"


def _question_faults(found: RetrievalSet) -> Iterator[str]:
    documents = {one.id: one for one in found.documents}
    yield from (f"{id_}: an id twice" for id_ in _twice(one.id for one in found.questions))
    yield from (f"{text}: asked twice" for text in _twice(one.question for one in found.questions))
    for one in found.questions:
        if not one.id.startswith(f"{one.language}-"):
            yield f"{one.id}: not of {one.language} by its name"
        if strange := set(one.documents) - set(documents):
            yield f"{one.id}: no such document: {', '.join(sorted(strange))}"
            continue
        yield from (f"{one.id}: {fault}" for fault in _faults_of(one, documents))


def _faults_of(question: Question, documents: dict[str, SetDocument]) -> Iterator[str]:
    answerable = question.kind != "unanswerable"
    if {bool(question.documents), bool(question.passages), bool(question.answer)} != {answerable}:
        yield "an answer, and where it stands, belong to all but the unanswerable"
    if bool(question.history) != (question.kind == "follow-up"):
        yield "a history belongs to follow-ups, and only to them"
    for marked in question.passages:
        if not 30 <= len(marked) <= 300 or "\n" in marked:
            yield f"not 30 to 300 characters of one line: {marked}"
        if not any(marked in documents[id_].text for id_ in question.documents):
            yield f"in none of its documents: {marked}"
    for id_ in question.documents:
        if not any(marked in documents[id_].text for marked in question.passages):
            yield f"nothing marked in {id_}"
    languages = {documents[id_].language for id_ in question.documents}
    if answerable and (question.language not in languages) != (question.kind == "cross-language"):
        yield f"asked in {question.language}, answered in {', '.join(sorted(languages))}"
    if question.kind == "paraphrase" and shared_words(question) > SHARED:
        yield f"shares {shared_words(question):.0%} of its words with what is marked"


def shared_words(question: Question) -> float:
    """How many of the words of a question stand in what is marked, from 0 to 1, by their stems in its language."""
    asked = set(words_of(question.question, question.language))
    marked = {word for text in question.passages for word in words_of(text, question.language)}
    return len(asked & marked) / len(asked) if asked else 0.0


def _count_faults(found: RetrievalSet) -> Iterator[str]:
    documents = Counter(one.language for one in found.documents)
    questions = Counter(one.language for one in found.questions)
    unanswerable = Counter(one.language for one in found.questions if one.kind == "unanswerable")
    for counted, least, what in (
        (documents, _LEAST_DOCUMENTS, "documents"),
        (questions, _LEAST_QUESTIONS, "questions"),
        (unanswerable, _LEAST_UNANSWERABLE, "unanswerable questions"),
    ):
        for language in _LANGUAGES:
            if counted[language] < least:
                yield f"{counted[language]} {what} in {language}, not {least}"
    kinds: Counter[Kind] = Counter(one.kind for one in found.questions)
    for kind, least in _LEAST_OF_KIND.items():
        if kinds[kind] < least:
            yield f"{kinds[kind]} of {kind}, not {least}"
    asked_about = {id_ for one in found.questions for id_ in one.documents}
    yield from (f"{one.id}: nobody asks about it" for one in found.documents if one.id not in asked_about)


def _twice(values: Iterable[str]) -> list[str]:
    return [value for value, times in Counter(values).items() if times > 1]
