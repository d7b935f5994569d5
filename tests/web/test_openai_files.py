"""Documents in `/v1/files` and in messages: the turn knows which files its answer is to rest on."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

import openai as sdk
from menagerie.batches.service import Batches
from menagerie.core.identity import User
from menagerie.grounding.documents import Documents
from menagerie.grounding.uploads import Uploads
from menagerie.store.database import Store
from menagerie.store.folder import FileFolder
from menagerie.web.openai.attached import MAX_FILES
from menagerie.web.routes import openai, openai_batches
from tests.batches.test_service import Endpoint, Service
from tests.web.serving import Parts, parts, serving

PROXY = {"trusted_proxies": ("127.0.0.0/8",)}
TEXT = "Le canal Rideau est ouvert."
DATA = f"data:text/plain;base64,{base64.b64encode(TEXT.encode()).decode()}"


@asynccontextmanager
async def served(folder: Path, **settings: object) -> AsyncIterator[tuple[aiohttp.ClientSession, Parts]]:
    given = parts(folder, **PROXY, **settings)
    given.store = store = await Store.open("", given.settings.data)
    batches: Batches = Service(store, given.settings.data, Endpoint()).batches
    documents = Documents(given.settings)
    given.batches, given.uploads = batches, Uploads(store.files, batches.folder, documents)
    given.routers = (openai.router, openai_batches.router)
    try:
        async with serving(given) as client:
            yield client, given
    finally:
        await documents.close()
        await store.close()


def client_of(client: aiohttp.ClientSession, user: str = "ann") -> sdk.AsyncOpenAI:
    return sdk.AsyncOpenAI(
        base_url=str(client._base_url / "v1") if client._base_url else "",
        api_key="none",
        max_retries=0,
        default_headers={"X-Forwarded-User": user} if user else {},
    )


def chat(*files: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    content = [{"type": "text", "text": "Is it open?"}, *({"type": "file", "file": one} for one in files)]
    return "/v1/chat/completions", {"model": "otter", "messages": [{"role": "user", "content": content}]}


def response(*files: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    content = [
        {"type": "input_text", "text": "Is it open?"},
        *({"type": "input_file", **one} for one in files),
    ]
    return "/v1/responses", {"model": "otter", "input": [{"role": "user", "content": content}]}


async def send(client: aiohttp.ClientSession, request: tuple[str, dict[str, Any]], user: str = "ann") -> Any:
    async with client.post(request[0], json=request[1], headers={"X-Forwarded-User": user}) as answer:
        return answer.status, await answer.json()


@pytest.mark.parametrize("purpose", ["user_data", "assistants"])
@pytest.mark.parametrize("ask", [chat, response])
async def test_a_file_that_was_sent_before_is_one_of_the_turns_documents(
    tmp_path: Path, purpose: Any, ask: Any
) -> None:
    async with served(tmp_path) as (client, given), client_of(client) as ann:
        file = await ann.files.create(file=("../canal é.txt", TEXT.encode()), purpose=purpose)
        assert (file.purpose, file.filename, file.bytes) == (purpose, "canal é.txt", len(TEXT.encode()))
        assert [one.id for one in (await ann.files.list(purpose=purpose)).data] == [file.id]
        status, answer = await send(client, ask({"file_id": file.id}, {"file_id": file.id}))
        assert status == 200, answer
        assert given.turns.requests[-1].documents == (file.id,)
        assert given.turns.requests[-1].prompt == "Is it open?"
        assert (await given.uploads.document(file.id, User(("ann",)))).text == TEXT
        status, answer = await send(client, ask({"file_id": file.id}), "bob")
        assert (status, answer["error"]["code"]) == (404, "file.unknown")
        assert answer["error"]["param"].endswith("file_id")
        assert (await ann.files.delete(file.id)).deleted
        status, answer = await send(client, ask({"file_id": file.id}))
        assert (status, len(given.turns.requests)) == (404, 1)


@pytest.mark.parametrize("ask", [chat, response])
@pytest.mark.parametrize("data", [DATA, DATA.partition(",")[2]])
async def test_a_file_within_a_request_is_kept_and_is_one_of_its_documents(
    tmp_path: Path, ask: Any, data: str
) -> None:
    async with served(tmp_path) as (client, given):
        status, answer = await send(client, ask({"file_data": data, "filename": "/home/ann/canal.txt"}))
        assert status == 200, answer
        (file,) = given.turns.requests[-1].documents
        document = await given.uploads.document(file, User(("ann",)))
        assert (document.text, document.title) == (TEXT, "canal")


@pytest.mark.parametrize("ask", [chat, response])
@pytest.mark.parametrize(
    ("file", "field"),
    [
        ({}, "file_id"),
        ({"filename": "a.txt"}, "file_id"),
        ({"file_id": "file-1", "file_data": DATA}, "file_id"),
        ({"file_data": "data:text/plain,plain"}, "file_data"),
        ({"file_data": "no base64!"}, "file_data"),
        ({"file_data": "data:text/plain;base64,"}, "file_data"),
        ({"file_id": "../../etc/passwd"}, "file_id"),
        ({"file_id": 5}, "file_id"),
        ({"file_url": "http://127.0.0.1/"}, "file_url"),
        ({"path": "x"}, "path"),
    ],
)
async def test_a_file_that_is_none_is_refused_by_its_place(
    tmp_path: Path, ask: Any, file: dict[str, Any], field: str
) -> None:
    async with served(tmp_path) as (client, given):
        status, answer = await send(client, ask(file))
        assert status in {400, 404}, answer
        assert field in answer["error"]["param"]
        assert given.turns.requests == []
        assert list((given.settings.data / "files").glob("*")) == []


@pytest.mark.parametrize("ask", [chat, response])
async def test_a_request_has_no_more_files_than_allowed(tmp_path: Path, ask: Any) -> None:
    async with served(tmp_path) as (client, given):
        status, _ = await send(client, ask(*[{"file_data": DATA}] * (MAX_FILES + 1)))
        assert status == 400
        assert not FileFolder(given.settings.data / "files").has("x")
        assert list((given.settings.data / "files").glob("*")) == []


async def test_a_document_may_be_as_large_as_documents_may_be(tmp_path: Path) -> None:
    limits = {"max_document": 4096, "max_file": 2048, "max_body": 1024}
    async with served(tmp_path, **limits) as (client, _), client_of(client) as ann:
        assert (await ann.files.create(file=("a.txt", b"x" * 4096), purpose="user_data")).bytes == 4096
        for size, purpose in ((4097, "user_data"), (2049, "batch")):
            with pytest.raises(sdk.APIStatusError) as caught:
                await ann.files.create(file=("a.txt", b"x" * size), purpose=purpose)  # type: ignore[arg-type]
            assert caught.value.status_code == 413
        form = aiohttp.FormData()
        form.add_field("file", b"x" * 3000, filename="a.txt")
        form.add_field("purpose", "batch")
        async with client.post("/v1/files", data=form) as answer:
            assert answer.status == 413
