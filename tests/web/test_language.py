"""Which language a request is answered in."""

from __future__ import annotations

import pytest
from starlette.requests import HTTPConnection

from menagerie.settings import Settings
from menagerie.web.language import language_of

ENGLISH, FRENCH = Settings(language="en"), Settings(language="fr")


def a_request(path: str = "/", query: str = "", **headers: str) -> HTTPConnection:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return HTTPConnection({"type": "http", "path": path, "query_string": query.encode(), "headers": raw})


def test_each_way_to_ask_wins_over_the_ones_after_it() -> None:
    assert language_of(a_request(), FRENCH) == "fr"
    assert language_of(a_request(accept_language="en-CA"), FRENCH) == "en"
    assert language_of(a_request(accept_language="en", cookie="lang=fr"), ENGLISH) == "fr"
    assert language_of(a_request("/en/chat", accept_language="fr", cookie="lang=fr"), FRENCH) == "en"
    assert language_of(a_request("/en", "lang=fr", accept_language="en", cookie="lang=en"), ENGLISH) == "fr"


@pytest.mark.parametrize(
    "query", ["lang=de", "lang=", "lang=%ff", "lang=../fr", "la&&=;", "lang=" + "f" * 60_000]
)
def test_a_language_that_is_none_of_ours_counts_as_not_given(query: str) -> None:
    assert language_of(a_request("/", query, accept_language="fr"), ENGLISH) == "fr"


@pytest.mark.parametrize("path", ["", "/", "/fr-CA", "/french/chat", "/chat/fr", "//fr", "/français"])
def test_only_the_first_part_of_the_path_names_a_language(path: str) -> None:
    assert language_of(a_request(path), ENGLISH) == "en"


@pytest.mark.parametrize("cookie", ["lang", "=;=;", "lang=\xff", "x" * 60_000, "lang=de; lang=fr"])
def test_odd_cookies_are_harmless(cookie: str) -> None:
    assert language_of(a_request(cookie=cookie), ENGLISH) in {"en", "fr"}
