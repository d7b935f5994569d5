"""Whether a passage supports a sentence: by its words and its numbers."""

from __future__ import annotations

import pytest

from menagerie.grounding.document import Passage
from menagerie.grounding.support import Claim, Evidence, numbers_of

RULE = Passage(
    kind="facts", text="A request is filed 30 days before the leave, at most 1,200 dollars.", language="en"
)


@pytest.mark.parametrize(
    ("sentence", "verdict"),
    [
        ("Requests for leave are filed 30 days before.", "supported"),
        ("Requests for leave are filed 31 days before.", "unsupported"),
        ("At most 1 200 dollars for the leave request.", "supported"),
        ("The lighthouse keeper paints boats in summer.", "unsupported"),
        ("Yes.", "unknown"),
    ],
)
def test_a_sentence_is_supported_by_what_says_the_same(sentence: str, verdict: str) -> None:
    assert Evidence([RULE], "en").verdict(Claim(sentence, "en"), 0) == verdict


def test_words_of_another_language_cannot_be_judged_but_numbers_can() -> None:
    evidence = Evidence([RULE], "fr")
    assert evidence.verdict(Claim("La demande se fait 30 jours avant le congé.", "fr"), 0) == "unknown"
    assert evidence.verdict(Claim("La demande se fait 40 jours avant le congé.", "fr"), 0) == "unsupported"


def test_numbers_are_the_same_however_they_are_grouped() -> None:
    assert numbers_of("1,200") & numbers_of("1 200") & numbers_of("1\u00a0200") == {"1200", "1", "200"}
