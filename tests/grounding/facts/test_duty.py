"""Passages get their vectors in the background, from a real engine, whatever dies in between."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from menagerie.core.errors import MenagerieError
from menagerie.grounding.facts.access import ADMINISTRATOR
from menagerie.grounding.facts.duty import Duty
from menagerie.grounding.facts.service import FactBases, Summary
from tests.grounding.facts.bases import bases_in, texts
from tests.tiny_bert import write_embedder

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_embedder(tmp_path_factory.mktemp("embedder")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "papers"
    made.mkdir()
    for number in range(30):
        (made / f"{number}.txt").write_text(f"number {number} of the moose")
    return made


async def seen(bases: FactBases) -> Summary:
    return await bases.summary("hr", ADMINISTRATOR)


async def test_passages_are_found_by_words_at_once_and_have_vectors_after_a_while(
    tmp_path: Path, folder: Path, embedder: str
) -> None:
    async with bases_in(tmp_path / "data", whisper_embedding_model=embedder) as bases:
        await bases.create("hr", ADMINISTRATOR)
        await bases.add_folder("hr", folder, watched=False)
        assert ((await seen(bases)).passages, (await seen(bases)).embedded) == (30, 0)
        assert await texts(bases, "hr", "moose", ADMINISTRATOR)
        running = asyncio.create_task(bases.run())
        async with asyncio.timeout(60):
            while (await seen(bases)).embedded < 30:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_embedding_that_broke_off_goes_on_where_it_was(
    tmp_path: Path, folder: Path, embedder: str
) -> None:
    async with bases_in(tmp_path / "data", whisper_embedding_model=embedder) as bases:
        await bases.create("hr", ADMINISTRATOR)
        await bases.add_folder("hr", folder, watched=False)
        assert await bases.facts.embed_missing(ADMINISTRATOR.user, most=10) == 10
        assert (await seen(bases)).embedded == 10
    async with bases_in(tmp_path / "data", whisper_embedding_model=embedder) as bases:
        told: list[int] = []
        await bases.duty.embed_all(told.append)
        assert (sum(told), (await seen(bases)).embedded) == (20, 30)


async def test_what_says_the_same_keeps_its_vector_and_again_means_again(
    tmp_path: Path, folder: Path, embedder: str
) -> None:
    async with bases_in(tmp_path / "data", whisper_embedding_model=embedder) as bases:
        await bases.create("hr", ADMINISTRATOR)
        await bases.add_folder("hr", folder, watched=False)
        await bases.duty.embed_all()
        (folder / "0.txt").write_text("number 0 of the geese")
        await bases.reindex("hr", ADMINISTRATOR)
        assert (await seen(bases)).embedded == 29
        await bases.reindex("hr", ADMINISTRATOR, again=True)
        assert (await seen(bases)).embedded == 0


async def test_another_model_embeds_everything_anew(tmp_path: Path, folder: Path, embedder: str) -> None:
    async with bases_in(tmp_path / "data", whisper_embedding_model=embedder) as bases:
        await bases.create("hr", ADMINISTRATOR)
        await bases.add_folder("hr", folder, watched=False)
        await bases.duty.embed_all()
    (tmp_path / "other").mkdir()
    other = str(write_embedder(tmp_path / "other", seed=1))
    async with bases_in(tmp_path / "data", whisper_embedding_model=other) as bases:
        assert (await seen(bases)).embedded == 0
        assert await texts(bases, "hr", "moose", ADMINISTRATOR)
        await bases.duty.embed_all()
        assert (await seen(bases)).embedded == 30


async def test_one_process_at_a_time_has_the_duty(tmp_path: Path) -> None:
    async with bases_in(tmp_path / "data") as bases:
        other = Duty(bases.facts, tmp_path / "data")
        with bases.duty.held() as mine:
            assert mine
            with other.held() as theirs:
                assert not theirs
        with other.held() as theirs:
            assert theirs


async def test_without_a_model_words_are_all_there_is_and_the_duty_waits(
    tmp_path: Path, folder: Path
) -> None:
    async with bases_in(tmp_path / "data") as bases:
        await bases.create("hr", ADMINISTRATOR)
        await bases.add_folder("hr", folder, watched=False)
        with pytest.raises(MenagerieError, match=r"embeddings\.off"):
            await bases.duty.embed_all()
        running = asyncio.create_task(bases.run())
        await asyncio.sleep(0.3)
        assert not running.done()
        assert await texts(bases, "hr", "moose", ADMINISTRATOR)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
