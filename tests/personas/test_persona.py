"""What a persona says of itself and which model it wants."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from menagerie.models.wish import ModelWish
from menagerie.personas.persona import Persona, escapes, is_name

SHA256 = "0f" * 32


def persona(**keys: Any) -> Persona:
    return Persona(name="fox", **keys)


def wished(**keys: Any) -> str:
    wish = persona(**keys).model_wish
    return wish.kind if wish else ""


def test_a_text_that_misses_a_language_is_told_in_the_other() -> None:
    fox = persona(title={"fr": "Renard"}, description="For both")
    assert (fox.text("title", "en"), fox.text("description", "fr")) == ("Renard", "For both")
    assert fox.text("imperative", "en") == ""


def test_without_a_title_a_persona_goes_by_its_name() -> None:
    assert persona().text("title", "fr") == "fox"


@pytest.mark.parametrize(
    ("keys", "wish"),
    [
        ({}, None),
        ({"hf_repo": "a/b", "hf_filename": "*.gguf"}, ModelWish("hub", repo="a/b", filename="*.gguf")),
        ({"model_package": "a==1"}, ModelWish("package", package="a==1", filename="*.gguf")),
        (
            {"model_url": "https://example.org/x.gguf", "model_sha256": SHA256},
            ModelWish("url", url="https://example.org/x.gguf", sha256=SHA256),
        ),
        ({"local_file": "x.gguf"}, ModelWish("file", file="x.gguf")),
    ],
)
def test_each_way_to_name_a_model_makes_its_wish(keys: dict[str, str], wish: ModelWish | None) -> None:
    made = persona(**keys).model_wish
    assert made == wish
    assert made is None or made.checked()


def test_of_several_models_the_most_exact_one_is_wished_for() -> None:
    keys: dict[str, Any] = {"hf_repo": "a/b", "model_package": "a==1"}
    assert wished(**keys) == "package"
    keys |= {"model_url": "https://example.org/x.gguf", "model_sha256": SHA256}
    assert wished(**keys) == "url"
    keys |= {"local_file": "x.gguf"}
    assert wished(**keys) == "file"


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "..\\x", "a\\..\\..\\x", "C:x", "./.."])
def test_a_path_that_leaves_its_folder_is_seen(path: str) -> None:
    assert escapes(path)


@pytest.mark.parametrize("path", ["x", "a/x", "a/../x", "..x", "a/..b", "./x", "/abs/../x", "C:\\models\\x"])
def test_a_path_that_stays_or_is_absolute_does_not_escape(path: str) -> None:
    assert not escapes(path)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a\\b", "a b", "a\n", "a\u202eb", "a?b", "@+", "½", "x" * 65]
)
def test_names_that_play_tricks_are_none(name: str) -> None:
    assert not is_name(name)


@pytest.mark.parametrize(
    "place",
    [
        *(
            "facts:hr",
            "facts:a-1",
            "feeds",
            "feed:weather",
            "feed:weather/ottawa",
            "wikipedia.org",
            "canada.ca",
        ),
        *(
            "fr.wikipedia.org",
            "québec.ca",
            "Canada.CA",
            "canada.ca.",
            "feed:nope",
            "shelf:novels",
            "shelf:A/b.c",
        ),
    ],
)
def test_a_persona_may_look_things_up_where_sources_are(place: str) -> None:
    assert persona(sources=[place]).sources == (place,)


@pytest.mark.parametrize(
    "place",
    [
        *(
            "",
            " ",
            "canada",
            "wikipedia",
            "fact:hr",
            "facts:RH",
            "facts:",
            "facts:1",
            f"facts:{'a' * 65}",
            "Facts:hr",
        ),
        *(
            "feed",
            "feeds:weather",
            "feed:",
            "feed:Weather",
            "feed:a/b/c",
            "https://canada.ca",
            "http://a.ca/x",
        ),
        *(
            "https:canada.ca",
            "canada.ca/en",
            "canada.ca:443",
            "a@canada.ca",
            "canada..ca",
            "10.0.0.1",
            "a.ca b.ca",
        ),
        *(".ca", "//canada.ca", "shelf:", "canada.ca?q"),
    ],
)
def test_a_place_that_no_source_can_serve_is_refused(place: str) -> None:
    with pytest.raises(ValidationError):
        persona(sources=[place])
