"""Settings: what is wrong is said at once, in the person's language; the docs show what there is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from menagerie.locales import LANGUAGES, Language, catalogue
from menagerie.settings import RemoteEngine, Settings
from menagerie.settings_check import WrongSettingsError, read_settings
from menagerie.settings_report import described, markdown, masked, report, variable_of

DOCS = Path(__file__).parent.parent / "docs"
README = Path(__file__).parent.parent / "README.md"


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(("MENAGERIE_", "LLM_", "UI_", "SD_", "WHISPER_")):
            monkeypatch.delenv(name)


def _refused(**environment: str) -> WrongSettingsError:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        with pytest.raises(WrongSettingsError) as refused:
            read_settings()
    return refused.value


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = read_settings()
    assert (settings.host, settings.port, settings.llm_context_window) == ("127.0.0.1", 5000, 4096)


def test_all_wrong_values_are_named_at_once_with_what_is_allowed() -> None:
    lines = _refused(
        MENAGERIE_PORT="70000", LLM_GPU_LAYERS="many", MENAGERIE_TIMEZONE="Ottawa", MENAGERIE_LANGUAGE="de"
    ).lines("en")
    wrong = "  {}: “{}” is not allowed. Allowed: {}."
    assert lines[1:] == [
        wrong.format("LLM_GPU_LAYERS", "many", "a whole number, -1 or more"),
        wrong.format("MENAGERIE_LANGUAGE", "de", "one of: en, fr"),
        wrong.format("MENAGERIE_PORT", "70000", "a whole number from 0 to 65535"),
        wrong.format(
            "MENAGERIE_TIMEZONE", "Ottawa", "a time zone of the IANA database, such as America/Toronto"
        ),
    ]


def test_a_wrong_value_is_explained_in_french_too() -> None:
    lines = _refused(MENAGERIE_PORT="x").lines("fr")
    assert lines[0] == "Les paramètres sont incorrects; rien n’a été démarré\u00a0:"
    assert lines[1].startswith("  MENAGERIE_PORT\u00a0: «\u00a0x\u00a0» n’est pas permis.")
    assert lines[1].endswith("Valeurs permises\u00a0: un nombre entier de 0 à 65535.")


@pytest.mark.parametrize("value", ["inf", "nan", "0", "-1", "soon"])
def test_a_time_limit_is_a_number_of_seconds(value: str) -> None:
    assert "a number of seconds greater than 0" in str(_refused(MENAGERIE_TURN_TIMEOUT=value))
    assert "a number of seconds greater than 0" in str(_refused(MENAGERIE_ENGINE_IDLE=value))


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("MENAGERIE_PROT", "MENAGERIE_PORT"),
        ("menagerie_prot", "MENAGERIE_PORT"),
        ("MENAGERIE_TRUSTED_PROXY", "MENAGERIE_TRUSTED_PROXIES"),
        ("MENAGERIE_ENGINES__BIG__SLOT", "MENAGERIE_ENGINES__BIG__SLOTS"),
    ],
)
def test_an_unknown_variable_is_refused_and_the_nearest_one_suggested(variable: str, nearest: str) -> None:
    assert f"Did you mean {nearest}?" in str(
        _refused(**{variable: "1", "MENAGERIE_ENGINES__BIG__URL": "http://a"})
    )


@pytest.mark.parametrize(
    ("environment", "variable"),
    [
        ({"MENAGERIE_SEARCH": "brave"}, "MENAGERIE_SEARCH_KEY"),
        ({"MENAGERIE_SEARCH": "searxng", "MENAGERIE_SEARCH_KEY": "x"}, "MENAGERIE_SEARCH_URL"),
        ({"MENAGERIE_FEEDS": "/nowhere/feeds.toml"}, "MENAGERIE_FEEDS"),
        ({"MENAGERIE_WIKI_TOKENS": "hidden-token"}, "MENAGERIE_WIKI_TOKENS"),
        ({"MENAGERIE_WIKI_TOKENS": "a.ca=hidden-token,b.ca="}, "MENAGERIE_WIKI_TOKENS"),
    ],
)
def test_what_is_looked_up_is_set_completely_or_nothing_starts(
    environment: dict[str, str], variable: str
) -> None:
    for language in LANGUAGES:
        (line,) = _refused(**environment).lines(language)[1:]
        assert line.startswith(f"  {variable}")
        assert "hidden-token" not in line


def test_what_is_looked_up_may_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    table = tmp_path / "feeds.toml"
    table.touch()
    monkeypatch.setenv("MENAGERIE_SEARCH", "brave")
    monkeypatch.setenv("MENAGERIE_SEARCH_KEY", "key")
    monkeypatch.setenv("MENAGERIE_FEEDS", str(table))
    monkeypatch.setenv("MENAGERIE_WIKI_TOKENS", "a.ca=x=y, b.ca=z,")
    assert read_settings().feeds == table


@pytest.mark.parametrize(
    "variable", ["MENAGERIE_QQQ", "MENAGERIE_PORT__X", "MENAGERIE_ENGINES__A__URL__MORE"]
)
def test_an_unknown_variable_without_a_near_one_is_refused_all_the_same(variable: str) -> None:
    assert f"{variable}: there is no such setting." in str(_refused(**{variable: "1"}))


def test_variables_of_other_programs_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_USER_PATH", "/x")
    assert read_settings() == Settings()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENAGERIE_PORT", "")
    assert read_settings().port == 5000


def test_an_engine_is_set_by_variables_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENAGERIE_ENGINES__BIG__URL", "http://gpu.example:8000")
    monkeypatch.setenv("MENAGERIE_ENGINES__BIG__SLOTS", "32")
    assert read_settings().engines == {"big": RemoteEngine(url=("http://gpu.example:8000",), slots=32)}


def test_an_engine_may_have_several_addresses_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENAGERIE_ENGINES__BIG__URL", "http://a:8000, https://b/ ;http://a:8000/,")
    assert read_settings().engines["big"].url == ("http://a:8000", "https://b")
    monkeypatch.delenv("MENAGERIE_ENGINES__BIG__URL")
    monkeypatch.setenv("MENAGERIE_ENGINES", '{"big": {"url": ["http://a", "http://b"]}}')
    assert read_settings().engines["big"].url == ("http://a", "http://b")


@pytest.mark.parametrize(
    "value", ["http://a,b:8000", "http://a,ftp://b", "http://", "http://a b", ",", "http:///x"]
)
def test_one_wrong_address_of_an_engine_refuses_the_setting(value: str) -> None:
    refused = str(_refused(MENAGERIE_ENGINES__BIG__URL=value))
    assert f"MENAGERIE_ENGINES__BIG__URL: “{value}” is not allowed." in refused
    assert "Allowed: addresses that begin with http:// or https://, separated by commas." in refused


def test_an_engine_without_an_address_is_refused_by_the_name_of_what_is_missing() -> None:
    refused = str(_refused(MENAGERIE_ENGINES__BIG__KEY="hush"))
    assert "MENAGERIE_ENGINES__BIG__URL: is missing." in refused
    assert "hush" not in refused


@pytest.mark.parametrize(
    "environment",
    [
        {"MENAGERIE_ENGINES": '{"big": {"url": "http://a", "key": "hush" '},
        {"MENAGERIE_ENGINES": '{"big": {"url": "http://a", "key": ["hush"]}}'},
        {"MENAGERIE_HUB": "ftp://someone:hush@hub.example"},
        {"MENAGERIE_ENGINES__BIG__URL": "http://a,http://someone:hu,hush@gpu.example"},
    ],
)
def test_no_message_shows_a_secret(environment: dict[str, str]) -> None:
    refused = _refused(**environment)
    assert "hush" not in "".join([str(refused), *refused.lines("fr")])


def test_the_report_tells_value_and_origin_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MENAGERIE_PORT", "5001")
    monkeypatch.setenv("MENAGERIE_HUB_TOKEN", "hush")
    monkeypatch.setenv("MENAGERIE_DATABASE", "postgresql+asyncpg://someone:hush@db.example/menagerie")
    monkeypatch.setenv("MENAGERIE_ENGINES__BIG__URL", "http://someone:hush@gpu.example")
    monkeypatch.setenv("MENAGERIE_ENGINES__BIG__KEY", "hush")
    shown = report(read_settings(), "en")
    assert "MENAGERIE_PORT = 5001  (from the environment)" in shown
    assert "MENAGERIE_HOST = 127.0.0.1  (default)" in shown
    assert "@db.example/menagerie  (from the environment)" in shown
    assert "@gpu.example)  (from the environment)" in shown
    assert "hush" not in shown


def test_a_value_is_shown_on_one_line_of_bearable_length() -> None:
    shown = masked("host", "a\nb\x1b[31m" + "c" * 500)
    assert shown.isprintable()
    assert len(shown) == 201


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_setting_is_described(language: Language) -> None:
    variables = [facts.variable for facts in described(language)]
    engine = [f"MENAGERIE_ENGINES__<NAME>__{field.upper()}" for field in RemoteEngine.model_fields]
    assert sorted(variables) == sorted([*(variable_of(field) for field in Settings.model_fields), *engine])
    assert all(facts.meaning and facts.allowed and facts.default for facts in described(language))


@pytest.mark.parametrize(("language", "empty"), [("en", "(empty)"), ("fr", "(vide)")])
def test_what_may_be_left_empty_is_shown_as_empty_and_what_wants_addresses_says_so(
    language: Language, empty: str
) -> None:
    allowed = {facts.variable: facts.allowed for facts in described(language)}
    assert f"{empty}, searxng, brave" in allowed["MENAGERIE_SEARCH"]
    assert "http://" in allowed["MENAGERIE_WIKIS"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_describes_a_setting_that_does_not_exist(language: Language) -> None:
    known = {facts.variable for facts in described(language)} | {"required", "empty"}
    told = [key for key in catalogue(language) if key.startswith(("setting.", "setting_default."))]
    assert [key for key in told if key.partition(".")[2] not in known] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_table_in_the_docs_is_the_generated_one(language: Language) -> None:
    written = (DOCS / f"settings.{language}.md").read_text(encoding="utf-8")
    assert written == markdown(language), (
        f"menagerie --lang {language} settings --markdown > docs/settings.{language}.md"
    )
