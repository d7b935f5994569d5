"""The page that describes the interfaces."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest

from menagerie.web.routes.docs import operations
from tests.browser.stage import stage


@pytest.mark.parametrize("path", ["/docs", "/en/docs", "/fr/docs"])
async def test_every_operation_of_the_document_is_described_without_outside_assets(
    tmp_path: Path, path: str
) -> None:
    with stage(tmp_path) as built:
        async with aiohttp.ClientSession(built.origin) as client:
            async with client.get("/openapi.json") as response:
                document = await response.json()
            async with client.get(path) as response:
                assert response.status == 200
                page = await response.text()

    described = [(operation.method, operation.path) for operation in operations(document)]
    assert ("POST", "/toil/{persona}") in described
    for method, address in described:
        assert f'<span class="method">{method}</span> <code>{address}</code>' in page
    assert "/gpt-socket/&lt;persona&gt;" in page
    assert not re.search(r"<script(?! type=.module. src=)|<style|(?:src|href)=[\"'](?:https?:)?//", page)


@pytest.mark.parametrize(("accepts", "language"), [("fr-CA", "fr"), ("de, en;q=0.1", "en")])
async def test_the_bare_address_answers_in_the_callers_language(
    tmp_path: Path, accepts: str, language: str
) -> None:
    with stage(tmp_path) as built:
        headers = {"Accept-Language": accepts}
        async with (
            aiohttp.ClientSession(built.origin, headers=headers) as client,
            client.get("/docs") as response,
        ):
            assert response.headers["Content-Language"] == language
            assert "Accept-Language" in response.headers["Vary"]
            assert f'<html lang="{language}-CA">' in await response.text()


def test_an_operation_tells_its_parameters_bodies_and_answers() -> None:
    choice = {"anyOf": [{"$ref": "#/components/schemas/Cage"}, {"enum": ["big", 2]}, {"type": "null"}]}
    described = {
        "summary": "Feed",
        "parameters": [{"name": "cage", "in": "query", "required": True, "schema": choice}],
        "requestBody": {"content": {"text/plain": {}, "application/json": {"schema": {"type": "object"}}}},
        "responses": {"204": {"description": "Fed."}},
    }

    (operation,) = operations({"paths": {"/feed/{animal}": {"post": described, "x-other": {}}}})

    assert (operation.method, operation.path, operation.anchor) == (
        "POST",
        "/feed/{animal}",
        "post-feed-animal",
    )
    assert operation.parameters[0]["type"] == 'Cage | "big" | 2 | null'
    assert operation.parameters[0]["description"] == ""
    assert [body.media_type for body in operation.request] == ["text/plain", "application/json"]
    assert operation.request[1].schema == '{\n  "type": "object"\n}'
    assert operation.responses == [("204", "Fed.", [])]
