"""`/v1/files` and `/v1/batches`: OpenAI's own client against them, and what no client of theirs would send."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

import openai
from menagerie.store.database import Store
from menagerie.web.routes import openai_batches
from tests.batches.test_service import CHAT, Endpoint, request
from tests.batches.test_service import Service as Batching
from tests.service import free_port, running_service
from tests.web.serving import Parts, parts, serving

PROXY = {"trusted_proxies": ("127.0.0.0/8",)}


@asynccontextmanager
async def served(folder: Path, **settings: object) -> AsyncIterator[tuple[aiohttp.ClientSession, Batching]]:
    """The routes on a real store; batches are answered by an `Endpoint`."""
    given: Parts = parts(folder, **PROXY, **settings)
    given.store = store = await Store.open("", given.settings.data)
    batching = Batching(store, given.settings.data, Endpoint())
    given.batches = batching.batches
    given.routers = (openai_batches.router,)
    working = asyncio.create_task(batching.batches.run())
    try:
        async with serving(given) as client:
            yield client, batching
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await store.close()


def _sdk(client: aiohttp.ClientSession, user: str) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(
        base_url=str(client._base_url / "v1") if client._base_url else "",
        api_key="none",
        max_retries=0,
        default_headers={"X-Forwarded-User": user} if user else {},
    )


def _content(rows: int) -> bytes:
    return "\n".join(json.dumps(request(number)) for number in range(rows)).encode()


async def test_openais_client_sends_a_file_runs_a_batch_and_reads_the_results(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _), _sdk(client, "ann") as sdk:
        file = await sdk.files.create(file=("../../rows é.jsonl", _content(12)), purpose="batch")
        assert (file.object, file.bytes, file.purpose) == ("file", len(_content(12)), "batch")
        assert file.filename == "rows é.jsonl"
        assert (await sdk.files.content(file.id)).content == _content(12)
        batch = await sdk.batches.create(
            input_file_id=file.id,
            endpoint=CHAT,  # type: ignore[arg-type]
            completion_window="24h",
            metadata={"why": "test"},
        )
        assert (batch.object, batch.endpoint, batch.input_file_id) == ("batch", CHAT, file.id)
        async with asyncio.timeout(20):
            while batch.status not in {"completed", "failed"}:
                await asyncio.sleep(0.05)
                batch = await sdk.batches.retrieve(batch.id)
        assert batch.status == "completed"
        assert batch.request_counts is not None
        assert (batch.request_counts.total, batch.request_counts.completed) == (12, 12)
        assert batch.metadata == {"why": "test"}
        assert batch.error_file_id is None
        assert batch.output_file_id is not None
        output = (await sdk.files.content(batch.output_file_id)).text
        assert [json.loads(line)["custom_id"] for line in output.splitlines()] == [f"r{n}" for n in range(12)]
        assert (await sdk.files.delete(file.id)).deleted
        with pytest.raises(openai.NotFoundError):
            await sdk.files.retrieve(file.id)
        with pytest.raises(openai.ConflictError):
            await sdk.batches.cancel(batch.id)


async def test_a_batch_that_fails_names_the_lines(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _), _sdk(client, "ann") as sdk:
        file = await sdk.files.create(file=("r.jsonl", b'{"custom_id": 1}\n'), purpose="batch")
        batch = await sdk.batches.create(
            input_file_id=file.id, endpoint="/v1/responses", completion_window="24h"
        )
        async with asyncio.timeout(20):
            while batch.status != "failed":
                await asyncio.sleep(0.02)
                batch = await sdk.batches.retrieve(batch.id)
        assert batch.errors is not None
        assert batch.errors.data
        assert {one.param for one in batch.errors.data} == {"custom_id", "method", "url", "body"}
        assert {one.line for one in batch.errors.data} == {1}


async def test_a_batch_can_be_cancelled(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, batching), _sdk(client, "ann") as sdk:
        batching.endpoint.hangs = lambda _number: True
        file = await sdk.files.create(file=("r.jsonl", _content(3)), purpose="batch")
        batch = await sdk.batches.create(
            input_file_id=file.id,
            endpoint=CHAT,  # type: ignore[arg-type]
            completion_window="24h",
        )
        await batching.endpoint.stuck(0)
        assert (await sdk.batches.cancel(batch.id)).status == "cancelling"
        async with asyncio.timeout(20):
            while (await sdk.batches.retrieve(batch.id)).status != "cancelled":  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_lists_have_pages_and_nothing_of_others(tmp_path: Path) -> None:
    async with served(tmp_path) as (client, _), _sdk(client, "ann") as ann, _sdk(client, "bob") as bob:
        made = [(await ann.files.create(file=(f"{n}.jsonl", b"{}"), purpose="batch")).id for n in range(5)]
        found = [file.id async for file in ann.files.list(limit=2)]
        assert found == made[::-1]
        page = await ann.files.list(limit=2, order="asc", after=made[0])
        assert [file.id for file in page.data] == made[1:3]
        assert page.has_more
        assert [file.id for file in (await ann.files.list(purpose="batch_output")).data] == []
        for number in range(3):
            await ann.batches.create(
                input_file_id=made[number],
                endpoint=CHAT,  # type: ignore[arg-type]
                completion_window="24h",
            )
        assert [batch.input_file_id async for batch in ann.batches.list(limit=2)] == made[2::-1]
        assert (await bob.files.list()).data == []
        assert (await bob.batches.list()).data == []
        with pytest.raises(openai.NotFoundError):
            await bob.files.content(made[0])
        with pytest.raises(openai.NotFoundError):
            await bob.files.list(after=made[0])


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"endpoint": "/v1/audio"}, "endpoint"),
        ({"completion_window": "1y"}, "completion_window"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"input_file_id": 5}, "input_file_id"),
        ({"else": 1}, "else"),
    ],
)
async def test_what_is_wrong_with_a_batch_is_named(
    tmp_path: Path, changed: dict[str, Any], param: str
) -> None:
    body = {"input_file_id": "file-1", "endpoint": CHAT, "completion_window": "24h", **changed}
    async with served(tmp_path) as (client, _), client.post("/v1/batches", json=body) as response:
        assert response.status == 400
        error = (await response.json())["error"]
        assert error["type"] == "invalid_request_error"
        assert str(error["param"]).startswith(param)


async def test_a_batch_of_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    body = {"input_file_id": "file-1", "endpoint": CHAT, "completion_window": "24h"}
    async with served(tmp_path) as (client, _), client.post("/v1/batches", json=body) as response:
        assert response.status == 404
        assert (await response.json())["error"]["code"] == "file.unknown"


def _form(*fields: tuple[str, bytes, str | None]) -> tuple[bytes, dict[str, str]]:
    body = b""
    for name, value, filename in fields:
        about = f'form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")
        body += f"--edge\r\nContent-Disposition: {about}\r\n\r\n".encode() + value + b"\r\n"
    return body + b"--edge--\r\n", {"Content-Type": "multipart/form-data; boundary=edge"}


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ([("purpose", b"batch", None)], 400),
        ([("file", b"{}", "r.jsonl")], 400),
        ([("purpose", b"batch", None), ("file", b"", "r.jsonl")], 400),
        ([("purpose", b"fine-tune", None), ("file", b"{}", "r.jsonl")], 400),
        ([("purpose", b"batch", None), ("file", b"{}", "a"), ("file", b"{}", "b")], 400),
        ([("purpose", b"batch", None), ("other", b"{}", None)], 400),
        ([("purpose", b"x" * 5000, None), ("file", b"{}", "a")], 400),
        ([("purpose", b"batch", None), ("file", b"x" * 3000, "a")], 413),
        ([("file", b"{}", "r.jsonl"), ("purpose", b"batch", None)], 200),
    ],
)
async def test_a_form_is_taken_only_as_it_should_be_and_leaves_nothing_behind_otherwise(
    tmp_path: Path, fields: list[tuple[str, bytes, str | None]], status: int
) -> None:
    body, headers = _form(*fields)
    async with served(tmp_path, max_file=2048, max_body=1024) as (client, batching):
        async with client.post("/v1/files", data=body, headers=headers) as response:
            assert response.status == status
            assert "error" in await response.json() or status == 200
        left = list((batching.batches.folder.path("file-" + "0" * 32).parent).glob("*"))
        assert len(left) == (status == 200)


async def test_a_purpose_that_is_none_is_refused_with_those_that_are(tmp_path: Path) -> None:
    body, headers = _form(("purpose", b"fine-tune", None), ("file", b"{}", "r.jsonl"))
    async with (
        served(tmp_path) as (client, _),
        client.post("/v1/files", data=body, headers=headers) as response,
    ):
        assert "assistants, batch, user_data" in (await response.json())["error"]["message"]


async def test_a_form_that_breaks_off_or_is_none_is_refused(tmp_path: Path) -> None:
    body, headers = _form(("purpose", b"batch", None), ("file", b"{}", "r.jsonl"))
    async with served(tmp_path) as (client, _):
        async with client.post("/v1/files", data=body[:-10], headers=headers) as response:
            assert response.status == 400
        async with client.post("/v1/files", json={}) as response:
            assert response.status == 415


async def test_a_large_file_is_written_away_as_it_comes_and_other_bodies_keep_their_limit(
    tmp_path: Path,
) -> None:
    size = 200 * 2**20

    async def pieces() -> AsyncIterator[bytes]:
        head, tail = _form(("purpose", b"batch", None), ("file", b"%", "r.jsonl"))[0].split(b"%")
        yield head
        for _ in range(size // 2**20):
            yield b"x" * 2**20
        yield tail

    async with served(tmp_path, max_file=size, max_body=4096) as (client, _):
        process = psutil.Process()
        before = process.memory_info().rss
        headers = {"Content-Type": "multipart/form-data; boundary=edge"}
        async with client.post("/v1/files", data=pieces(), headers=headers) as response:
            assert response.status == 200, await response.text()
            assert (await response.json())["bytes"] == size
        assert (process.memory_info().rss - before) / 2**20 < 40
        async with client.post("/v1/batches", data=b"x" * 5000) as response:
            assert response.status == 413


@pytest.mark.engine
def test_a_batch_outlives_the_kill_of_its_service(tmp_path: Path, tiny_model: Path) -> None:
    data, port = tmp_path / "data", str(free_port())
    rows = [
        request(n, body={"model": "beaver", "messages": [{"role": "user", "content": f"number {n}"}]})
        for n in range(40)
    ]
    content = "\n".join(map(json.dumps, rows)).encode()
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as sdk,
        running_service(data, tiny_model, MENAGERIE_PORT=port) as service,
    ):
        file = sdk.files.create(file=("rows.jsonl", content), purpose="batch")
        batch = sdk.batches.create(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
        )
        journal = data / "batches" / f"{batch.id}.journal"
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < 8:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        service.kill_everything()
        kept = journal.read_bytes().split(b"\n")[1:-1]
    assert len(kept) < 40
    with (
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as sdk,
        running_service(data, tiny_model, MENAGERIE_PORT=port),
    ):
        deadline = time.monotonic() + 60
        while (batch := sdk.batches.retrieve(batch.id)).status != "completed":
            assert time.monotonic() < deadline, batch
            time.sleep(0.1)
        assert batch.output_file_id
        output = [json.loads(line) for line in sdk.files.content(batch.output_file_id).text.splitlines()]
    assert [line["custom_id"] for line in output] == [f"r{n}" for n in range(40)]
    by_id = {line["custom_id"]: line for line in output}
    for entry in map(json.loads, kept):
        assert by_id[entry["line"]["custom_id"]] == entry["line"]
