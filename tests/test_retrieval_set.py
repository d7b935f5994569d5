"""The texts and questions for measuring retrieval: what is marked is there, and what is counted is what was found."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from bench.retrieval_set import (
    Question,
    RetrievalSet,
    Retrieved,
    SetDocument,
    check,
    found_at,
    holds,
    load,
    mean_reciprocal_rank,
    recall_at,
    reciprocal_rank,
)

MARKED = "Every teleworker works at least two days a week in an assigned office."
ASKED = Question(
    id="en-001",
    language="en",
    question="How many days?",
    documents=("en-telework", "fr-teletravail"),
    passages=(MARKED, "Toute personne passe au moins deux jours par semaine au bureau."),
    answer="Two.",
    kind="numeric",
)


@pytest.fixture(scope="module")
def whole() -> RetrievalSet:
    return load()


def _with(whole: RetrievalSet, *questions: Question) -> RetrievalSet:
    return msgspec.structs.replace(whole, questions=(*whole.questions, *questions))


def _from(whole: RetrievalSet, **changes: object) -> Question:
    """A question of the set, of one document, under another id, and with `changes`."""
    one = next(q for q in whole.questions if len(q.documents) == 1 and q.kind == "lookup")
    return msgspec.structs.replace(one, id=f"{one.language}-new", question="Something else?", **changes)


def test_the_set_is_as_promised(whole: RetrievalSet) -> None:
    assert check(whole) == []


def test_most_texts_are_no_translations_of_others(whole: RetrievalSet) -> None:
    twins = {id_ for one in whole.questions if len(one.documents) > 1 for id_ in one.documents}
    assert len(whole.documents) / 4 <= len(twins) <= len(whole.documents) / 2


def test_french_has_the_spaces_and_apostrophes_of_french(whole: RetrievalSet) -> None:
    for one in whole.documents:
        if one.language == "fr":
            assert not re.search(r" [:»%$;!?]|« |\w'\w|\s[;!?]|[^\s\d|-]:(?!//)", one.text), one.id


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"passages": ("Nobody has ever written this sentence.",)}, "in none of its documents"),
        ({"passages": ("two days",)}, "not 30 to 300 characters"),
        ({"documents": ("en-nowhere",)}, "no such document: en-nowhere"),
        ({"kind": "unanswerable"}, "all but the unanswerable"),
        ({"answer": ""}, "all but the unanswerable"),
        ({"kind": "follow-up"}, "a history belongs to follow-ups"),
        ({"kind": "cross-language"}, "asked in"),
    ],
)
def test_a_faulty_question_is_told(whole: RetrievalSet, changes: dict[str, object], fault: str) -> None:
    (told,) = {one for one in check(_with(whole, _from(whole, **changes))) if fault in one}
    assert told.split(":")[0].endswith("-new")


def test_a_paraphrase_that_repeats_the_passage_is_told(whole: RetrievalSet) -> None:
    one = next(q for q in whole.questions if len(q.documents) == 1 and q.kind == "lookup")
    repeats = msgspec.structs.replace(
        one, id=f"{one.language}-new", question=one.passages[0], kind="paraphrase"
    )
    assert any("shares 100%" in told for told in check(_with(whole, repeats)))


def test_doubles_are_told(whole: RetrievalSet) -> None:
    told = check(_with(whole, whole.questions[0]))
    assert told == [f"{whole.questions[0].id}: an id twice", f"{whole.questions[0].question}: asked twice"]


def test_what_is_too_little_is_told(whole: RetrievalSet) -> None:
    half = RetrievalSet(whole.documents[:34], whole.questions[:5])
    told = check(half)
    assert "0 documents in fr, not 32" in told
    assert any("unanswerable questions in en, not 18" in one for one in told)


def test_a_text_that_is_too_short_or_untitled_is_told(whole: RetrievalSet) -> None:
    short = SetDocument("de-short", "en", "Short", "Not long.")
    told = check(msgspec.structs.replace(whole, documents=(*whole.documents, short)))
    assert [one for one in told if one.startswith("de-short")] == [
        "de-short: neither English nor French by its name",
        "de-short: does not begin with its title",
        "de-short: 2 words",
        "de-short: nobody asks about it",
    ]


def test_a_line_that_is_no_question_is_refused(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "questions.jsonl").write_text('{"id": "en-001", "kind": "riddle"}\n')
    with pytest.raises(msgspec.ValidationError):
        load(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        MARKED,
        f"Before.\n\n{MARKED} After.",
        MARKED.replace(" ", "\n", 3).upper(),
        f"- **{MARKED}**",
        MARKED[:-10],
        MARKED[10:],
        "Every teleworker works at\u00a0least two days a week in an assigned office.",
    ],
)
def test_a_passage_is_found_whole_or_nearly(text: str) -> None:
    assert holds(text, MARKED)


@pytest.mark.parametrize(
    "text", ["", MARKED[:40], MARKED[30:], MARKED.replace("two", "three"), " ".join(reversed(MARKED.split()))]
)
def test_half_of_a_passage_or_another_number_is_not_it(text: str) -> None:
    assert not holds(text, MARKED)


def test_a_row_of_a_table_is_found_without_its_lines() -> None:
    assert holds("Floors Stairway\n4 to 6  B  Tide Garden", "| 4 to 6 | B | Tide Garden |")
    assert holds("l'étage", "l’étage")


def test_the_same_words_in_another_document_do_not_count() -> None:
    assert found_at([Retrieved("en-other", MARKED), Retrieved("en-telework", MARKED)], ASKED) == 2


def test_either_twin_answers() -> None:
    ranked = [Retrieved("fr-teletravail", ASKED.passages[1])]
    assert found_at(ranked, ASKED) == 1


def test_recall_looks_at_the_first_k_only() -> None:
    ranked = [*[Retrieved("en-telework", "Something else.")] * 3, Retrieved("en-telework", MARKED)]
    assert [recall_at(k, ranked, ASKED) for k in (1, 3, 4, 5)] == [0.0, 0.0, 1.0, 1.0]
    assert recall_at(5, [], ASKED) == 0.0


def test_the_mean_reciprocal_rank() -> None:
    missed, hit = Retrieved("en-telework", "Something else."), Retrieved("en-telework", MARKED)
    assert reciprocal_rank([missed, hit, hit], ASKED) == 0.5
    assert mean_reciprocal_rank([([hit], ASKED), ([missed, hit], ASKED), ([missed], ASKED)]) == 0.5
    assert mean_reciprocal_rank([]) == 0.0
