"""`script/bench [NAME ...] [--repeats N] [--model FILE]`: measure, and print a table in Markdown."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import (
    batches,
    citing,
    documents,
    drafting,
    embeddings,
    facts,
    grounded,
    hostile,
    ingestion,
    measures,
    processes,
    residency,
    retrieval,
    structured,
)
from bench.figure import Figure
from bench.pages import lengthy, paint, reloads, states, stream, weight
from menagerie.models.catalogue import Catalogue
from menagerie.models.pull import pull_with_bar
from menagerie.models.wish import DEFAULT_EMBEDDING_MODEL, DEFAULT_MODEL, ModelWish
from menagerie.settings import Settings

_EVERY = 10
"""Of the questions of the set, one is asked: with five repeats every other, with ten each."""
NAMES = (
    "streaming",
    "first_frame",
    "idle_sockets",
    "throughput",
    "second_turn",
    "start_up",
    "one_model",
    "swap",
    "two_models",
    "killed",
    "forecasts",
    "drafting",
    "embeddings",
    "compile",
    "constrained",
    "batches",
    "grounded",
    "citing",
    "ingestion",
    "pages",
    "hostile",
    "retrieval",
    "search",
    "page_weight",
    "page_paint",
    "page_stream",
    "page_lengthy",
    "page_reloads",
    "page_reloads_model",
    "page_states",
)
WITHOUT_MODEL = frozenset(
    {
        "hostile",
        "ingestion",
        "pages",
        "page_weight",
        "page_stream",
        "page_lengthy",
        "page_reloads",
        "page_states",
    }
)


def default_model() -> Path:
    """The default model, fetched if it is not there yet."""
    return _fetched(DEFAULT_MODEL)


def embedding_model() -> Path:
    """The default model of embeddings, fetched if it is not there yet."""
    return _fetched(DEFAULT_EMBEDDING_MODEL)


def _fetched(wish: ModelWish) -> Path:
    settings = Settings(data=processes.ROOT / "var")
    catalogue = Catalogue(settings.data / "models")
    found = catalogue.find(wish) or pull_with_bar(wish, catalogue, settings, "en")
    return found.path


async def measure(names: list[str], model: Path, repeats: int) -> None:
    """Measure one after the other, and print the figures of each as they come."""
    work: dict[str, Callable[[], Awaitable[list[Figure]]]] = {
        "streaming": measures.streaming,
        "first_frame": lambda: measures.first_frame(100),
        "idle_sockets": measures.idle_sockets,
        "throughput": lambda: measures.throughput(model, repeats),
        "second_turn": lambda: measures.second_turn(model, repeats),
        "start_up": lambda: measures.start_up(model, repeats),
        "one_model": lambda: residency.one_model(model, repeats),
        "swap": lambda: residency.swap(model, repeats),
        "two_models": lambda: residency.two_models(model, repeats),
        "killed": lambda: residency.killed(model, repeats),
        "forecasts": lambda: residency.forecasts(model, repeats),
        "drafting": lambda: drafting.drafting(model, repeats),
        "embeddings": lambda: _embeddings(repeats),
        "compile": lambda: structured.compiling(repeats),
        "constrained": lambda: structured.constrained(model, repeats),
        "batches": lambda: batches.batches(model, repeats),
        "grounded": lambda: grounded.grounded(model),
        "citing": lambda: _citing(model, repeats),
        "ingestion": lambda: _ingestion(repeats),
        "pages": lambda: documents.pages(repeats),
        "hostile": hostile.hostile,
        "retrieval": lambda: _with_embeddings(retrieval.retrieval),
        "search": lambda: _with_embeddings(facts.search),
        "page_weight": weight.weight,
        "page_paint": lambda: paint.paint(model, repeats),
        "page_stream": stream.stream,
        "page_lengthy": lambda: lengthy.lengthy(repeats),
        "page_reloads": lambda: reloads.reloads(None, repeats),
        "page_reloads_model": lambda: reloads.reloads(model, repeats),
        "page_states": states.states,
    }
    for name in names:
        print(f"# {name} …", file=sys.stderr, flush=True)
        for figure in await work[name]():
            _print(figure)


async def _citing(model: Path, repeats: int) -> list[Figure]:
    embedder = await asyncio.to_thread(embedding_model)
    return await citing.citing(model, embedder, max(1, _EVERY // repeats))


async def _embeddings(repeats: int) -> list[Figure]:
    return await embeddings.embeddings(await asyncio.to_thread(embedding_model), repeats)


async def _ingestion(repeats: int) -> list[Figure]:
    text = await documents.ingestion(repeats)
    return [*text, *await ingestion.ingestion(await asyncio.to_thread(embedding_model), repeats)]


async def _with_embeddings(measure: Callable[[Path], Awaitable[list[Figure]]]) -> list[Figure]:
    return await measure(await asyncio.to_thread(embedding_model))


def _print(figure: Figure) -> None:
    value = f"{figure.value:,.0f}" if figure.value >= 1000 else f"{figure.value:.3g}"
    mark = ("reached" if figure.reached else "NOT reached") if figure.goal else ""
    print(f"| {figure.name} | {value} | {figure.goal} | {mark} | {figure.detail} |", flush=True)


def main() -> int:
    """Measure and print. The exit status tells only whether measuring worked: judging is for people."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--model", type=Path)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    print(f"{measures.machine()}\n\n| what | figure | goal | | made from |\n|---|---|---|---|---|")
    names = arguments.names or list(NAMES)
    model = arguments.model or (Path() if WITHOUT_MODEL.issuperset(names) else default_model())
    asyncio.run(measure(names, model, arguments.repeats))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
