"""Pictures on the socket: uploaded before, looked at by a model that sees, and nobody else's."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from PIL import Image
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from menagerie.grounding.pictures import LARGEST, MOST_PICTURES
from tests.openai.recording_engine import RecordingEngine, recording_engine
from tests.service import Service, running_service

EVENTS = Subprotocol("menagerie.events.v1")
pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine() -> Iterator[RecordingEngine]:
    with recording_engine() as running:
        yield running


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, engine: RecordingEngine) -> Iterator[Service]:
    """One with a persona whose model sees, and one whose model does not; programs need a key."""
    personas = tmp_path_factory.mktemp("personas")
    written = {"lookout": {"engine": "seeing"}, "mole": {"engine": "default"}}
    (personas / "10-sight.json").write_text(json.dumps(written), encoding="utf-8")
    settings = {
        "MENAGERIE_PERSONALITIES": str(personas),
        "MENAGERIE_TRUSTED_PROXIES": "127.0.0.1/32",
        "MENAGERIE_ENGINES__DEFAULT__URL": engine.url,
        "MENAGERIE_ENGINES__SEEING__URL": engine.url,
        "MENAGERIE_ENGINES__SEEING__SEES": "on",
        "MENAGERIE_ENGINES__SEEING__WINDOW": "32768",
        "LLM_CONTEXT_WINDOW": "16384",
        "MENAGERIE_API_KEYS": "required",
    }
    with running_service(tmp_path_factory.mktemp("data"), None, **settings) as running:
        yield running


def picture(kind: str = "PNG", size: tuple[int, int] = (3, 2)) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", size, (200, 30, 30)).save(written, kind)
    return written.getvalue()


def bomb() -> bytes:
    """A PNG of 30,000 × 30,000 pixels in a hundred bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        checked = name + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


async def sent(
    service: Service, content: bytes, user: str = "", **headers: str
) -> tuple[int, dict[str, Any]]:
    """What the service says to a file from a page."""
    form = aiohttp.FormData()
    form.add_field("purpose", headers.pop("purpose", "user_data"))
    form.add_field("file", io.BytesIO(content), filename="holiday.png")
    said = {"Origin": service.url, **headers, **({"X-Forwarded-User": user} if user else {})}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{service.url}/v1/files?lang=fr", data=form, headers=said) as answer,
    ):
        return answer.status, await answer.json()


async def uploaded(service: Service, content: bytes, user: str = "") -> str:
    status, told = await sent(service, content, user)
    assert status == 200, told
    return str(told["id"])


async def asked(service: Service, persona: str = "lookout", user: str = "", **request: Any) -> dict[str, Any]:
    """The last event of a turn."""
    headers = {"X-Forwarded-User": user} if user else {}
    address = service.socket_url(persona, lang="en")
    async with connect(address, subprotocols=[EVENTS], additional_headers=headers) as socket:
        await socket.send(json.dumps(request))
        async for frame in socket:
            event: dict[str, Any] = json.loads(frame)
            if event["type"] in {"done", "failed"}:
                return event
    raise AssertionError("the socket closed")


async def test_pictures_reach_the_model_with_what_is_asked(service: Service, engine: RecordingEngine) -> None:
    png, jpeg = picture(), picture("JPEG")
    ids = [await uploaded(service, png), await uploaded(service, jpeg)]

    event = await asked(service, prompt="What is it?", pictures=[*ids, ids[0]])

    assert event["type"] == "done", event
    words, *images = engine.asked[-1]["messages"][-1]["content"]
    assert words == {"type": "text", "text": "What is it?"}
    kinds = [one["image_url"]["url"].partition(";")[0] for one in images]
    assert kinds == ["data:image/png", "data:image/jpeg"]


async def test_a_picture_alone_is_a_message(service: Service, engine: RecordingEngine) -> None:
    event = await asked(service, prompt="", pictures=[await uploaded(service, picture())])

    assert event["type"] == "done", event
    assert any(part["type"] == "image_url" for part in engine.asked[-1]["messages"][-1]["content"])


async def test_a_picture_of_somebody_else_is_unknown(service: Service) -> None:
    theirs = await uploaded(service, picture(), "ann@example.org")

    for user in ("", "bob@example.org"):
        event = await asked(service, user=user, prompt="What is it?", pictures=[theirs])
        assert (event["type"], event["code"]) == ("failed", "file.unknown")
    assert (await asked(service, user="ann@example.org", prompt="?", pictures=[theirs]))["type"] == "done"


@pytest.mark.parametrize(
    "content",
    [
        b"GIF89a not a picture that is looked at",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture()[:20],
        picture("BMP"),
        bomb(),
        picture() + bytes(LARGEST),
    ],
    ids=["gif", "svg", "cut off", "bmp", "bomb", "too large"],
)
async def test_what_is_no_picture_is_refused_by_its_content(
    service: Service, engine: RecordingEngine, content: bytes
) -> None:
    before = len(engine.asked)

    event = await asked(service, prompt="What is it?", pictures=[await uploaded(service, content)])

    assert (event["type"], event["code"]) == ("failed", "picture.unsupported")
    assert "PNG or JPEG of at most 50 million pixels and 4 MB" in event["message"]
    assert len(engine.asked) == before


async def test_there_are_only_so_many_pictures_in_a_message(service: Service) -> None:
    event = await asked(service, prompt="?", pictures=["file-" + "0" * 32] * (MOST_PICTURES + 1))

    assert (event["type"], event["code"]) == ("failed", "picture.too_many")


async def test_a_model_that_does_not_see_says_so_before_anything_is_read(service: Service) -> None:
    event = await asked(service, "mole", prompt="What is it?", pictures=["file-" + "0" * 32])

    assert (event["type"], event["code"]) == ("failed", "image.unsupported")


async def test_a_page_sends_documents_without_a_key_and_programs_do_not(service: Service) -> None:
    assert (await sent(service, b"A text.", **{"Sec-Fetch-Site": "same-origin"}))[0] == 200
    status, told = await sent(service, b"{}", purpose="batch")
    assert (status, told["error"]["param"]) == (400, "purpose")
    status, told = await sent(service, b"A text.", Origin="https://elsewhere.example")
    assert (status, told["error"]["code"]) == (403, "request.origin_refused")
    form = aiohttp.FormData({"purpose": "user_data"})
    form.add_field("file", b"A text.", filename="a.txt")
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{service.url}/v1/files", data=form) as answer,
    ):
        assert (answer.status, (await answer.json())["error"]["code"]) == (401, "invalid_api_key")


async def test_a_page_has_a_file_forgotten_that_is_its_own(service: Service) -> None:
    mine, theirs = await uploaded(service, b"Mine."), await uploaded(service, b"Theirs.", "ann@example.org")
    async with aiohttp.ClientSession(headers={"Origin": service.url}) as client:
        async with client.delete(f"{service.url}/v1/files/{mine}") as answer:
            assert answer.status == 200
        async with client.delete(f"{service.url}/v1/files/{theirs}") as answer:
            assert answer.status == 404
