"""`/v1/models`: the personas, each a model by its name; and the bare models, for who may do without a persona."""

from __future__ import annotations

import contextlib
import time
from typing import Any, Final

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.locales import Language
from menagerie.personas.directory import shown_name
from menagerie.personas.persona import Persona
from menagerie.personas.resolve import BARE
from menagerie.web.keys import Caller
from menagerie.web.services import Services

OWNER: Final = "menagerie"
_STARTED: Final = int(time.time())


class Who(msgspec.Struct, frozen=True):
    """Who answers to the name of a model: the persona's own name, or `model:<name>` for a `bare` model."""

    name: str
    bare: bool = False


async def who(services: Services, caller: Caller, model: str) -> Who:
    """The persona or the bare model that the caller means. Raises `model.unknown`, also for one that is not theirs."""
    try:
        return Who(caller.persona(services.personas, model).name)
    except MenagerieError as unknown:
        bare = model if model.startswith(BARE) else f"{BARE}{model}"
        if caller.may_bypass and caller.may_use(bare) and bare in await services.resolver.models():
            return Who(bare, bare=True)
        raise MenagerieError(ErrorCode.MODEL_UNKNOWN, model=shown_name(model)) from unknown


async def listing(services: Services, caller: Caller, language: Language) -> dict[str, Any]:
    """All that the caller can name as `model`."""
    data = [
        _persona(persona, language) for persona in services.personas.listed() if caller.may_use(persona.name)
    ]
    if caller.may_bypass:
        bare = await services.resolver.models()
        data += [_model(name.removeprefix(BARE)) for name in bare if caller.may_use(name)]
    data += [_model(name) for name in await _text_models(services)]
    return {"object": "list", "data": data}


async def one(services: Services, caller: Caller, model: str, language: Language) -> dict[str, Any]:
    """One of them. Raises `model.unknown`."""
    if model in await _text_models(services):
        return _model(model)
    found = await who(services, caller, model)
    if found.bare:
        return _model(found.name.removeprefix(BARE))
    return _persona(services.personas.get(found.name), language)


async def _text_models(services: Services) -> list[str]:
    """The models that make vectors and rank, as far as there are any."""
    names: list[str] = []
    for chosen in (services.embeddings.embedder, services.embeddings.reranker):
        with contextlib.suppress(MenagerieError):
            names.append((await chosen.find()).facts.name)
    return names


def _persona(persona: Persona, language: Language) -> dict[str, Any]:
    said = {"title": persona.text("title", language), "description": persona.text("description", language)}
    return _model(persona.name) | said


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _STARTED, "owned_by": OWNER}
