"""Words choose a feed where they ask for it, and not where they only stand there."""

from __future__ import annotations

import pytest

from menagerie.grounding.feeds.choosing import MOST, asked_for, places_named
from menagerie.grounding.feeds.table import OURS, read_table
from menagerie.grounding.feeds.wording import LONGEST, said_in, wording, words_in

TABLE = read_table(OURS)


def ids(prompt: str) -> list[str]:
    return [subject.id for subject in asked_for(TABLE, prompt)]


def places(prompt: str) -> list[str]:
    (weather,) = asked_for(TABLE, prompt)
    return [place.id for place in places_named(weather, prompt)]


@pytest.mark.parametrize(
    ("prompt", "feed"),
    [
        ("What's the weather like in Ottawa?", "weather"),
        ("Weather forecast for the weekend, please", "weather"),
        ("Will it rain tomorrow?", "weather"),
        ("weather", "weather"),
        ("Météo", "weather"),
        ("METEO A GATINEAU", "weather"),
        ("Quel temps fait-il à Québec?", "weather"),
        ("Va-t-il pleuvoir demain?", "weather"),
        ("What is in the news today?", "news"),
        ("News?", "news"),
        ("Quelles sont les nouvelles?", "news"),
        ("Nouvelles", "news"),
        ("Donne-moi l’actualité du jour", "news"),
        ("Any news on the federal election?", "news-politics"),
        ("Quelles sont les nouvelles en politique?", "news-politics"),
        ("latest news about interest rates", "news-business"),
        ("Dernières nouvelles sur l’économie", "news-business"),
        ("What are the health news headlines?", "news-health"),
        ("latest news about AI", "news-technology"),
        ("les nouvelles internationales", "news-world"),
        ("world news", "news-world"),
        ("Are there any new courses at the School?", "courses"),
        ("Quels sont les nouveaux cours de l’École?", "courses"),
        ("any new datasets on the portal?", "open-data"),
        ("Y a-t-il de nouvelles données ouvertes?", "open-data"),
        ("Summarize the latest Government of Canada news", "gc-news"),
        ("What does the Canada Gazette say this week?", "gazette"),
    ],
)
def test_a_prompt_that_asks_for_a_subject_chooses_its_feed(prompt: str, feed: str) -> None:
    assert ids(prompt) == [feed]


@pytest.mark.parametrize(
    "prompt",
    [
        "Write a newsletter for my team",
        "Rédige une infolettre sur les nouveautés",
        "I have been under the weather this week: write a note to my manager",
        "Draft a news release on the top stories of our year",
        "What are the new courses of action?",
        "Quels sont les nouveaux cours d’eau protégés?",
        "I feel a bit under the weather, write to my manager",
        "We must weather the storm of the reorganization",
        "Draft a news release on the launch of a service",
        "Good news, I got the job! How do I accept?",
        "J’ai une bonne nouvelle pour l’équipe",
        "Explique les nouvelles directives sur le télétravail",
        "Quelles sont nos nouvelles politiques?",
        "Of course, go on",
        "Au cours de la réunion, nous avons parlé de la neige",
        "We need an open mind about the data",
        "The weatherproof jacket is blue",
        "What courses of action do we have?",
        "Translate: she told me the news yesterday",
        "Compare sales forecasts for tomorrow and next week",
        "Health policy in Canada",
        "J’ai lu le rapport sur la technologie",
        "",
        "?!",
    ],
)
def test_a_prompt_that_only_has_such_words_chooses_none(prompt: str) -> None:
    assert ids(prompt) == []


def test_a_long_prompt_brings_its_own_material() -> None:
    asking = "What is the weather in Ottawa?"
    assert ids(asking + " word" * (LONGEST - len(words_in(asking)))) == ["weather"]
    assert ids(asking + " word" * LONGEST) == []


def test_one_prompt_chooses_a_few_feeds_the_surest_first() -> None:
    everything = (
        "latest news about politics, inflation, health, technology and Ukraine; and the weather in Ottawa"
    )
    assert len(ids(everything)) == MOST
    assert ids("What is the weather in Ottawa, and any news today?")[0] == "weather"


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("weather in Toronto today", ["toronto"]),
        ("la météo à Trois-Rivières", ["trois-rivieres"]),
        ("météo, trois rivieres", ["trois-rivieres"]),
        ("weather for St. John's", ["st-johns"]),
        ("weather in Saint John", ["saint-john"]),
        ("weather in Montreal and Quebec", ["montreal", "quebec"]),
        ("weather in Torontonian suburbs", []),
        ("météo", []),
    ],
)
def test_a_place_is_chosen_by_its_name(prompt: str, expected: list[str]) -> None:
    assert places(prompt) == expected


def test_all_parts_of_a_wording_must_be_there_in_any_order_each_as_one_run() -> None:
    both = wording("open data + Ottawa")
    assert both.is_in(said_in("In Ottawa: Open-Data!"))
    assert not both.is_in(said_in("open the data of Ottawa"))
    assert not both.is_in(said_in("open data"))
    assert wording("Été").is_in(said_in("ete"))
    assert wording("= news").is_in(said_in("News?"))
    assert not wording("= news").is_in(said_in("the news"))
