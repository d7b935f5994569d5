"""The batches of a service: every one ends, whatever dies meanwhile, and belongs to who made it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from menagerie.batches.job import BatchCaller
from menagerie.batches.requests import MOST_ERRORS, Reply
from menagerie.batches.runner import Patience
from menagerie.batches.service import Batches, window_of
from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.store.batches import ASKING, Batch
from menagerie.store.database import Store
from menagerie.store.files import File

CHAT = "/v1/chat/completions"
ANN, BOB = User(("ann", "ann@example.ca"), "192.0.2.1"), User(("bob",), "192.0.2.2")
NOBODY = User((), "192.0.2.3")


def request(number: int, **changed: object) -> dict[str, object]:
    """One line of a batch."""
    return {"custom_id": f"r{number}", "method": "POST", "url": CHAT, "body": {"n": number}, **changed}


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a result."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


class Endpoint:
    """What answers: it notes whom it was asked for, and may hang, refuse or be slow."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.answered: list[int] = []
        self.refusals: dict[int, list[Reply]] = {}
        self.hangs: Callable[[int], bool] = lambda _number: False
        self.hung = asyncio.Event()

    async def __call__(self, caller: BatchCaller, endpoint: str, body: dict[str, Any]) -> Reply:
        assert endpoint == CHAT
        number = body["n"]
        self.asked.append((caller.user.id, number))
        if self.hangs(number):
            self.hung.set()
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        if self.refusals.get(number):
            return self.refusals[number].pop(0)
        self.answered.append(number)
        return Reply(200, {"echo": number})

    async def stuck(self, after: int) -> None:
        """Wait until so many were answered and the next one hangs."""
        async with asyncio.timeout(10):
            await self.hung.wait()
            while len(self.answered) < after:  # noqa: ASYNC110
                await asyncio.sleep(0.005)


class Service:
    """A store, an endpoint and their batches."""

    def __init__(self, store: Store, data: Path, endpoint: Endpoint) -> None:
        async def slots() -> int:
            return 3

        self.store = store
        self.endpoint = endpoint
        kept, patience = timedelta(days=30), Patience(first_s=0.001, most_s=0.01)
        self.batches = Batches(store, data, endpoint, slots, kept=kept, patience=patience)

    async def file(self, rows: list[object], user: User = ANN) -> str:
        """A file of the user's, a line for each row; a `str` is a line as it is."""
        content = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows).encode()
        async with self.batches.folder.receive() as incoming:
            incoming.write(content)
            incoming.keep()
        now = datetime.now(UTC)
        await self.batches.add_file(
            File(
                id=incoming.id,
                owner=user.id,
                filename="rows.jsonl",
                purpose="batch",
                sha256=incoming.sha256,
                bytes=incoming.size,
                created_at=now,
                expires_at=now + timedelta(days=30),
            )
        )
        return incoming.id

    async def begin(self, rows: list[object], user: User = ANN, window: str = "24h") -> str:
        """A batch of these rows; its id."""
        made = await self.batches.create(
            BatchCaller(user, "", "en"),
            endpoint=CHAT,
            input_file=await self.file(rows, user),
            window=window,
            metadata={},
        )
        return made.id

    async def ended(self, batch: str, user: User = ANN) -> Batch:
        """The batch, once it has ended."""
        async with asyncio.timeout(20):
            while True:
                found = await self.batches.get(batch, user)
                if found.status in {"completed", "failed", "cancelled", "expired"}:
                    return found
                await asyncio.sleep(0.01)

    def lines(self, file: str) -> list[dict[str, Any]]:
        """The lines of a result."""
        return lines(self.batches.folder.path(file))


@asynccontextmanager
async def running(data: Path, endpoint: Endpoint) -> AsyncIterator[Service]:
    """A service at work, until it is left as a crash would leave it."""
    store = await Store.open("", data)
    service = Service(store, data, endpoint)
    working = asyncio.create_task(service.batches.run())
    try:
        yield service
    finally:
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        await store.close()


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with running(tmp_path, Endpoint()) as service:
        yield service


async def test_results_are_in_the_order_of_the_input_and_refusals_in_a_file_of_their_own(
    service: Service,
) -> None:
    told = {"error": {"code": "model_not_found", "message": "None.", "menagerie": {"code": "model.unknown"}}}
    service.endpoint.refusals = {4: [Reply(404, told)], 6: [Reply(503, {"error": {}}, 0.01)] * 2}
    batch = await service.ended(await service.begin([request(number) for number in range(20)]))
    assert (batch.status, batch.total, batch.completed, batch.failed) == ("completed", 20, 19, 1)
    output = service.lines(batch.output_file)
    assert [line["custom_id"] for line in output] == [f"r{n}" for n in range(20) if n != 4]
    assert output[6]["response"]["status_code"] == 200
    assert output[6]["response"]["body"] == {"echo": 7}
    assert output[6]["error"] is None
    assert output[6]["response"]["request_id"]
    (failure,) = service.lines(batch.error_file)
    assert (failure["custom_id"], failure["error"]) == ("r4", None)
    assert (failure["response"]["status_code"], failure["response"]["body"]) == (404, told)
    for kind in (batch.output_file, batch.error_file):
        file = await service.store.files.get(kind, ANN)
        assert file.bytes == service.batches.folder.path(kind).stat().st_size
        assert file.purpose == "batch_output"
    moments = (batch.created_at, batch.in_progress_at, batch.finalizing_at, batch.completed_at)
    assert sorted(filter(None, moments)) == list(moments)


