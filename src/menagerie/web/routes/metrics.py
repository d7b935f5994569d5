"""`/metrics`: the figures for Prometheus, told only to the networks that the settings name."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines.gauges import Gauges
from menagerie.settings import Settings
from menagerie.web.identity import client_address, is_from_trusted_proxy
from menagerie.web.services import Services, services_of

router = APIRouter(include_in_schema=False)


_RELAYED: Final = ("x-forwarded-for", "forwarded", "via")
"""What a proxy adds: from one that is not trusted, a request may come from anywhere, whatever its peer."""


@router.api_route("/metrics", methods=["GET", "HEAD"])
async def metrics(request: Request, services: Annotated[Services, Depends(services_of)]) -> Response:
    """What was counted since the start, and what is so now; `request.address_refused` (403) for other addresses."""
    relayed = not is_from_trusted_proxy(request, services.settings) and any(
        header in request.headers for header in _RELAYED
    )
    if relayed or not _may_read(client_address(request, services.settings), services.settings):
        raise MenagerieError(ErrorCode.ADDRESS_REFUSED)
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    gauges = Gauges(services.figures.registry, services.engines.overview())
    return Response(encode(gauges), headers={"Content-Type": media_type, "Vary": "Accept"})


def _may_read(address: str, settings: Settings) -> bool:
    """Whether the figures are for this address; nobody's, as of a peer at a unix socket, never is."""
    return bool(address) and any(ip_address(address) in network for network in settings.metrics)
