"""Passages that were just fetched, by how well they answer a question."""

from __future__ import annotations

from menagerie.grounding.document import Passage
from menagerie.grounding.ranking import ranked
from menagerie.locales import Language


def passage(text: str, language: Language = "en", *, heading: str = "", title: str = "") -> Passage:
    return Passage(kind="page", text=text, language=language, heading=heading, title=title)


FEES = passage("A passport that is good for ten years costs 160 dollars.", heading="Fees")
PHOTOS = passage("Two photos of the applicant go with each application for a passport.")
LOST = passage("Tell the police when your passport is lost or stolen.")
HOURS = passage("Our offices are open from nine to five, Monday to Friday.")
ALL = [HOURS, LOST, PHOTOS, FEES]


def test_the_passage_with_the_rarest_words_of_the_question_is_first() -> None:
    found = ranked("Is my passport stolen?", ALL, "en")
    assert next(one.text for one in found) == LOST.text
    assert found[-1].text == HOURS.text
    assert found[-1].score == 0
    assert sorted((one.score for one in found), reverse=True) == [one.score for one in found]


def test_a_score_tells_whether_a_question_is_answered_at_all() -> None:
    assert ranked("What does a passport cost?", ALL, "en")[0].score > 0.5
    assert ranked("How much tax do cats pay on a passport?", ALL, "en")[0].score < 0.25


def test_the_heading_counts_too() -> None:
    assert ranked("fees", ALL, "en")[0].text == FEES.text


def test_each_passage_is_read_in_its_own_language() -> None:
    french = passage("Les passeports volés sont signalés à la police.", "fr")
    assert ranked("Que faire d’un passeport volé ?", [*ALL, french], "fr")[0].text == french.text
    found = ranked("Is there a fee in Toronto?", [passage("À Toronto, c’est gratuit.", "fr"), HOURS], "en")
    assert found[0].language == "fr"
    assert found[0].score > 0


def test_of_a_question_without_words_nothing_is_an_answer_and_the_order_stays() -> None:
    for question in ("", "What is it?", "???"):
        found = ranked(question, ALL, "en")
        assert [one.text for one in found] == [one.text for one in ALL]
        assert {one.score for one in found} == {0}
    assert ranked("passport", [], "en") == []
