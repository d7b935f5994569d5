"""Read the environment once, for a program: a `Settings`, or everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

import msgspec
from pydantic import ValidationError
from pydantic_settings import SettingsError

from menagerie.core.errors import MenagerieError
from menagerie.locales import Language, text
from menagerie.models.defaults import embedding_choice, reranker_choice
from menagerie.settings import RemoteEngine, Settings
from menagerie.settings_report import ENGINE_PREFIX, allowed, engine_allowed, masked, variable_of

PREFIX: Final = "MENAGERIE_"
ENGINES: Final = variable_of("engines")


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong: a variable, its value as it may be shown, and how to put it right."""

    variable: str
    kind: str
    """`wrong`, `missing`, `unknown`, `needed`, `no_file` or `no_pairs`: a text `setting_problem.<kind>`."""
    value: str = ""
    field: tuple[str, ...] = ()
    suggestion: str = ""

    def message(self, language: Language) -> str:
        """The sentence for the person who set it."""
        line = text(
            f"setting_problem.{self.kind}",
            language,
            variable=self.variable,
            value=self.value,
            allowed=self._allowed(language),
        )
        if self.suggestion:
            line += " " + text("setting_problem.suggestion", language, variable=self.suggestion)
        return line

    def _allowed(self, language: Language) -> str:
        if not self.field:
            return ""
        if len(self.field) == 3 and self.field[2] in RemoteEngine.model_fields:
            return engine_allowed(self.field[2], language)
        return allowed(self.field[0], language)


class WrongSettingsError(Exception):
    """The environment is wrong. Every problem, in the order of the variables' names."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(problem.message("en") for problem in problems))
        self.problems = problems

    def lines(self, language: Language) -> list[str]:
        """A heading, then a line for each problem."""
        return [
            text("setting_problem.heading", language),
            *(f"  {problem.message(language)}" for problem in self.problems),
        ]


def read_settings(**overrides: object) -> Settings:
    """The settings of the environment, `overrides` before it. Raises `WrongSettingsError` with all that is wrong:
    values that are not allowed, engines without an address, variables of ours that do not exist."""
    problems = {problem.variable: problem for problem in unknown_variables(os.environ)}
    settings: Settings | None = None
    try:
        settings = Settings(**overrides)  # type: ignore[arg-type]  # validated by pydantic, whatever they are
    except ValidationError as failure:
        for problem in _wrong_values(failure):
            problems.setdefault(problem.variable, problem)
    except SettingsError as failure:
        problems.setdefault(ENGINES, _unreadable(failure))
    if settings:
        for problem in (*_wrong_models(settings), *_wrong_lookups(settings)):
            problems.setdefault(problem.variable, problem)
    if problems or settings is None:
        raise WrongSettingsError(tuple(problems[name] for name in sorted(problems)))
    return settings


def unknown_variables(environment: Mapping[str, str]) -> Iterator[Problem]:
    """The variables of `environment` that begin like ours and are none: somebody meant something by them."""
    known = [variable_of(field) for field in Settings.model_fields]
    for name in environment:
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in known or _names_an_engine(upper):
            continue
        if upper.startswith(ENGINE_PREFIX) and upper.count("__") == 2:
            engine, _, last = upper.removeprefix(ENGINE_PREFIX).partition("__")
            near = get_close_matches(last.lower(), RemoteEngine.model_fields, 1)
            suggestion = f"{ENGINE_PREFIX}{engine}__{near[0].upper()}" if near else ""
        else:
            suggestion = next(iter(get_close_matches(upper, known, 1, cutoff=0.75)), "")
        yield Problem(name, "unknown", suggestion=suggestion)


def _names_an_engine(variable: str) -> bool:
    """Whether it is `MENAGERIE_ENGINES__NAME` (JSON) or `MENAGERIE_ENGINES__NAME__<a field of an engine>`."""
    parts = variable.split("__")
    return (
        parts[0] == ENGINES
        and all(parts)
        and (len(parts) == 2 or (len(parts) == 3 and parts[2].lower() in RemoteEngine.model_fields))
    )


def _wrong_values(failure: ValidationError) -> Iterator[Problem]:
    for error in failure.errors(include_url=False, include_context=False):
        where = [str(part) for part in error["loc"]]
        field = next((name for name in Settings.model_fields if where[0] in (name, variable_of(name))), "")
        path = (field, *where[1:3]) if field == "engines" else (field,)
        variable = "__".join([variable_of(field), *(part.upper() for part in path[1:])])
        if error["type"] == "missing":
            yield Problem(variable, "missing", field=path)
        elif error["type"] == "extra_forbidden":
            yield Problem(variable, "unknown")
        else:
            yield Problem(variable, "wrong", masked(path[-1], error["input"]), path)


def _wrong_models(settings: Settings) -> Iterator[Problem]:
    """The settings that choose a model and name none."""
    choices = {"whisper_embedding_model": embedding_choice, "reranker": reranker_choice}
    for field, choice in choices.items():
        try:
            choice(settings)
        except MenagerieError:
            yield Problem(variable_of(field), "wrong", masked(field, getattr(settings, field)), (field,))


def _wrong_lookups(settings: Settings) -> Iterator[Problem]:
    """The settings of what is looked up that lack another one, or name what is not there."""
    needs = {
        "brave": ("search_key", settings.search_key.get_secret_value()),
        "searxng": ("search_url", settings.search_url),
    }
    field, value = needs.get(settings.search, ("", ""))
    if field and not value:
        yield Problem(variable_of(field), "needed", f"{variable_of('search')}={settings.search}")
    if settings.feeds and not settings.feeds.is_file():
        yield Problem(variable_of("feeds"), "no_file", masked("feeds", settings.feeds))
    pairs = [part for part in settings.wiki_tokens.get_secret_value().split(",") if part.strip()]
    if not all(host.strip() and token.strip() for host, _, token in (pair.partition("=") for pair in pairs)):
        yield Problem(variable_of("wiki_tokens"), "no_pairs")


def _unreadable(failure: SettingsError) -> Problem:
    field = re.search(r'field "(\w+)"', str(failure))
    name = field[1] if field and field[1] in Settings.model_fields else "engines"
    return Problem(variable_of(name), "wrong", masked(name, os.environ.get(variable_of(name), "")), (name,))
