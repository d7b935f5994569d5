"""What is looked up: chosen by a model under a schema, and believed only as far as it keeps to what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jsonschema
import pytest

from menagerie.core.messages import Message
from menagerie.grounding.deciding import Ask, decide, plain_question, terms_of, undecided
from menagerie.grounding.source import Option

PLACES = (Option("canada.ca", "The sites of the government"), Option("wikipedia.org", "An encyclopedia"))
SAID = (Message("user", "How long is parental leave?"), Message("assistant", "It is 63 weeks."))


def answering(answer: Mapping[str, Any] | None) -> Ask:
    """A model that answers this, which has to meet the schema."""

    async def ask(_messages: Sequence[Message], schema: object) -> Mapping[str, Any] | None:
        if answer is not None:
            jsonschema.validate(answer, schema)  # type: ignore[arg-type]
        return answer

    return ask


async def test_a_model_writes_the_question_the_terms_and_the_place() -> None:
    answer = {
        "question": "Is parental leave paid?",
        "terms": "parental leave paid",
        "language": "en",
        "look_up": "canada.ca",
    }
    decision = await decide(answering(answer), "And is it paid?", SAID, "en", PLACES)
    assert (decision.question, decision.terms) == ("Is parental leave paid?", "parental leave paid")
    assert decision.chosen == "canada.ca"


async def test_what_a_model_invents_is_not_looked_up() -> None:
    answer = {
        "question": "Who won the hockey game yesterday evening?",
        "terms": "hockey scores",
        "language": "fr",
        "look_up": None,
    }
    decision = await decide(answering(answer), "And is it paid?", SAID, "en", PLACES)
    assert "parental leave" in decision.question
    assert "hockey" not in decision.terms
    assert (decision.language, decision.chosen) == ("en", "")


async def test_what_leaves_the_machine_are_words_of_the_persons_and_ask_for_what_they_ask() -> None:
    before = (
        Message("user", "Summarize this text."),
        Message("assistant", "Tremblay is under investigation for fraud."),
    )
    for terms in ("Tremblay investigation fraud", "summarize text", "renew fraud"):
        answer = {"question": "How do I renew my passport?", "terms": terms, "language": "en"}
        decision = await decide(answering(answer), "How do I renew my passport?", before, "en")
        assert decision.terms in {"renew passport", "renew my passport"}, terms


async def test_the_other_language_is_searched_where_the_question_is_put_in_it() -> None:
    answer = {
        "question": "Quelle est la durée du congé parental pour les employés?",
        "terms": "durée du congé parental",
        "language": "fr",
    }
    prompt = "En français : quelle est la durée du congé parental pour les employés?"
    assert (await decide(answering(answer), prompt, (), "en")).language == "fr"


async def test_without_an_answer_of_a_model_the_words_of_the_person_are_looked_up() -> None:
    decision = await decide(answering(None), "What are the rules on telework?", (), "en", PLACES)
    assert decision.question == "What are the rules on telework?"
    assert decision.terms == "rules telework"
    assert decision.chosen == ""
    assert undecided("What are the rules on telework?", (), "en").terms == "rules telework"


@pytest.mark.parametrize(
    ("prompt", "question"),
    [
        ("And is it paid?", "How long is parental leave?\nAnd is it paid?"),
        ("How many days of sick leave does an employee get?", None),
        ("Where is a badge worn?", None),
        ("How is that paid out?", "How long is parental leave?\nHow is that paid out?"),
    ],
)
def test_a_short_question_goes_with_what_was_asked_before(prompt: str, question: str | None) -> None:
    assert plain_question(prompt, SAID, "en") == (question or prompt)
    assert plain_question(prompt, (), "en") == prompt


def test_terms_are_the_words_that_say_something() -> None:
    assert terms_of("Quels sont les congés auxquels j'ai droit?", "fr") == "congés auxquels droit"
    assert terms_of("", "en") == ""
    assert terms_of("When?", "en") == "When"
    assert len(terms_of("word " * 1000, "en")) <= 120
