"""`/embedding`, `/v1/embeddings` and `/v1/rerank` over HTTP, on a real engine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import openai
from menagerie.embeddings.batches import MOST_TEXTS
from menagerie.embeddings.service import Embeddings
from menagerie.engines.residency import Engines
from menagerie.models.catalogue import Catalogue
from menagerie.web.routes import embedding
from menagerie.web.routes import openai as openai_routes
from tests.conftest import LIMITS, machine
from tests.tiny_bert import WIDTH, WINDOW, write_embedder
from tests.web.serving import Parts, parts, serving

pytestmark = pytest.mark.engine

TEXT = {"text": "a text"}


@pytest.fixture(scope="session")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_embedder(tmp_path_factory.mktemp("embedder"))


@pytest.fixture
async def given(tmp_path: Path, embedder: Path) -> AsyncIterator[Parts]:
    made = parts(tmp_path, whisper_embedding_model=str(embedder), llm_cpu_threads=1)
    made.routers = (embedding.router, openai_routes.router)
    engines = Engines(machine(1000), LIMITS)
    made.embeddings = Embeddings(made.settings, Catalogue(tmp_path / "models"), engines, machine(1000))
    yield made
    await made.embeddings.close()
    await engines.stop()


@pytest.fixture
async def client(given: Parts) -> AsyncIterator[aiohttp.ClientSession]:
    async with serving(given) as session:
        yield session


@pytest.fixture
async def sdk(client: aiohttp.ClientSession) -> AsyncIterator[openai.AsyncOpenAI]:
    address = str(client._build_url("/v1"))
    async with openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as made:
        yield made


@pytest.mark.parametrize("path", ["/embedding/document", "/embedding/query"])
async def test_a_text_in_the_address_a_form_or_json_has_the_same_vector(
    client: aiohttp.ClientSession, path: str
) -> None:
    async with client.get(path, params=TEXT) as response:
        assert (response.status, response.headers["X-Model"]) == (200, "Tiny-BERT")
        vector = await response.json()
    assert len(vector) == WIDTH
    assert math.hypot(*vector) == pytest.approx(1.0, abs=1e-3)
    multipart = aiohttp.FormData(default_to_multipart=True)
    multipart.add_field("text", TEXT["text"])
    for body in ({"data": TEXT}, {"json": TEXT}, {"data": multipart}):
        async with client.post(path, **body) as response:
            assert await response.json() == pytest.approx(vector, abs=1e-3)


@pytest.mark.parametrize(
    ("method", "path", "sent", "status", "code"),
    [
        ("GET", "/embedding/query", {}, 400, "request.invalid"),
        ("GET", "/embedding/query", {"params": {"text": " "}}, 400, "prompt.empty"),
        ("GET", "/embedding/query", {"params": [("text", "a"), ("text", "b")]}, 400, "request.invalid"),
        ("POST", "/embedding/document", {"json": {"text": 1}}, 400, "request.invalid"),
        ("POST", "/embedding/document", {"json": ["a"]}, 400, "request.invalid"),
        ("POST", "/embedding/document", {"data": "text"}, 415, "request.invalid"),
        ("POST", "/embedding/document", {"data": {"text": "a " * WINDOW}}, 413, "prompt.too_long"),
        ("POST", "/embedding/passage", {"data": {"text": "a"}}, 404, "request.not_found"),
        ("PUT", "/embedding/query", {}, 405, "request.method_not_allowed"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_told_as_json_with_a_code(
    client: aiohttp.ClientSession, method: str, path: str, sent: dict[str, Any], status: int, code: str
) -> None:
    async with client.request(method, path, **sent) as response:
        assert response.status == status
        assert (await response.json())["error"]["code"] == code


async def test_what_is_off_says_so_in_the_callers_language(tmp_path: Path, given: Parts) -> None:
    off = parts(tmp_path, whisper_embedding_model="none")
    engines = Engines(machine(1000), LIMITS)
    given.embeddings = Embeddings(off.settings, Catalogue(tmp_path), engines, machine(1000))
    async with (
        serving(given) as session,
        session.get("/embedding/query", params=TEXT | {"lang": "fr"}) as response,
    ):
        assert response.status == 501
        assert "plongement" in (await response.json())["error"]["message"]


async def test_openais_own_client_gets_vectors(sdk: openai.AsyncOpenAI) -> None:
    """It asks for base64 unless it is told otherwise."""
    packed = await sdk.embeddings.create(model="Tiny-BERT", input=["one", "two", "one"])
    plain = await sdk.embeddings.create(model="tiny-bert", input=["one", "two"], encoding_format="float")
    assert [one.index for one in packed.data] == [0, 1, 2]
    assert packed.data[1].embedding == pytest.approx(plain.data[1].embedding, abs=1e-3)
    assert packed.data[0].embedding == pytest.approx(packed.data[2].embedding, abs=1e-3)
    assert packed.model == "Tiny-BERT"
    assert packed.usage.prompt_tokens == packed.usage.total_tokens == 15
    one = await sdk.embeddings.create(model="tiny-bert.gguf", input="one", dimensions=WIDTH, user="ana")
    assert len(one.data[0].embedding) == WIDTH


@pytest.mark.parametrize(
    ("asked", "status", "param", "code"),
    [
        ({"model": "text-embedding-3-small"}, 404, None, "model_not_found"),
        ({"input": [1, 2, 3]}, 400, "input", None),
        ({"input": [[1, 2], [3]]}, 400, "input", None),
        ({"input": []}, 400, "input", None),
        ({"input": {}}, 400, "input", None),
        ({"input": ["a", None]}, 400, "input[1]", None),
        ({"input": ["a", ""]}, 400, "input[1]", None),
        ({"input": ""}, 400, "input", None),
        ({"input": ["a"] * 2049}, 400, "input", None),
        ({"input": "a " * WINDOW}, 400, None, "context_length_exceeded"),
        ({"dimensions": WIDTH - 1}, 400, "dimensions", None),
        ({"dimensions": True}, 400, "dimensions", None),
        ({"dimensions": 0}, 400, "dimensions", None),
        ({"encoding_format": "int8"}, 400, "encoding_format", None),
        ({"model": 1}, 400, "model", None),
        ({"inputs": "a"}, 400, "inputs", None),
    ],
)
async def test_what_is_asked_wrongly_is_refused_by_its_name(
    client: aiohttp.ClientSession, asked: dict[str, Any], status: int, param: str | None, code: str | None
) -> None:
    body = {"model": "tiny-bert", "input": "a"} | asked
    async with client.post("/v1/embeddings", json=body) as response:
        assert response.status == status
        error = (await response.json())["error"]
    assert error["param"] == param
    assert code is None or error["code"] == code


async def test_documents_are_ranked_the_best_first(client: aiohttp.ClientSession) -> None:
    documents = ["nothing at all", {"text": "where is it"}, "where it is"]
    asked = {"query": "where is it", "documents": documents, "top_n": 2, "return_documents": True}
    async with client.post("/v1/rerank", json=asked) as response:
        assert response.status == 200
        answer = await response.json()
    first, second = answer["results"]
    assert (first["index"], first["document"]) == (1, {"text": "where is it"})
    assert first["relevance_score"] == pytest.approx(1.0, abs=1e-3)
    assert first["relevance_score"] > second["relevance_score"]
    assert (answer["model"], answer["scored_by"]) == ("Tiny-BERT", "cosine")
    assert answer["usage"]["total_tokens"] > 0
    async with client.post("/v1/rerank", json={"query": "a", "documents": ["b", "c", "d"]}) as response:
        results = (await response.json())["results"]
    assert sorted(result["index"] for result in results) == [0, 1, 2]
    assert all("document" not in result for result in results)


@pytest.mark.parametrize(
    ("asked", "status", "param"),
    [
        ({"query": None}, 400, "query"),
        ({"query": " "}, 400, "query"),
        ({"documents": None}, 400, "documents"),
        ({"documents": []}, 400, "documents"),
        ({"documents": ["a", " "]}, 400, "documents[1]"),
        ({"documents": ["a", 1]}, 400, "documents[1]"),
        ({"documents": ["a", {"words": "a"}]}, 400, "documents[1].text"),
        ({"documents": ["a"] * 1001}, 400, "documents"),
        ({"top_n": 0}, 400, "top_n"),
        ({"return_documents": "yes"}, 400, "return_documents"),
        ({"model": "rerank-v3.5"}, 404, None),
        ({"max_chunks_per_doc": 3}, 400, "max_chunks_per_doc"),
    ],
)
async def test_a_ranking_that_is_asked_for_wrongly_is_refused_by_its_name(
    client: aiohttp.ClientSession, asked: dict[str, Any], status: int, param: str | None
) -> None:
    body = {"query": "a", "documents": ["b"]} | asked
    async with client.post("/v1/rerank", json=body) as response:
        assert response.status == status
        assert (await response.json())["error"]["param"] == param


async def test_who_goes_away_leaves_no_work_behind(client: aiohttp.ClientSession, given: Parts) -> None:
    async with client.get("/embedding/query", params=TEXT):
        pass
    engines = given.embeddings._engines
    asking = asyncio.create_task(client.post("/v1/embeddings", json={"input": ["a b c"] * 2000}))
    async with asyncio.timeout(10):
        while not engines.overview().running:  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0.005)
        asking.cancel()
        while engines.overview().running or engines.overview().waiting:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    asked_for = engines.overview().hits + engines.overview().misses
    await asyncio.sleep(0.2)
    assert engines.overview().hits + engines.overview().misses == asked_for < 2000 / MOST_TEXTS
