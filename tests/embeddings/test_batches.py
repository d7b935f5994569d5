"""Many texts in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from menagerie.embeddings.batches import MOST_BYTES, MOST_TEXTS, split
from menagerie.embeddings.prefixes import Prefixes, prefixes_of

WINDOW = 512


@given(
    texts=st.lists(st.text(max_size=700), max_size=60), keeps_cache=st.booleans(), beside=st.integers(0, 600)
)
def test_every_text_comes_once_and_in_order_and_no_piece_is_too_large(
    texts: list[str], keeps_cache: bool, beside: int
) -> None:
    pieces = list(split(texts, WINDOW, keeps_cache=keeps_cache, beside=beside))
    assert [text for piece in pieces for text in piece.texts] == texts
    at = 0
    for piece in pieces:
        assert piece.start == at
        at += len(piece.texts)
        assert 0 < len(piece.texts) <= MOST_TEXTS
        assert piece.tokens <= (WINDOW if keeps_cache else 0)
        if len(piece.texts) > 1:
            assert sum(len(text.encode("utf-8", "replace")) for text in piece.texts) <= MOST_BYTES


def test_what_takes_of_the_pool_takes_as_much_as_its_bytes_could() -> None:
    first, second = split(["a" * 300, "b" * 300], WINDOW, keeps_cache=True)
    assert (first.tokens, second.tokens) == (304, 304)
    (long,) = split(["a" * 3000], WINDOW, keeps_cache=True)
    assert long.tokens == WINDOW


def test_texts_that_keep_nothing_go_together_whatever_the_window() -> None:
    (piece,) = split(["a" * 900] * MOST_TEXTS, WINDOW, keeps_cache=False)
    assert piece.tokens == 0


@pytest.mark.parametrize(
    ("architecture", "name", "prefixes"),
    [
        ("bert", "all-MiniLM-L6-v2", Prefixes()),
        ("nomic-bert", "whatever", Prefixes("search_document: ", "search_query: ")),
        ("nomic-bert-moe", "", Prefixes("search_document: ", "search_query: ")),
        ("", "nomic-embed-text-v1.5", Prefixes("search_document: ", "search_query: ")),
        ("bert", "multilingual-e5-small", Prefixes("passage: ", "query: ")),
        ("bert", "Multilingual-E5-Large-Instruct", Prefixes()),
        ("bert", "bge-e500", Prefixes()),
    ],
)
def test_a_model_gets_the_words_that_it_was_trained_with(
    architecture: str, name: str, prefixes: Prefixes
) -> None:
    assert prefixes_of(architecture, name) == prefixes
    assert prefixes.before(None) == ""
