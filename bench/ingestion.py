"""Documents through ingestion (read, cut, stored, embedded), and the same passages straight through the embeddings."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from bench.figure import Figure
from menagerie.core.identity import User
from menagerie.embeddings.service import Embeddings
from menagerie.engines.devices import detect
from menagerie.engines.engine import Limits
from menagerie.engines.residency import Engines
from menagerie.grounding.facts.access import ADMINISTRATOR
from menagerie.grounding.facts.index import embedded_texts
from menagerie.grounding.facts.service import FactBases
from menagerie.grounding.reader import Reader
from menagerie.models.catalogue import Catalogue
from menagerie.settings import Settings
from menagerie.store.database import Store

DOCUMENTS = 8
PARAGRAPHS = 16
"""Of each document, about as many passages."""
SENTENCES = (
    "Anyone in Canada may ask a federal institution for the records that it keeps.",
    "The institution has thirty days to answer, and may take longer where that is reasonable.",
    "What would harm a third party, or the conduct of international affairs, may be withheld.",
    "Whoever is not satisfied may complain to the Information Commissioner.",
)
GOAL = 0.9
NAME = "bench"
_USER = User(("bench",))


async def ingestion(model: Path, repeats: int) -> list[Figure]:
    """Texts embedded a second, from a folder of files to vectors in the store, divided by those of `Embeddings.embed`
    given the same texts at once."""
    folder = Path(tempfile.mkdtemp(prefix="menagerie-bench-"))
    try:
        papers = folder / "papers"
        await asyncio.to_thread(_write, papers)
        settings = Settings(whisper_embedding_model=str(model), data=folder / "data")
        machine = detect(settings)
        engines = Engines(machine, Limits(120, 120, 64))
        embeddings = Embeddings(settings, Catalogue(settings.data / "models"), engines, machine)
        store = await Store.open("", settings.data)
        reader = Reader(settings)
        bases = FactBases(settings, store, reader, embeddings)
        try:
            return [await _measured(bases, embeddings, papers, repeats)]
        finally:
            for part in (bases, reader, embeddings):
                await part.close()
            await engines.stop()
            await store.close()
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)


async def _measured(bases: FactBases, embeddings: Embeddings, papers: Path, repeats: int) -> Figure:
    ours, straight = [], []
    texts: list[str] = []
    for round_ in range(repeats + 1):
        seconds, texts = await _ingested(bases, papers, texts)
        began = time.perf_counter()
        await embeddings.embed(texts, "document", _USER)
        if round_:  # the first one loads
            ours.append(len(texts) / seconds)
            straight.append(len(texts) / (time.perf_counter() - began))
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, straight, strict=True))
    detail = (
        f"{statistics.median(ours):.1f} ÷ {statistics.median(straight):.1f} texts/s, "
        f"{repeats} pairs of {len(texts)} texts (passages and their sentences) from {DOCUMENTS} documents"
    )
    return Figure("ingestion with embeddings ÷ embeddings alone", ratio, f"≥ {GOAL}", ratio >= GOAL, detail)


async def _ingested(bases: FactBases, papers: Path, texts: list[str]) -> tuple[float, list[str]]:
    """Seconds from an empty collection until everything has its vector, and the texts that were embedded."""
    made = await bases.create(NAME, ADMINISTRATOR)
    duty = asyncio.create_task(bases.duty.run())
    began = time.perf_counter()
    try:
        await bases.add_folder(NAME, papers, watched=False, progress=lambda *_: bases.duty.look())
        bases.duty.look()
        while True:
            summary = await bases.summary(NAME, ADMINISTRATOR)
            if summary.passages and summary.embedded == summary.passages:
                break
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - began
    finally:
        duty.cancel()
        await asyncio.gather(duty, return_exceptions=True)
    if not texts:
        missing = await bases._store.facts.vectors.missing("none", collection=made.key, limit=100_000)
        maker = await bases.facts._maker()
        texts = [text for one in missing for text in embedded_texts(one, sentences=maker.knows(one.language))]
    await bases.remove(NAME, ADMINISTRATOR)
    return seconds, texts


def _write(folder: Path) -> None:
    folder.mkdir()
    for number in range(DOCUMENTS):
        paragraphs = [
            f"## Part {part}\n\n{number}.{part}. {' '.join(SENTENCES * 2)}" for part in range(PARAGRAPHS)
        ]
        (folder / f"{number:03}.md").write_text(f"# Document {number}\n\n" + "\n\n".join(paragraphs))
