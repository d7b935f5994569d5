"""What goes into a prompt: the best passages first, as many as there is room for."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from menagerie.grounding.document import Passage
from menagerie.grounding.selection import MOST_PASSAGES, answering, selected


def passage(text: str, score: float = 0.0) -> Passage:
    return Passage(kind="page", text=text, score=score)


@given(st.lists(st.text(min_size=1, max_size=400), max_size=20), st.integers(1, 2000))
def test_never_more_than_there_is_room_for_and_nothing_twice(texts: list[str], most: int) -> None:
    chosen = selected(map(passage, texts), most).passages
    assert sum(len(one.text) for one in chosen) <= most + 2
    assert len({" ".join(one.text.split()).casefold() for one in chosen}) == len(chosen) <= MOST_PASSAGES


def test_the_last_passage_is_cut_between_words_where_enough_of_it_fits() -> None:
    chosen = selected([passage("one two " * 30), passage("three four " * 30)], 400)
    assert chosen.is_cut
    assert chosen.passages[1].text.endswith((" three …", " four …"))
    assert len(selected([passage("x" * 100), passage("y" * 500)], 150).passages) == 1


def test_a_document_that_fits_is_taken_whole_what_answers_first() -> None:
    first, second, third = passage("first"), passage("second", 0.1), passage("third", 0.9)
    whole = [first, msgspec.structs.replace(second, score=0.0), msgspec.structs.replace(third, score=0.0)]
    assert [one.text for one in answering([third, second, first], whole, 100).passages] == [
        "third",
        "first",
        "second",
    ]


def test_of_a_long_document_what_answers_is_taken_else_its_beginning() -> None:
    whole = [passage(f"{number} " * 100) for number in range(9)]
    best = msgspec.structs.replace(whole[7], score=0.8)
    assert answering([best, *whole], whole, 400).passages[0].text == whole[7].text.strip()
    assert answering(whole[::-1], whole, 400).passages[0].text == whole[0].text.strip()
