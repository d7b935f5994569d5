"""Documents become passages: nothing is lost, none is too long, none crosses a heading, tables keep their headers."""

from __future__ import annotations

import re
import time
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.grounding.chunking import LONGEST, SHORTEST, passages_of
from menagerie.grounding.document import Document, Part, Passage

SENTENCE = "The lock opens at nine and closes at six."
WORDS = st.text(alphabet="ab .!?«»\"'|\n\t-#ÉÀ0€\U0001f600", max_size=400)
PARTS = st.builds(
    Part,
    st.one_of(
        WORDS, st.integers(0, 80).map(lambda n: f"{SENTENCE} " * n), st.integers(0, 4000).map("x".__mul__)
    ),
    st.lists(st.sampled_from(["Fees", "Camping", "Boats"]), max_size=3).map(tuple),
    st.integers(0, 3),
)


def passages(*parts: Part, longest: int = LONGEST) -> list[Passage]:
    return list(passages_of(Document(title="Guide", language="en", parts=parts), "document", longest))


def texts(*parts: Part, longest: int = LONGEST) -> list[str]:
    return [passage.text for passage in passages(*parts, longest=longest)]


def letters(text: str) -> str:
    return "".join(text.split())


@given(st.lists(PARTS, max_size=8), st.integers(40, 1500))
def test_nothing_is_lost_no_passage_is_too_long_and_the_order_is_kept(
    parts: list[Part], longest: int
) -> None:
    tables_apart = [part for part in parts if "|" not in part.text]
    found = passages(*tables_apart, longest=longest)
    assert letters("".join(one.text for one in found)) == letters("".join(part.text for part in tables_apart))
    for passage in passages(*parts, longest=longest):
        assert 0 < len(passage.text) <= longest
        assert passage.text.strip()


@given(st.lists(PARTS, max_size=8))
def test_the_same_document_gives_the_same_passages(parts: list[Part]) -> None:
    assert passages(*parts) == passages(*parts)


@given(st.lists(st.tuples(st.text("abc", max_size=90), st.integers(0, 10**6)), min_size=1, max_size=90))
def test_of_a_table_every_row_is_whole_and_under_the_header(rows: list[tuple[str, int]]) -> None:
    header = "| Place | Fee |\n| --- | --- |"
    lines = [f"| {name} | {fee} |" for name, fee in rows]
    found = texts(Part(header + "\n" + "\n".join(lines)), longest=300)
    assert all(text.startswith(header) for text in found)
    assert [line for text in found for line in text.split("\n")[2:]] == lines


def test_a_passage_knows_where_it_stands() -> None:
    part = Part(SENTENCE * 10, ("Guide", "Fees"), 3)
    assert passages(part) == [
        Passage(kind="document", text=part.text, title="Guide", heading="Guide › Fees", page=3, language="en")
    ]


def test_no_passage_goes_across_headings_or_pages() -> None:
    parts = [Part(f"{SENTENCE} " * 6, (name,), page) for name, page in (("a", 1), ("a", 2), ("b", 2))]
    assert [(one.heading, one.page) for one in passages(*parts)] == [("a", 1), ("a", 2), ("b", 2)]


def test_tiny_parts_under_one_heading_go_together() -> None:
    parts = [Part(f"{name}\n\nText.", ("Guide", name), 1) for name in "abc"]
    assert [
        (one.heading, one.page, one.text) for one in passages(*parts, Part("d\n\nText.", ("Other",), 1))
    ] == [
        ("Guide", 1, "a\n\nText.\n\nb\n\nText.\n\nc\n\nText."),
        ("Other", 1, "d\n\nText."),
    ]


def test_tiny_pages_stay_apart_so_that_each_passage_tells_its_own_page() -> None:
    parts = [Part("The fee is 12 dollars.", (), 1), Part("The lock opens at nine.", (), 2)]
    assert [(one.page, one.text) for one in passages(*parts)] == [(part.page, part.text) for part in parts]


def test_passages_are_whole_sentences() -> None:
    text = " ".join(
        f"Sentence {number} of Mr. Roy says that no. 5 costs 2.50 dollars." for number in range(100)
    )
    found = texts(Part(text))
    assert all(one.startswith("Sentence ") and one.endswith("dollars.") for one in found)
    assert all(len(one) > LONGEST - 2 * SHORTEST for one in found[:-1])


def test_passages_of_a_list_are_whole_items() -> None:
    items = [f"- Item {number} of the list, which says something about locks" for number in range(60)]
    found = texts(Part("\n".join(items)))
    assert [line for one in found for line in one.split("\n")] == items
    assert len(found) < 6


def test_a_table_goes_with_the_words_before_it_where_both_have_room() -> None:
    table = "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert texts(Part(f"What it costs:\n\n{table}")) == [f"What it costs:\n\n{table}"]


@pytest.mark.parametrize(
    "text",
    [
        "x" * 1_000_000,
        "x. " * 330_000,
        "| " * 500_000,
        "|x|\n" * 250_000,
        "| a |\n|" + " " * 1_000_000 + "x\n| b |",
        "\n" * 1_000_000,
        " \n" * 500_000,
        "A. " * 330_000,
        '."' * 500_000,
        "«" * 1_000_000,
        "a" + " " * 1_000_000 + "b",
        "." + ")" * 1_000_000,
    ],
    ids=lambda text: re.sub(r"\s", "_", text[:4]),
)
def test_a_megabyte_of_anything_is_cut_in_time(text: str) -> None:
    began = time.perf_counter()
    found = texts(Part(text))
    assert time.perf_counter() - began < 2
    assert all(len(one) <= LONGEST for one in found)


def test_very_many_tiny_parts_are_gathered_in_time() -> None:
    parts = [Part("x", ("a", str(number))) for number in range(100_000)]
    began = time.perf_counter()
    found = passages(*parts)
    assert time.perf_counter() - began < 3
    assert [len(list(group)) for _, group in groupby(one.heading for one in found)] == [len(found)]
