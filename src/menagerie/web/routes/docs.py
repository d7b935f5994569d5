"""The page that describes the interfaces: the application's own OpenAPI document, rendered by us."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from menagerie.web.language import language_of
from menagerie.web.pages import render
from menagerie.web.services import Services, services_of

METHODS: Final = ("get", "post", "put", "patch", "delete")

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Body:
    """What a request or a response carries: its media type, and its JSON Schema as text (may be empty)."""

    media_type: str
    schema: str


@dataclass(frozen=True)
class Operation:
    """One method of one path of an OpenAPI document, ready to be shown."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: list[Mapping[str, Any]] = field(default_factory=list)
    request: list[Body] = field(default_factory=list)
    responses: list[tuple[str, str, list[Body]]] = field(default_factory=list)
    """Status, description, what it carries."""


@router.api_route("/docs", methods=["GET", "HEAD"])
@router.api_route("/en/docs", methods=["GET", "HEAD"])
@router.api_route("/fr/docs", methods=["GET", "HEAD"])
async def docs(request: Request, services: Annotated[Services, Depends(services_of)]) -> Response:
    """The description of all interfaces of this service, the websocket included."""
    language = language_of(request, services.settings)
    document: dict[str, Any] = request.app.openapi()
    shapes = document.get("components", {}).get("schemas", {})
    return render(
        request,
        "docs.html",
        language,
        operations=list(operations(document)),
        shapes={name: _as_text(shape) for name, shape in sorted(shapes.items())},
        openapi=document.get("openapi", ""),
        away_s=f"{services.settings.away_s:g}",
    )


def operations(document: Mapping[str, Any]) -> Iterator[Operation]:
    """The operations of an OpenAPI 3 document, in its order."""
    for path, item in document.get("paths", {}).items():
        for method in METHODS:
            if method in item:
                yield _operation(path, method, item[method])


def _operation(path: str, method: str, described: Mapping[str, Any]) -> Operation:
    return Operation(
        anchor=f"{method}-{'-'.join(part.strip('{}') for part in path.split('/') if part) or 'root'}",
        method=method.upper(),
        path=path,
        summary=described.get("summary", ""),
        description=described.get("description", ""),
        parameters=[
            {"description": "", **parameter, "type": _type_name(parameter.get("schema", {}))}
            for parameter in described.get("parameters", [])
        ],
        request=_bodies(described.get("requestBody", {})),
        responses=[
            (status, answer.get("description", ""), _bodies(answer))
            for status, answer in described.get("responses", {}).items()
        ],
    )


def _bodies(carrier: Mapping[str, Any]) -> list[Body]:
    return [
        Body(media_type, _as_text(content["schema"]) if content.get("schema") else "")
        for media_type, content in carrier.get("content", {}).items()
    ]


def _type_name(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " | ".join(_type_name(choice) for choice in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(json.dumps(choice, ensure_ascii=False) for choice in schema["enum"])
    return str(schema.get("type", ""))


def _as_text(schema: object) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False)
