"""Collections as a source of answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from menagerie.core.errors import MenagerieError
from menagerie.core.identity import User
from menagerie.grounding.facts.access import ADMINISTRATOR
from menagerie.grounding.facts.service import FactBases
from menagerie.grounding.registry import GROUP
from menagerie.grounding.source import Candidate, Kit, Lookup
from menagerie.grounding.sources.facts import FactSource, source
from tests.grounding.facts.bases import bases_in

BOB = User(("bob",))


@pytest.fixture
async def bases(tmp_path: Path) -> AsyncIterator[FactBases]:
    papers = tmp_path / "papers"
    papers.mkdir()
    moose = "# Moose\n\nMoose are large.\n\n## Food\n\nMoose eat willow."
    (papers / "moose.md").write_text(moose)
    (papers / "otters.md").write_text("# Otters\n\nOtters eat fish, and no moose.")
    async with bases_in(tmp_path / "data") as made:
        await made.create("animals", ADMINISTRATOR, title="Secret title", readers=("persona:ranger",))
        await made.add_folder("animals", papers, watched=False)
        yield made


def lookup(question: str, persona: str = "", *where: str) -> Lookup:
    return Lookup(
        question=question,
        terms=question,
        language="en",
        user=BOB,
        persona=persona,
        where=where or ("facts:animals",),
    )


async def test_documents_are_candidates_with_the_passages_that_answer(bases: FactBases) -> None:
    found = await FactSource(bases).search(lookup("What do moose eat?", "ranger"))
    assert found[0].title == "Moose"
    assert {one.title for one in found} == {"Moose", "Otters"}
    best = found[0].passages[0]
    assert best.text.endswith("Moose eat willow.")
    assert best.heading.startswith("Moose")
    scores = [one.passages[0].score for one in found]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= one.score <= 1 for candidate in found for one in candidate.passages)


async def test_a_collection_that_is_for_a_persona_is_unknown_without_it(bases: FactBases) -> None:
    for persona in ("", "beaver"):
        with pytest.raises(MenagerieError, match=r"facts\.unknown"):
            await FactSource(bases).search(lookup("moose", persona))
    with pytest.raises(MenagerieError, match=r"facts\.unknown"):
        await FactSource(bases).search(lookup("moose", "ranger", "facts:animals", "facts:none"))


async def test_only_names_of_collections_are_its_places(bases: FactBases) -> None:
    made = FactSource(bases)
    assert all(made.serves(where) for where in ("facts:animals", "Facts: HR-2", " facts:a "))
    assert not any(made.serves(where) for where in ("animals", "facts:", "facts:../x", "facts:a b", "feeds"))
    assert made.suggested("Look into facts:animals", "en") == ()


async def test_what_a_model_is_told_of_a_collection_is_its_name_alone(bases: FactBases) -> None:
    for language, words in (("en", "collection"), ("fr", "collection de documents")):
        (option,) = FactSource(bases).options("facts:animals", language)  # type: ignore[arg-type]
        assert words in option.about
        assert "animals" in option.about
        assert "Secret" not in option.about


async def test_it_is_registered_and_shares_the_services_collections(bases: FactBases) -> None:
    (point,) = entry_points(group=GROUP, name="facts")
    assert point.load() is source
    kit = Kit(bases._settings, bases._ingestion._reader, bases._store, bases._embeddings, bases)
    assert source(kit)._bases is bases
    alone = source(Kit(bases._settings, bases._ingestion._reader, bases._store, bases._embeddings))
    found = await alone.search(lookup("willow", "ranger"))
    assert [one.title for one in found][:1] == ["Moose"]
    await alone._bases.close()


async def test_a_candidate_reads_as_what_was_found_of_it(bases: FactBases) -> None:
    made = FactSource(bases)
    (first, *_) = await made.search(lookup("What do moose eat?", "ranger"))
    document = await made.read(first, lookup("moose"))
    assert (document.title, "willow" in document.text) == ("Moose", True)
    with pytest.raises(MenagerieError, match=r"document\.unknown"):
        await made.read(Candidate(kind="facts", title="x"), lookup("moose"))
