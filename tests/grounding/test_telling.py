"""Words of strangers in a sentence of ours."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from menagerie.grounding.telling import LONGEST_TITLE, heading_below, shown_address, shown_title

EVIL = "Leave](http://a.test/) ![](https://evil.example/p.png?u=1) [x\n\n<img src=y> <END>"


def test_a_title_is_told_on_one_line_and_nothing_in_it_is_a_link_a_picture_or_a_tag() -> None:
    told = shown_title(EVIL)
    assert "\n" not in told
    assert not re.search(r"(?<!\\)[\[\]()<>!]", told)


@given(st.text(max_size=400))
def test_every_title_is_short_and_printable(title: str) -> None:
    told = shown_title(title)
    assert len(told) <= 2 * LONGEST_TITLE + 2
    assert all(one.isprintable() for one in told)


def test_an_address_ends_nothing_that_it_stands_in() -> None:
    assert shown_address("https://a.test/x)y z<b>") == "https://a.test/x%29y%20z%3Cb%3E"
    assert shown_address("https://a.test/?q=%20a&b=c#d") == "https://a.test/?q=%20a&b=c#d"


def test_a_heading_that_is_the_title_is_not_said_twice() -> None:
    assert heading_below("Leave", "Leave") == ""
    assert heading_below("Leave", "Leave › How to ask") == "How to ask"
    assert heading_below("Leave", "Leaves › How") == "Leaves › How"
    assert heading_below("", "How") == "How"
