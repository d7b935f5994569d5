"""Answers over the bilingual set of questions: what they cite, and what a strict persona refuses."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from bench import processes
from bench.figure import Figure
from bench.retrieval_set import FOLDER, Question, holds, load
from menagerie.app import running
from menagerie.conversation.running import Sampling, TurnRequest
from menagerie.core.events import AnyEvent, Done, Source
from menagerie.core.identity import User
from menagerie.core.provenance import Provenance
from menagerie.grounding.facts.access import ADMINISTRATOR
from menagerie.settings import Settings
from menagerie.web.services import Services

TOKENS: Final = 96
"""Of an answer."""
_PERSONA: Final = "keeper"
_USER: Final = User(("bench",))


class Answered(msgspec.Struct, frozen=True):
    """A question and the account of its answer; `found` are the passages by their numbers."""

    question: Question
    provenance: Provenance
    found: dict[int, str]

    @property
    def refused(self) -> bool:
        """Whether nothing was found, so that no model was asked."""
        return not self.found


async def citing(model: Path, embedder: Path, every: int) -> list[Figure]:
    """Each `every`th English question, put to a strict persona: the default model writes English only."""
    questions = [one for one in load().questions if one.language == "en" and not one.history][::every]
    async with _service(model, embedder) as services:
        await services.facts.create("bench", ADMINISTRATOR, readers=("everyone",))
        await services.facts.add_folder("bench", FOLDER / "documents", watched=False)
        while await services.facts.facts.embed_missing(_USER):
            pass
        answered = [await _answered(services, question) for question in questions]
    possible = [one for one in answered if one.question.documents]
    impossible = [one for one in answered if not one.question.documents]
    return [*_citations(possible), *_refusals(possible, impossible)]


def _citations(answered: Sequence[Answered]) -> list[Figure]:
    told = [
        (one, citation)
        for one in answered
        for citation in one.provenance.citations
        if citation.verdict != "unsupported"
    ]
    right = sum(_holds_answer(one, one.found.get(citation.number, "")) for one, citation in told)
    marked = sum(
        citation.verdict == "unsupported" for one in answered for citation in one.provenance.citations
    )
    offered = sum(any(_holds_answer(one, text) for text in one.found.values()) for one in answered)
    cited = sum(bool(one.provenance.citations) for one in answered)
    return [
        Figure(
            "citations whose passage holds the answer",
            right / max(1, len(told)),
            "",
            True,
            f"{right} of {len(told)}; {marked} more marked as unsupported; {cited} of {len(answered)} answers cite",
        ),
        Figure(
            "answerable questions whose prompt had the passage",
            offered / max(1, len(answered)),
            "",
            True,
            f"{offered} of {len(answered)}",
        ),
    ]


def _refusals(possible: Sequence[Answered], impossible: Sequence[Answered]) -> list[Figure]:
    refused = sum(one.refused for one in impossible)
    wrongly = sum(one.refused for one in possible)
    return [
        Figure(
            "unanswerable questions refused by a strict persona",
            refused / max(1, len(impossible)),
            "",
            True,
            f"{refused} of {len(impossible)}, by the score of what was found alone",
        ),
        Figure(
            "answerable ones refused by it",
            wrongly / max(1, len(possible)),
            "",
            True,
            f"{wrongly} of {len(possible)}",
        ),
    ]


def _holds_answer(one: Answered, text: str) -> bool:
    return any(holds(text, passage) for passage in one.question.passages)


async def _answered(services: Services, question: Question) -> Answered:
    request = TurnRequest(
        persona=_PERSONA,
        prompt=question.question,
        user=_USER,
        language=question.language,
        channel="bench",
        sampling=Sampling(max_tokens=TOKENS, temperature=0.0, seed=1),
    )
    events: list[AnyEvent] = [event async for event in services.turns.run(request)]
    (done,) = [event for event in events if isinstance(event, Done)]
    found = {event.number: event.passage for event in events if isinstance(event, Source)}
    return Answered(question, done.provenance, found)


@asynccontextmanager
async def _service(model: Path, embedder: Path) -> AsyncIterator[Services]:
    with tempfile.TemporaryDirectory(dir=processes.ROOT / "var") as folder:
        personas = Path(folder) / "personas"
        personas.mkdir()
        keeper = {
            "imperative": "You answer from what you are given.",
            "strict": True,
            "sources": ["facts:bench"],
        }
        (personas / "90-bench.json").write_text(json.dumps({_PERSONA: keeper}), encoding="utf-8")
        settings = Settings(
            data=Path(folder),
            llm_model_file=model,
            whisper_embedding_model=str(embedder),
            personalities=(personas,),
            log_level="error",
        )
        async with running(settings) as services:
            yield services
