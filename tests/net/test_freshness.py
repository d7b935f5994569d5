"""How long a response may be used again, by the rules of HTTP."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.net.freshness import (
    HEURISTIC_MOST,
    PERMANENT,
    STALE_MOST,
    Freshness,
    directives_of,
    freshness_of,
)

NOW = 1_700_000_000.0
HOUR, DAY = 3600.0, 86_400.0


def date(seconds: float) -> str:
    """A date as HTTP writes it, so many seconds from now."""
    return formatdate(NOW + seconds, usegmt=True)


def fresh(headers: dict[str, str], status: int = 200, asked: float = NOW) -> Freshness | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return freshness_of(status, named, asked=asked, came=NOW)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0),
        ({"cache_control": "max-age=60"}, 60),
        ({"cache_control": "public, Max-Age = 60"}, 60),
        ({"cache_control": 'max-age="60"'}, 60),
        ({"cache_control": "max-age=60, max-age=90"}, 60),
        ({"cache_control": "max-age=-1"}, 0),
        ({"cache_control": "max-age=soon"}, 0),
        ({"cache_control": "max-age="}, 0),
        ({"cache_control": "private, max-age=60"}, 60),
        ({"cache_control": "s-maxage=60"}, 0),
        ({"cache_control": "max-age=60, s-maxage=5"}, 60),
        ({"cache_control": "no-cache, max-age=60"}, 0),
        ({"cache_control": 'no-cache="set-cookie", max-age=60'}, 0),
        ({"cache_control": "max-age=60", "expires": date(HOUR)}, 60),
        ({"expires": date(HOUR)}, HOUR),
        ({"expires": date(HOUR), "date": date(-HOUR)}, 2 * HOUR),
        ({"expires": date(-HOUR)}, 0),
        ({"expires": "0"}, 0),
        ({"expires": "-1", "last_modified": date(-10 * DAY)}, 0),
        ({"last_modified": date(-10 * HOUR)}, HOUR),
        ({"last_modified": date(-100 * DAY)}, HEURISTIC_MOST),
        ({"last_modified": date(HOUR)}, 0),
        ({"last_modified": "yesterday"}, 0),
        ({"last_modified": date(-10 * HOUR), "cache_control": "max-age=60"}, 60),
        ({"etag": '"a"'}, 0),
    ],
)
def test_how_long_a_page_is_fresh(headers: dict[str, str], seconds: float) -> None:
    found = fresh(headers)
    assert found is not None
    assert found.lifetime == pytest.approx(seconds, abs=0.01)


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (301, {}, PERMANENT),
        (308, {}, PERMANENT),
        (301, {"cache_control": "max-age=5"}, 5),
        (302, {"cache_control": "max-age=5"}, 5),
        (307, {"expires": date(5)}, 5),
        (203, {"cache_control": "max-age=5"}, 5),
        (302, {}, None),
        (302, {"last_modified": date(-DAY)}, None),
        (303, {"cache_control": "max-age=5"}, None),
        (404, {"cache_control": "max-age=5"}, None),
        (500, {"cache_control": "max-age=5"}, None),
        (206, {"cache_control": "max-age=5"}, None),
        (200, {"cache_control": "no-store"}, None),
        (200, {"cache_control": "max-age=5, NO-STORE"}, None),
        (200, {"cache_control": "max-age=5", "vary": "*"}, None),
        (200, {"cache_control": "max-age=5", "vary": "Accept-Encoding, *"}, None),
        (200, {"cache_control": "max-age=5", "vary": "Accept-Encoding, Cookie"}, 5),
    ],
)
def test_what_is_kept_at_all(status: int, headers: dict[str, str], seconds: float | None) -> None:
    found = fresh(headers, status)
    assert (found and found.lifetime) == seconds


@pytest.mark.parametrize(
    ("headers", "took", "age"),
    [
        ({}, 0, 0),
        ({"age": "50"}, 0, 50),
        ({"age": "50"}, 2, 52),
        ({"date": date(-30)}, 0, 30),
        ({"date": date(-30), "age": "50"}, 0, 50),
        ({"date": date(-80), "age": "50"}, 0, 80),
        ({"date": date(500)}, 0, 0),
        ({"age": "no number"}, 1, 1),
    ],
)
def test_how_old_it_is_already_when_it_comes(headers: dict[str, str], took: float, age: float) -> None:
    found = fresh(headers, asked=NOW - took)
    assert found is not None
    assert found.age == pytest.approx(age, abs=0.01)


@pytest.mark.parametrize(
    ("control", "seconds"),
    [
        ("max-age=60", STALE_MOST),
        ("max-age=60, stale-if-error=10", 10),
        ("max-age=60, stale-if-error=99999999", STALE_MOST),
        ("max-age=60, must-revalidate", 0),
        ("no-cache", 0),
        ("max-age=60, stale-if-error=10, must-revalidate", 0),
    ],
)
def test_how_long_it_stands_in_for_a_server_that_is_gone(control: str, seconds: float) -> None:
    found = fresh({"cache_control": control})
    assert found is not None
    assert found.stale == seconds


def test_it_is_fresh_until_its_lifetime_has_passed_and_never_before_it_came() -> None:
    found = fresh({"cache_control": "max-age=60, stale-if-error=30", "age": "10"})
    assert found is not None
    times = (-1, 0, 49, 51, 79, 81)
    assert [found.is_fresh(NOW + later) for later in times] == [False, True, True, False, False, False]
    assert [found.may_stand_in(NOW + later) for later in times] == [False, True, True, True, True, False]


def test_directives_are_read_as_they_are_written() -> None:
    assert directives_of('a, B=1 ,c="x, no-store",,d') == {"a": "", "b": "1", "c": "x, no-store", "d": ""}


@given(
    st.dictionaries(st.sampled_from(["cache-control", "expires", "age", "date", "last-modified"]), st.text())
)
def test_whatever_a_server_says_is_read_without_an_error_and_within_bounds(headers: dict[str, str]) -> None:
    found = freshness_of(200, headers, asked=NOW, came=NOW)
    if found is not None:
        assert found.age >= 0
        assert found.lifetime >= 0
        assert 0 <= found.stale <= STALE_MOST