async def test_a_batch_without_failures_has_no_file_of_them(service: Service) -> None:
    batch = await service.ended(await service.begin([request(1)]))
    assert batch.error_file == ""
    assert batch.output_file


async def test_a_file_with_wrong_lines_fails_before_anything_is_asked_and_names_each(
    service: Service,
) -> None:
    rows: list[object] = [
        request(1),
        "{broken",
        request(1),
        request(3, custom_id=None),
        request(4, method="GET"),
        request(5, url="/v1/embeddings"),
        request(6, body="text"),
    ]
    batch = await service.ended(await service.begin(rows))
    assert batch.status == "failed"
    assert [(one["line"], one["code"], one["param"]) for one in json.loads(batch.errors)] == [
        (2, "invalid_json_line", None),
        (3, "duplicate_custom_id", "custom_id"),
        (4, "missing_required_parameter", "custom_id"),
        (5, "invalid_method", "method"),
        (6, "mismatched_url", "url"),
        (7, "missing_required_parameter", "body"),
    ]
    assert all(one["message"] for one in json.loads(batch.errors))
    assert service.endpoint.asked == []


async def test_of_a_thousand_wrong_lines_the_first_hundred_are_told(service: Service) -> None:
    batch = await service.ended(await service.begin(["{"] * 1000))
    assert len(json.loads(batch.errors)) == MOST_ERRORS


async def test_a_file_of_blank_lines_is_told_to_be_empty(service: Service) -> None:
    batch = await service.ended(await service.begin(["", " "]))
    assert [one["code"] for one in json.loads(batch.errors)] == ["empty_file"]


