"""Embeddings through the service, and straight at its own engine: the same texts, in turns."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import aiohttp

from bench import processes
from bench.figure import Figure
from menagerie.embeddings.service import Embeddings
from menagerie.engines.devices import detect
from menagerie.engines.engine import Limits
from menagerie.engines.plan import Local
from menagerie.engines.residency import Engines
from menagerie.models.catalogue import Catalogue
from menagerie.settings import Settings

TEXTS = 192
"""Of one request; some sixty words each, as a passage of a page."""
SENTENCES = (
    "Anyone in Canada may ask a federal institution for the records that it keeps.",
    "The institution has thirty days to answer, and may take longer where that is reasonable.",
    "What would harm a third party, or the conduct of international affairs, may be withheld.",
    "Whoever is not satisfied may complain to the Information Commissioner.",
)
GOAL = 0.9


async def embeddings(model: Path, repeats: int) -> list[Figure]:
    """Texts a second by `/v1/embeddings`, divided by those of the engine that is asked for all of them at once."""
    texts = [f"{number}. {' '.join(SENTENCES)}" for number in range(TEXTS)]
    settings = Settings(whisper_embedding_model=str(model), data=processes.ROOT / "var")
    load = (await _local(settings)).forms[0]
    ours, raw = [], []
    async with (
        processes.service("http://127.0.0.1:9", WHISPER_EMBEDDING_MODEL=str(model)) as service,
        processes.engine(model, slots=load.slots, load=load) as engine,
        aiohttp.ClientSession() as through_us,
        aiohttp.ClientSession(
            connector=aiohttp.UnixConnector(engine.url), headers={"Authorization": f"Bearer {engine.key}"}
        ) as straight,
    ):
        address = f"http://127.0.0.1:{service.port}/v1/embeddings"
        for round_ in range(repeats + 1):
            pair = (
                await _rate(through_us, address, texts),
                await _rate(straight, "http://engine/v1/embeddings", texts),
            )
            if round_:  # the first one loads
                ours.append(pair[0])
                raw.append(pair[1])
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, raw, strict=True))
    detail = (
        f"{statistics.median(ours):.0f} ÷ {statistics.median(raw):.0f} texts/s, {repeats} pairs of {TEXTS}"
    )
    return [Figure("texts/s embedded through us ÷ engine", ratio, f"≥ {GOAL}", ratio >= GOAL, detail)]


async def _local(settings: Settings) -> Local:
    """How the service loads the model."""
    machine = detect(settings)
    engines = Engines(machine, Limits(60, 60, 4))
    texts = Embeddings(settings, Catalogue(settings.data / "models"), engines, machine)
    target = (await texts.embedder.find()).target
    await texts.close()
    await engines.stop()
    assert isinstance(target, Local)
    return target


async def _rate(client: aiohttp.ClientSession, address: str, texts: list[str]) -> float:
    began = time.perf_counter()
    async with client.post(address, json={"input": texts, "encoding_format": "float"}) as response:
        answer = await response.json()
        if response.status != 200 or len(answer["data"]) != len(texts):
            raise RuntimeError(f"{response.status}: {str(answer)[:300]}")
    return len(texts) / (time.perf_counter() - began)
