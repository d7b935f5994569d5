"""Who may use a collection, and for whom it does not exist."""

from __future__ import annotations

import msgspec
import pytest

from menagerie.core.identity import User
from menagerie.grounding.facts.access import ADMINISTRATOR, MACHINE, Asker, may_change, may_read, reader_of


class Collection(msgspec.Struct, frozen=True):
    owner: str
    readers: tuple[str, ...] = ()
    name: str = "hr"


ANN = Asker(User(("ann", "ann@example.ca")))
BOB = Asker(User(("bob",)))
NOBODY = Asker(User(address="192.0.2.1"))


def test_a_collection_is_its_owners_by_any_of_their_names_and_the_administrators() -> None:
    for owner in ("ann", "ann@example.ca"):
        kept = Collection(owner)
        assert may_change(ANN, kept)
        assert may_read(ANN, kept)
        assert may_change(ADMINISTRATOR, kept)
        for other in (BOB, NOBODY):
            assert not may_read(other, kept)
            assert not may_change(other, kept)


def test_what_an_administrator_made_is_nobodys_over_the_network() -> None:
    kept = Collection(MACHINE)
    assert ADMINISTRATOR.owner == MACHINE
    for other in (ANN, NOBODY, Asker()):
        assert not may_change(other, kept)
        assert not may_read(other, kept)


def test_nobody_in_particular_owns_nothing_not_even_what_bears_their_name() -> None:
    assert NOBODY.owner == "anon"
    assert not NOBODY.is_named
    assert not may_change(NOBODY, Collection("anon"))


def test_readers_find_and_change_nothing() -> None:
    kept = Collection("ann", ("user:bob",))
    assert may_read(BOB, kept)
    assert not may_change(BOB, kept)
    assert not may_read(NOBODY, kept)
    for asker in (BOB, NOBODY):
        assert may_read(asker, Collection("ann", ("everyone",)))


def test_a_persona_finds_what_is_for_it_whoever_asks_it_and_the_same_people_without_it_do_not() -> None:
    kept = Collection(MACHINE, ("persona:hr-help",))
    for asker in (BOB, NOBODY):
        assert may_read(msgspec.structs.replace(asker, persona="hr-help"), kept)
        assert not may_read(msgspec.structs.replace(asker, persona="beaver"), kept)
        assert not may_read(asker, kept)


def test_nobody_passes_for_a_persona_by_their_name() -> None:
    assert not may_read(Asker(User(("hr-help",))), Collection(MACHINE, ("persona:hr-help",)))
    assert not may_read(Asker(User(("persona:hr-help",))), Collection(MACHINE, ("persona:hr-help",)))
    assert not may_read(Asker(User(("everyone",))), Collection("ann", ("user:bob",)))


def test_a_key_for_certain_personas_does_not_open_its_owners_collections_without_them() -> None:
    key = Asker(User(("ann",), personas=("otter",)))
    kept = Collection("ann", ("user:ann",))
    assert not may_change(key, kept)
    assert not may_read(key, kept)
    assert may_read(msgspec.structs.replace(key, persona="otter"), kept)
    assert may_read(key, Collection("bob", ("everyone",)))


@pytest.mark.parametrize(
    ("word", "kept"),
    [
        ("everyone", "everyone"),
        (" user: Ann@Example.CA ", "user:ann@example.ca"),
        ("persona:HR-aide", "persona:HR-aide"),
        ("persona:e\u0301cole", "persona:\u00e9cole"),
        ("user:", ""),
        ("user:anon", ""),
        ("user:key:0123", ""),
        ("user:a\u200bb", ""),
        ("persona:", ""),
        ("persona:a\nb", ""),
        ("everybody", ""),
        ("ann", ""),
        ("", ""),
    ],
)
def test_readers_have_one_spelling(word: str, kept: str) -> None:
    assert reader_of(word) == kept