async def test_a_batch_goes_on_in_the_next_service_and_asks_no_answered_row_again(tmp_path: Path) -> None:
    endpoint = Endpoint()
    endpoint.hangs = lambda number: number >= 25
    async with running(tmp_path, endpoint) as service:
        batch = await service.begin([request(number) for number in range(50)])
        await endpoint.stuck(25)
    endpoint.hangs = lambda _number: False
    async with running(tmp_path, endpoint) as service:
        ended = await service.ended(batch)
        assert (ended.status, ended.completed) == ("completed", 50)
        output = service.lines(ended.output_file)
        assert [line["custom_id"] for line in output] == [f"r{n}" for n in range(50)]
        async with asyncio.timeout(5):
            while list((tmp_path / "batches").iterdir()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    assert sorted(endpoint.answered) == list(range(50))


async def test_a_batch_that_was_cut_off_while_its_results_were_written_ends_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = Endpoint()

    async def dies(*_: object, **__: object) -> None:
        raise asyncio.CancelledError

    async with running(tmp_path, endpoint) as service:
        change = service.store.batches.change
        cut = asyncio.Event()

        async def change_until_the_end(batch: str, states: Any, values: Any, made: Any = ()) -> Any:
            if made:
                cut.set()
                await dies()
            return await change(batch, states, values, made)

        monkeypatch.setattr(service.store.batches, "change", change_until_the_end)
        batch = await service.begin([request(number) for number in range(5)])
        await cut.wait()
        assert (await service.batches.get(batch, ANN)).status == "finalizing"
    async with running(tmp_path, endpoint) as service:
        ended = await service.ended(batch)
        assert ended.status == "completed"
        assert len(service.lines(ended.output_file)) == 5
    assert len(endpoint.answered) == 5


async def test_a_cancelled_batch_keeps_its_answers_and_tells_of_the_others(service: Service) -> None:
    service.endpoint.hangs = lambda number: number >= 3
    batch = await service.begin([request(number) for number in range(10)])
    await service.endpoint.stuck(3)
    cancelled = await service.batches.cancel(batch, ANN)
    assert cancelled is not None
    assert cancelled.status == "cancelling"
    ended = await service.ended(batch)
    assert (ended.status, ended.completed, ended.failed) == ("cancelled", 3, 7)
    assert [line["custom_id"] for line in service.lines(ended.output_file)] == ["r0", "r1", "r2"]
    assert {line["error"]["code"] for line in service.lines(ended.error_file)} == {"batch_cancelled"}
    assert await service.batches.cancel(batch, ANN) is None


async def test_a_batch_whose_time_is_over_expires(tmp_path: Path) -> None:
    endpoint = Endpoint()
    endpoint.hangs = lambda number: number >= 3
    async with running(tmp_path, endpoint) as service:
        batch = await service.begin([request(number) for number in range(10)])
        await endpoint.stuck(3)
        soon = datetime.now(UTC) + timedelta(seconds=0.2)
        await service.store.batches.change(batch, ASKING, {"expires_at": soon})
    async with running(tmp_path, endpoint) as service:
        ended = await service.ended(batch)
        assert (ended.status, ended.completed, ended.failed) == ("expired", 3, 7)
        assert ended.expired_at is not None
        errors = service.lines(ended.error_file)
        assert [line["custom_id"] for line in errors] == [f"r{n}" for n in range(3, 10)]
        assert {line["error"]["code"] for line in errors} == {"batch_expired"}
        assert all(line["response"] is None for line in errors)


@pytest.mark.parametrize("window", ["", "24", "0h", "-1h", "1000h", "24h ", "1w", "31d", "24H"])
def test_a_window_is_a_number_of_hours_or_days_within_what_files_are_kept(window: str) -> None:
    assert window_of(window, timedelta(days=30)) is None
    assert window_of("24h", timedelta(days=30)) == timedelta(hours=24)
    assert window_of("7d", timedelta(days=30)) == timedelta(days=7)


async def test_each_owner_has_one_batch_at_work_and_nobody_waits_behind_another(service: Service) -> None:
    service.endpoint.hangs = lambda number: number < 100
    first = await service.begin([request(1)])
    await service.begin([request(2)])
    other = await service.begin([request(100)], BOB)
    assert (await service.ended(other, BOB)).status == "completed"
    assert sorted(service.endpoint.asked) == [("ann", 1), ("bob", 100)]
    service.endpoint.hangs = lambda _number: False
    await service.batches.cancel(first, ANN)
    await service.ended(first)
    async with asyncio.timeout(10):
        while ("ann", 2) not in service.endpoint.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_what_somebody_else_made_does_not_exist(service: Service) -> None:
    batch = await service.begin([request(1)])
    ended = await service.ended(batch)
    for user in (BOB, NOBODY):
        for attempt in (
            service.batches.get(batch, user),
            service.batches.cancel(batch, user),
            service.store.files.get(ended.output_file, user),
            service.batches.delete_file(ended.output_file, user),
            service.batches.create(
                BatchCaller(user, "", "en"),
                endpoint=CHAT,
                input_file=ended.input_file,
                window="24h",
                metadata={},
            ),
        ):
            with pytest.raises(MenagerieError, match=r"unknown"):
                await attempt
        assert await service.batches.list(user, limit=10) == ()
        assert await service.store.files.list(user, limit=10) == ()
    assert [one.id for one in await service.batches.list(ANN, limit=10)] == [batch]
    assert len(await service.store.files.list(ANN, limit=10)) == 2


async def test_who_has_no_name_has_what_they_know_the_id_of_and_no_list(service: Service) -> None:
    batch = await service.begin([request(1)], NOBODY)
    assert (await service.ended(batch, NOBODY)).status == "completed"
    assert await service.batches.list(NOBODY, limit=10) == ()
    assert await service.store.files.list(NOBODY, limit=10) == ()


async def test_a_key_that_is_revoked_meanwhile_ends_the_batch(service: Service) -> None:
    refused = {"error": {"code": "invalid_api_key", "message": "Revoked."}}
    service.endpoint.refusals = {number: [Reply(401, refused)] for number in range(5, 100)}
    batch = await service.ended(await service.begin([request(number) for number in range(100)]))
    assert batch.status == "failed"
    assert [one["message"] for one in json.loads(batch.errors)] == ["Revoked."]


async def test_files_whose_time_is_over_are_deleted_unless_a_batch_waits_for_them(tmp_path: Path) -> None:
    endpoint = Endpoint()
    endpoint.hangs = lambda _number: True
    async with running(tmp_path, endpoint) as service:
        batch = await service.begin([request(1)])
        await endpoint.hung.wait()
        old = await service.file([request(2)])
        wanted = (await service.batches.get(batch, ANN)).input_file
        later = datetime.now(UTC) + timedelta(days=31)
        assert await service.store.files.forget_expired(later) == (old,)
        assert service.batches.folder.has(wanted)


async def test_a_file_is_on_the_disk_whole_or_not_at_all(tmp_path: Path) -> None:
    async with running(tmp_path, Endpoint()) as service:
        async with service.batches.folder.receive() as incoming:
            incoming.write(b"half")
        assert list((tmp_path / "files").iterdir()) == []
    left = tmp_path / "files" / "file-x.part"
    left.write_bytes(b"of a service that was killed")
    async with running(tmp_path, Endpoint()) as service:
        await service.ended(await service.begin([request(1)]))
        assert not left.exists()


@pytest.mark.parametrize(
    "name", ["../menagerie.sqlite3", "file-" + "0" * 31, "file-" + "g" * 32, "", "/etc/passwd"]
)
async def test_no_id_leads_out_of_the_folder(service: Service, name: str) -> None:
    assert not service.batches.folder.has(name)
    with pytest.raises(MenagerieError):
        service.batches.folder.path(name)
