"""What was found is used only if it is about the question: by words, and where these leave a doubt, by a model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.embeddings.service import Embeddings
from menagerie.engines.residency import Engines
from menagerie.grounding.document import Passage
from menagerie.grounding.judging import DOUBTED, answers, judged
from menagerie.grounding.selection import FOUND
from tests.embeddings.conftest import engines, texts_service

__all__ = ["engines"]

ANN = User(("ann",))


class Model:
    """A model that says whether a text is relevant, and is counted."""

    def __init__(self, says: bool | None) -> None:
        self.asked: list[str] = []
        self._says = says

    async def __call__(self, messages: Sequence[Message], schema: object) -> Mapping[str, Any] | None:
        self.asked += [message.content for message in messages]
        return None if self._says is None else {"relevant": self._says}


@pytest.fixture
async def embeddings(tmp_path: Path, engines: Engines) -> AsyncIterator[Embeddings]:
    made = texts_service(tmp_path, engines, whisper_embedding_model="none")
    yield made
    await made.close()


def passage(score: float, text: str = "Moose eat leaves.") -> Passage:
    return Passage(kind="site", text=text, score=score)


@pytest.mark.parametrize(
    ("score", "says", "kept", "asked"),
    [
        (FOUND, False, True, 0),
        (FOUND - 0.01, True, True, 1),
        (FOUND - 0.01, False, False, 1),
        (FOUND - 0.01, None, False, 1),
        (FOUND * DOUBTED - 0.01, True, False, 0),
    ],
)
async def test_a_model_is_asked_only_where_words_leave_a_doubt(
    embeddings: Embeddings, score: float, says: bool | None, kept: bool, asked: int
) -> None:
    model = Model(says)
    found = await judged("What do moose eat?", [passage(score)], "en", model, embeddings, ANN)
    assert (bool(found), len(model.asked)) == (kept, asked)


@pytest.mark.parametrize(("says", "holds"), [(True, True), (False, False), (None, True)])
async def test_a_model_that_does_not_answer_withholds_nothing(says: bool | None, holds: bool) -> None:
    model = Model(says)
    passages = [passage(0.4, f"Passage {number}") for number in range(5)]
    assert await answers("What do moose eat?", passages, "fr", model) is holds
    assert "Passage 2" in model.asked[0]
    assert "Passage 3" not in model.asked[0]
