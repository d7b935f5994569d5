"""A table of feeds is read strictly: what is wrong in it is named, in both languages, and nothing is guessed."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from menagerie.core.errors import ErrorCode
from menagerie.grounding.feeds import table
from menagerie.grounding.feeds.table import OURS, FeedTableError, read_table
from menagerie.locales import LANGUAGES, catalogue

SOUND = """
[[feed]]
id = "a"
title = "A"
about = { en = "about", fr = "au sujet" }
words = { en = ["x y", "p + q"] }
url = { en = "https://a.example/{place}_e.xml", fr = "https://a.example/{place}_f.xml" }
place = [{ id = "one", code = "on-1", name = "One" }, { id = "two", code = "qc-2", name = { fr = "Deux" } }]

[[feed]]
id = "b"
within = "a"
title = { fr = "B" }
about = "b"
url = { fr = "https://b.example/feed" }
"""


def refusal(tmp_path: Path, content: str | bytes) -> str:
    file = tmp_path / "feeds.toml"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(FeedTableError) as caught:
        read_table(file)
    assert caught.value.code is ErrorCode.FEEDS_INVALID
    assert str(file) in caught.value.message("fr")
    assert caught.value.message("fr") != caught.value.message("en")
    return caught.value.message("en").partition("cannot be used: ")[2]


def test_a_sound_table_is_read(tmp_path: Path) -> None:
    file = tmp_path / "feeds.toml"
    file.write_text(SOUND, encoding="utf-8")
    a, b = read_table(file)
    assert (a.title("fr"), a.about("fr"), b.title("en")) == ("A", "au sujet", "B")
    assert a.address("fr") == "https://a.example/on-1_f.xml"
    assert a.address("en", a.place("two")) == "https://a.example/qc-2_e.xml"
    assert a.title("en", a.place("two")) == "A – Deux"
    assert b.address("en") == "https://b.example/feed"
    assert a.place("three") is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('title = "A"', "title = A", "line 4 is not TOML"),
        (
            'id = "a"',
            'id = "A b"',
            "feed[1], id: must be there, and have small letters, digits and hyphens only",
        ),
        ('id = "b"', 'id = "a"', "a, id: is there twice"),
        ('id = "a"\n', "", "feed[1], id: must be there, and have small letters, digits and hyphens only"),
        ('title = "A"', "", "a, title: must be there, as one text or as one for “en” and one for “fr”"),
        ('title = "A"', 'title = { de = "A" }', "a, title: must be there, as one text or"),
        ('title = "A"', "title = 1", "a, title: must be there, as one text or"),
        ('title = "A"', 'title = " "', "a, title: must be there, as one text or"),
        ('"x y"', '"+ y"', "a, words: must be lists of words for “en” and for “fr”"),
        ('"x y"', '"?"', "a, words: must be lists of words for “en” and for “fr”"),
        ('{ en = ["x y", "p + q"] }', '["x"]', "a, words: must be lists of words for “en” and for “fr”"),
        ('within = "a"', 'within = "c"', "b, within: must be another feed of the table"),
        ('within = "a"', 'within = "b"', "b, within: must be another feed of the table"),
        ("https://b", "http://b", "b, url: must be the address of a feed that begins with https://"),
        ("https://b", "https://u:p@b", "b, url: must be the address of a feed that begins with https://"),
        ("https://b.example/feed", "https://", "b, url: must be the address of a feed"),
        ("https://b.example/feed", "https://b.example/a b", "b, url: must be the address of a feed"),
        ("https://b.example/feed", "https://[::1/", "b, url: must be the address of a feed"),
        ("https://b.example/feed", "https://b.example/{place}", "b, url: an address holds {place} where"),
        ("{place}_f", "f", "a, url: an address holds {place} where the feed has places, and only there"),
        ('id = "two"', 'id = "one"', "a, place.id: is there twice"),
        ('code = "qc-2"', 'code = "../x"', "a, code: must be there"),
        ('within = "a"', 'inside = "a"', "feed[2], inside: is unknown"),
        ("[[feed]]", "[feed]", "feed: must be a list of tables, such as [[feed]]"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    content = (
        SOUND.replace(old, new, 1)
        if old != "[[feed]]"
        else SOUND.partition('[[feed]]\nid = "b"')[0].replace(old, new)
    )
    assert content != SOUND
    assert said in refusal(tmp_path, content)


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, "") == "feed: must be a list of tables, such as [[feed]]"
    assert refusal(tmp_path, b"\xff\xfe\xff") == "it is not in UTF-8"
    assert "bytes" in refusal(tmp_path, b"#" * (table.LARGEST + 1))
    assert "is not TOML" in refusal(tmp_path, "a = " + "[" * 50_000)
    with pytest.raises(FeedTableError, match="is not there"):
        read_table(tmp_path / "none.toml")
    with pytest.raises(FeedTableError, match="cannot be read"):
        read_table(tmp_path)


def test_http_will_do_for_hosts_inside_only(tmp_path: Path) -> None:
    file = tmp_path / "feeds.toml"
    file.write_text(SOUND.replace("https://b.example", "http://b.example"), encoding="utf-8")
    assert read_table(file, lambda host: host == "b.example")[1].address("fr") == "http://b.example/feed"
    with pytest.raises(FeedTableError):
        read_table(file, lambda host: host == "c.example")


def test_every_problem_has_a_text() -> None:
    source = Path(table.__file__).read_text(encoding="utf-8")
    told = {key.removeprefix("feeds.problem.") for key in catalogue("en") if key.startswith("feeds.problem.")}
    assert {problem for problem in told if f'"{problem}"' not in source} == set()


def test_our_table_is_sound_says_everything_in_both_languages_and_is_official() -> None:
    subjects = read_table(OURS)
    assert len(subjects) > 10
    hosts = set()
    for subject in subjects:
        assert set(subject.titles) == set(subject.abouts) == set(LANGUAGES), subject.id
        assert any(subject.words.values()), subject.id
        hosts |= {address.split("/")[2] for address in subject.addresses.values()}
    publishers = (".gc.ca", ".canada.ca", "www.cbc.ca", "ici.radio-canada.ca")
    assert {host for host in hosts if not f".{host}".endswith(publishers)} == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_that_the_docs_show_is_sound(tmp_path: Path, language: str) -> None:
    docs = Path(__file__).parents[3] / "docs" / f"sources.{language}.md"
    file = tmp_path / "feeds.toml"
    shown = docs.read_text(encoding="utf-8").partition("```toml\n[[feed]]")[2].partition("```")[0]
    file.write_text("[[feed]]" + shown, encoding="utf-8")
    assert [subject.id for subject in read_table(file)] == ["weather"]


def test_our_table_is_in_the_wheel(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    root = Path(__file__).parents[3]
    (wheel,) = WheelBuilder(str(root)).build(directory=str(tmp_path), versions=["standard"])
    assert "menagerie/grounding/feeds/feeds.toml" in zipfile.ZipFile(wheel).namelist()
