"""Collections: made, filled from files, folders and addresses, kept up to date, searched, and removed for good."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.grounding.facts import arrivals
from menagerie.grounding.facts.access import ADMINISTRATOR, Asker
from menagerie.grounding.facts.service import MOST_COLLECTIONS, FactBases
from menagerie.store.facts.documents import DocumentRecord
from tests.grounding.facts.bases import ANN, BOB, NOBODY, bases_in, texts
from tests.grounding.files import CANAL, word
from tests.net.pages import allowing, asked, body, server

MOOSE = "Moose are the largest deer, and they swim well.\n"
OTTERS = "Otters slide down the snow on their bellies.\n"


@pytest.fixture
async def bases(tmp_path: Path) -> AsyncIterator[FactBases]:
    async with bases_in(tmp_path / "data") as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "papers" / "animals").mkdir(parents=True)
    (tmp_path / "papers" / "moose.txt").write_text(MOOSE)
    (tmp_path / "papers" / "animals" / "otters.md").write_text(f"# Otters\n\n{OTTERS}")
    return tmp_path / "papers"


async def sent(bases: FactBases, name: str, content: bytes, filename: str = "a.txt") -> DocumentRecord:
    """A file as a person sends it, once it is read."""
    async with bases.receive(name, ANN) as incoming:
        incoming.write(content)
        incoming.keep()
        record = await bases.add_upload(name, ANN, incoming, filename)
    return await bases.arrivals.settled(record)


async def test_what_is_sent_is_found_and_what_is_removed_is_not(bases: FactBases, tmp_path: Path) -> None:
    await bases.create("hr", ANN, title="People")
    record = await sent(bases, "hr", MOOSE.encode())
    assert (record.state, record.kind, record.name) == ("ready", "upload", "a.txt")
    assert await texts(bases, "hr", "largest deer") == [MOOSE.strip()]
    await bases.remove_document("hr", record.id, ANN)
    assert await texts(bases, "hr", "largest deer") == []
    with pytest.raises(MenagerieError, match=r"document\.unknown"):
        await bases.document("hr", record.id, ANN)
    assert list((tmp_path / "data" / "facts").iterdir()) == []


async def test_a_removed_collection_leaves_nothing_on_the_disk(bases: FactBases, tmp_path: Path) -> None:
    await bases.create("hr", ANN)
    await sent(bases, "hr", b"The password is swordfish-8153.")
    await bases.remove("hr", ANN)
    with pytest.raises(MenagerieError, match=r"facts\.unknown"):
        await texts(bases, "hr", "password")
    await bases._store.close()
    for path in (tmp_path / "data").rglob("*"):
        assert not path.is_file() or b"swordfish-8153" not in path.read_bytes(), path


async def test_a_file_of_the_same_name_takes_the_place_of_the_one_before(bases: FactBases) -> None:
    await bases.create("hr", ANN)
    first = await sent(bases, "hr", MOOSE.encode())
    second = await sent(bases, "hr", OTTERS.encode())
    assert second.id == first.id
    assert len(await bases.documents("hr", ANN)) == 1
    assert await texts(bases, "hr", "moose") == []
    assert await texts(bases, "hr", "otters") == [OTTERS.strip()]


async def test_a_document_that_cannot_be_read_is_kept_as_failed_and_stops_nobody(
    bases: FactBases, folder: Path
) -> None:
    (folder / "broken.docx").write_bytes(word()[:2000])
    (folder / "empty.txt").write_text("  \n")
    await bases.create("hr", ADMINISTRATOR)
    outcome = await bases.add_folder("hr", folder, watched=False)
    assert {(one.name, one.code) for one in outcome.failed} == {
        ("broken.docx", "document.broken"),
        ("empty.txt", "document.empty"),
    }
    assert await texts(bases, "hr", "moose", ADMINISTRATOR) == [MOOSE.strip()]
    assert (await bases.summary("hr", ADMINISTRATOR)).failed == 2
    assert (await bases.add_folder("hr", folder, watched=False)).read == 0
    (folder / "broken.docx").write_bytes(word())
    assert (await bases.add_folder("hr", folder, watched=False)).read == 1
    assert (await bases.summary("hr", ADMINISTRATOR)).failed == 1


async def test_a_folder_is_followed_and_what_has_not_changed_is_not_touched(
    bases: FactBases, folder: Path
) -> None:
    await bases.create("hr", ADMINISTRATOR)
    assert (await bases.add_folder("hr", folder, watched=True)).read == 2
    before = {one.name: one for one in await bases.documents("hr", ADMINISTRATOR)}
    assert set(before) == {"moose.txt", "animals/otters.md"}
    assert before["animals/otters.md"].title == "Otters"

    (folder / "moose.txt").write_text("Moose have dewlaps.")
    (folder / "new.txt").write_text("Geese fly in a V.")
    os.utime(folder / "animals" / "otters.md", (1, 1))  # as a copy that is the same
    (known,) = await bases.folders("hr")
    outcome = await bases._following.follow(known)
    assert (outcome.read, outcome.removed) == (3, 0)
    after = {one.name: one for one in await bases.documents("hr", ADMINISTRATOR)}
    assert after["animals/otters.md"].read_at == before["animals/otters.md"].read_at
    assert after["moose.txt"].id == before["moose.txt"].id
    assert await texts(bases, "hr", "largest deer", ADMINISTRATOR) == []
    assert await texts(bases, "hr", "geese", ADMINISTRATOR) == ["Geese fly in a V."]
    assert (await bases._following.follow(known)).read == 0

    (folder / "moose.txt").unlink()
    assert (await bases._following.follow(known)).removed == 1
    assert await texts(bases, "hr", "moose dewlaps", ADMINISTRATOR) == []


async def test_a_folder_that_is_not_mounted_loses_nothing(bases: FactBases, folder: Path) -> None:
    await bases.create("hr", ADMINISTRATOR)
    await bases.add_folder("hr", folder, watched=True)
    elsewhere = folder.rename(folder.with_name("elsewhere"))  # noqa: ASYNC240
    (known,) = await bases.folders("hr")
    assert (await bases._following.follow(known)).problem == "missing"
    folder.mkdir()  # noqa: ASYNC240
    assert (await bases._following.follow(known)).problem == "other"
    assert await texts(bases, "hr", "moose", ADMINISTRATOR) == [MOOSE.strip()]
    folder.rmdir()  # noqa: ASYNC240
    elsewhere.rename(folder)
    outcome = await bases._following.follow(known)
    assert (outcome.problem, outcome.read, outcome.removed) == ("", 0, 0)


async def test_an_emptied_folder_is_an_empty_collection(bases: FactBases, folder: Path) -> None:
    await bases.create("hr", ADMINISTRATOR)
    await bases.add_folder("hr", folder, watched=True)
    (folder / "moose.txt").unlink()
    (folder / "animals" / "otters.md").unlink()
    (known,) = await bases.folders("hr")
    assert (await bases._following.follow(known)).removed == 2


async def test_a_file_that_somebody_takes_out_stays_out_until_it_is_added_again(
    bases: FactBases, folder: Path
) -> None:
    await bases.create("hr", ADMINISTRATOR)
    await bases.add_folder("hr", folder, watched=True)
    (moose,) = [one for one in await bases.documents("hr", ADMINISTRATOR) if one.name == "moose.txt"]
    await bases.remove_document("hr", moose.id, ADMINISTRATOR)
    (known,) = await bases.folders("hr")
    assert (await bases._following.follow(known)).read == 0
    await bases.reindex("hr", ADMINISTRATOR, again=True)
    assert await texts(bases, "hr", "moose", ADMINISTRATOR) == []
    assert (await bases.summary("hr", ADMINISTRATOR)).documents == 1
    with pytest.raises(MenagerieError, match=r"document\.unknown"):
        await bases.document("hr", moose.id, ADMINISTRATOR)
    await bases.add_folder("hr", folder, watched=True)
    assert await texts(bases, "hr", "moose", ADMINISTRATOR) == [MOOSE.strip()]


async def test_files_that_somebody_took_out_take_no_room_in_a_list(bases: FactBases, folder: Path) -> None:
    await bases.create("hr", ANN)
    for number in range(4):
        (folder / f"{number}.txt").write_text(MOOSE)
    await bases.add_folder("hr", folder, watched=False)
    first, second, *left = await bases.documents("hr", ANN)
    for one in (first, second):
        await bases.remove_document("hr", one.id, ANN)
    last = await sent(bases, "hr", MOOSE.encode())
    assert len(left) == 4
    listed = await bases.documents("hr", ANN, limit=5)
    assert [one.id for one in listed] == [*(one.id for one in left), last.id]


async def test_the_watch_sees_changes_by_itself(tmp_path: Path, folder: Path) -> None:
    async with bases_in(tmp_path / "data", facts_watch=0.05) as bases:
        await bases.create("hr", ADMINISTRATOR)
        await bases.add_folder("hr", folder, watched=True)
        running = asyncio.create_task(bases.run())
        (folder / "new.txt").write_text("Geese fly in a V.")
        async with asyncio.timeout(20):
            while not await texts(bases, "hr", "geese", ADMINISTRATOR):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            (folder / "new.txt").unlink()
            while await texts(bases, "hr", "geese", ADMINISTRATOR):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_folder_may_be_removed_with_all_that_came_from_it(bases: FactBases, folder: Path) -> None:
    await bases.create("hr", ADMINISTRATOR)
    await bases.add_folder("hr", folder, watched=True)
    await bases.add_file("hr", folder.parent / "papers" / "moose.txt")
    assert await bases.remove_folder("hr", folder.parent) is None
    assert await bases.remove_folder("hr", folder) in {1, 2}
    assert await bases.folders("hr") == ()
    assert await texts(bases, "hr", "otters", ADMINISTRATOR) == []


async def test_what_is_at_an_address_is_read_and_read_anew_when_it_has_changed(tmp_path: Path) -> None:
    pages = [f"<html><title>Canals</title><main><h1>Canals</h1><p>{CANAL}</p></main></html>"]

    async def answer(request: object) -> object:
        return await body(pages[-1])(request)  # type: ignore[arg-type]

    async with server(answer) as site:  # type: ignore[arg-type]
        settings = allowing(site)
        data = tmp_path / "data"
        async with bases_in(
            data, fetch_allow=settings.fetch_allow, fetch_ports=settings.fetch_ports
        ) as bases:
            await bases.create("hr", ANN)
            address = str(site.make_url("/canals"))
            record = await bases.arrivals.settled(await bases.add_address("hr", ANN, address))
            assert (record.state, record.title, record.address) == ("ready", "Canals", address)
            assert CANAL in (await texts(bases, "hr", "canal"))[0]
            pages.append(
                "<html><title>Lakes</title><main><p>Lake Superior is the deepest lake.</p></main></html>"
            )
            assert (await bases.reindex("hr", ANN)).read == 1
            assert "deepest" in (await texts(bases, "hr", "lake"))[0]
            assert asked(site).count("/canals") >= 2


async def test_an_address_of_the_inside_is_refused_and_noted_as_failed(bases: FactBases) -> None:
    await bases.create("hr", ANN)
    record = await bases.arrivals.settled(await bases.add_address("hr", ANN, "http://169.254.169.254/"))
    assert (record.state, record.code) == ("failed", "source.refused")


@pytest.mark.parametrize("asker", [BOB, NOBODY, Asker()])
async def test_for_whoever_may_not_use_it_a_collection_does_not_exist(bases: FactBases, asker: Asker) -> None:
    await bases.create("hr", ANN, title="Secret")
    record = await sent(bases, "hr", MOOSE.encode())
    assert await bases.list(asker) == ()
    attempts = (
        bases.summary("hr", asker),
        bases.search(["hr"], "moose", asker, language="en"),
        bases.documents("hr", asker),
        bases.document("hr", record.id, asker),
        bases.remove_document("hr", record.id, asker),
        bases.change("hr", asker, title="x"),
        bases.add_address("hr", asker, "https://example.ca/"),
        bases.reindex("hr", asker),
        bases.remove("hr", asker),
    )
    for attempt in attempts:
        with pytest.raises(MenagerieError) as refused:
            await attempt
        assert (refused.value.code, refused.value.values) == (ErrorCode.FACTS_UNKNOWN, {"name": "hr"})
    assert await texts(bases, "hr", "moose") == [MOOSE.strip()]


async def test_readers_search_and_change_nothing(bases: FactBases) -> None:
    await bases.create("hr", ANN, readers=("user:bob",))
    await sent(bases, "hr", MOOSE.encode())
    assert await texts(bases, "hr", "moose", BOB) == [MOOSE.strip()]
    (seen,) = await bases.list(BOB)
    assert (seen.may_change, seen.documents) == (False, 1)
    with pytest.raises(MenagerieError, match=r"facts\.forbidden"):
        await bases.remove("hr", BOB)
    await bases.change("hr", ANN, readers=())
    with pytest.raises(MenagerieError, match=r"facts\.unknown"):
        await texts(bases, "hr", "moose", BOB)


async def test_a_document_of_another_collection_is_unknown_in_this_one(bases: FactBases) -> None:
    await bases.create("hr", ANN)
    await bases.create("it", BOB)
    record = await sent(bases, "hr", MOOSE.encode())
    for attempt in (bases.document("it", record.id, BOB), bases.remove_document("it", record.id, BOB)):
        with pytest.raises(MenagerieError, match=r"document\.unknown"):
            await attempt


async def test_names_are_checked_and_nobody_in_particular_owns_anything(bases: FactBases) -> None:
    for name in ("", "HR", "h r", "../hr", "1st", "a" * 65, "é"):
        with pytest.raises(MenagerieError, match=r"facts\.invalid"):
            await bases.create(name, ANN)
    with pytest.raises(MenagerieError, match=r"key\.required"):
        await bases.create("hr", NOBODY)
    await bases.create("hr", ANN)
    with pytest.raises(MenagerieError, match=r"facts\.name_taken"):
        await bases.create("hr", BOB)


async def test_nobody_has_more_collections_than_they_may(bases: FactBases) -> None:
    for number in range(MOST_COLLECTIONS):
        await bases.create(f"c{number}", ANN)
    with pytest.raises(MenagerieError, match=r"facts\.full"):
        await bases.create("more", ANN)
    await bases.create("more", BOB)


async def test_a_collection_that_is_removed_while_it_is_read_and_filled_is_unknown_from_then_on(
    bases: FactBases, folder: Path
) -> None:
    for number in range(40):
        (folder / f"{number}.txt").write_text(f"Number {number}. {MOOSE}")
    await bases.create("hr", ADMINISTRATOR)
    filling = asyncio.create_task(bases.add_folder("hr", folder, watched=True))

    async def search() -> int:
        times = 0
        while True:
            await bases.search(["hr"], "moose", ADMINISTRATOR, language="en")
            times += 1

    searching = asyncio.create_task(search())
    async with asyncio.timeout(30):
        while not (await bases.summary("hr", ADMINISTRATOR)).passages:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    await bases.remove("hr", ADMINISTRATOR)
    ends = await asyncio.gather(filling, searching, return_exceptions=True)
    for end in ends:
        assert isinstance(end, MenagerieError)
        assert (end.code, end.values) == (ErrorCode.FACTS_UNKNOWN, {"name": "hr"})
    await bases.create("hr", ADMINISTRATOR)
    assert (await bases.summary("hr", ADMINISTRATOR)).passages == 0


async def test_a_file_that_comes_while_its_collection_is_removed_does_not_stay(
    bases: FactBases, tmp_path: Path
) -> None:
    await bases.create("hr", ANN)
    async with bases.receive("hr", ANN) as incoming:
        incoming.write(MOOSE.encode())
        incoming.keep()
        record = await bases.add_upload("hr", ANN, incoming, "a.txt")
        await bases._collections.remove(record.collection)
    async with asyncio.timeout(20):
        while list((tmp_path / "data" / "facts").iterdir()):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_is_busy_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "PAUSES_S", (0.05,) * 100)
    async with server(body(f"<main><p>{CANAL}</p></main>")) as site:
        allowed = allowing(site)
        async with bases_in(
            tmp_path / "data", fetch_allow=allowed.fetch_allow, fetch_ports=allowed.fetch_ports
        ) as bases:
            await bases.create("hr", ANN)
            bases._ingestion._reader._reading["somebody"] = 16
            begun = await bases.add_address("hr", ANN, str(site.make_url("/")))
            await asyncio.sleep(0.005)
            assert (await bases.document("hr", begun.id, ANN)).state == "waiting"
            del bases._ingestion._reader._reading["somebody"]
            assert (await bases.arrivals.settled(begun)).state == "ready"


async def test_one_owner_does_not_fill_the_room_of_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(arrivals, "MOST_EACH", 3)
    released = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response(text=MOOSE)

    async with server(slow) as site:
        allowed = allowing(site)
        async with bases_in(
            tmp_path / "data", fetch_allow=allowed.fetch_allow, fetch_ports=allowed.fetch_ports
        ) as bases:
            await bases.create("hr", ANN)
            await bases.create("it", BOB)
            sending = (
                bases.add_address("hr", ANN, str(site.make_url(f"/{number // 2}"))) for number in range(5)
            )
            begun = await asyncio.gather(*sending, return_exceptions=True)
            refused = [one for one in begun if isinstance(one, MenagerieError)]
            assert [one.code for one in refused] == [ErrorCode.QUEUE_FULL] * 2
            taken = await bases.add_address("it", BOB, str(site.make_url("/b")))
            released.set()
            kept = [one for one in [*begun, taken] if isinstance(one, DocumentRecord)]
            await asyncio.gather(*map(bases.arrivals.settled, kept))
            assert (await bases.document("it", taken.id, BOB)).state == "ready"
            await asyncio.sleep(0)
            assert not bases.arrivals._waiting


async def test_what_a_service_did_not_live_to_read_the_next_one_reads(tmp_path: Path) -> None:
    async with bases_in(tmp_path / "data") as bases:
        await bases.create("hr", ANN)
        async with bases.receive("hr", ANN) as incoming:
            incoming.write(MOOSE.encode())
            incoming.keep()
            record = await bases.add_upload("hr", ANN, incoming, "a.txt")
        await bases.arrivals.close()
        assert (await bases.document("hr", record.id, ANN)).state == "waiting"
    stray = tmp_path / "data" / "facts" / "0123abcd"
    stray.write_text("x")
    os.utime(stray, (1, 1))
    async with bases_in(tmp_path / "data", facts_watch=60) as bases:
        running = asyncio.create_task(bases.run())
        async with asyncio.timeout(20):
            while not await texts(bases, "hr", "moose") or stray.exists():  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
