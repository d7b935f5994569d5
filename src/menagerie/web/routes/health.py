"""`/healthz`: whether the process lives. `/readyz`: whether it could answer."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from menagerie import __version__
from menagerie.core.errors import MenagerieError
from menagerie.web.services import Services, services_of

log = structlog.get_logger("menagerie.web")

ABLE: Final = frozenset({"ready", "loading", "waiting", "leaving", "absent"})
"""An engine that is absent is loaded when it is wanted."""
_LOADED: Final = frozenset({"ready", "loading"})

router = APIRouter(tags=["health"])


@router.head("/healthz", include_in_schema=False)
@router.get("/healthz", summary="Whether the service lives")
async def alive() -> Response:
    """Always 200: that it comes is the answer."""
    return _told({"status": "alive", "version": __version__}, 200)


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz", summary="Whether the service can answer")
async def ready(request: Request) -> Response:
    """200 where the store answers and an engine is there or on its way, else 503; the body tells of each."""
    services = services_of(request)
    states = {
        "store": await _store(services),
        "engine": await _engine(services),
        "personas": _personas(services),
    }
    able = states["store"] == "ready" and states["engine"] in ABLE
    return _told({"status": "ready" if able else "unready", **states}, 200 if able else 503)


async def _store(services: Services) -> str:
    try:
        await services.store.log.read(limit=1)
    except MenagerieError as failure:
        log.warning("store_unreachable", failure=str(failure))
        return "unavailable"
    return "ready"


async def _engine(services: Services) -> str:
    """The state of the default persona's engine; that of any other that is loaded, where this one has failed."""
    try:
        persona = services.personas.get(services.settings.default_persona)
        described = await services.resolver.describe(persona)
    except MenagerieError as failure:
        log.warning("default_persona_unusable", failure=str(failure))
        return "missing"
    if described.state in ABLE or described.state in {"missing", "stopped"}:
        return described.state
    if described.source.startswith("engine:"):
        return "ready"
    loaded = (one.state for one in services.engines.overview().engines if one.state in _LOADED)
    return next(loaded, described.state)


def _personas(services: Services) -> str:
    return "stale" if services.personas.problem else "ready"


def _told(states: dict[str, str], status: int) -> Response:
    return Response(msgspec.json.encode(states), status, media_type="application/json")
