"""What an answer is to rest on: found, judged, and cut to what the prompt has room for.

What somebody names (an address, a file, a place) is read, or the turn fails and says why. What is only suggested, by a
persona's `sources` or by the words of a prompt, may fail: then the person is told, and the answer does without.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, Final, Protocol

import msgspec
import structlog

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Notice
from menagerie.core.identity import User
from menagerie.core.messages import Message
from menagerie.embeddings.service import Embeddings
from menagerie.grounding.chunking import passages_of
from menagerie.grounding.deciding import Ask, decide, plain_question, undecided
from menagerie.grounding.document import Document, Passage
from menagerie.grounding.judging import CERTAIN, DOUBTED, answers, judged
from menagerie.grounding.pictures import MOST_PICTURES
from menagerie.grounding.ranking import ranked
from menagerie.grounding.reader import Reader
from menagerie.grounding.registry import Sources
from menagerie.grounding.selection import FOUND, Selection, answering, selected
from menagerie.grounding.source import Candidate, Lookup, Option, Source
from menagerie.grounding.telling import shown_address, shown_title
from menagerie.grounding.workplace import Workplace
from menagerie.locales import Language, text

log = structlog.get_logger("menagerie.grounding")

MOST_PLACES: Final = 8
"""Places of one turn."""
MOST_DOCUMENTS: Final = 16
"""Files of one turn."""
MOST_READ: Final = 3
"""Candidates of one place that are read."""
PATIENCE_S: Final = 1.0
"""After which it is told what takes so long."""
SECONDS: Final = 25.0
"""That one place may take."""
LIKELY: Final = 0.15
"""The score of a passage of a collection that may answer. Measured (`bench/retrieval`): of what answers, the default
model of embeddings leaves 100 % above it in English and 86 % in French, where only words count; above `FOUND`, 93 and
64 %."""
_SELF_RANKED: Final = "facts"
"""The kind whose scores tell whether a passage answers; passages of others are ranked by their words."""
_NEEDS_NO_TERMS: Final = frozenset({"facts", "feed"})
"""Kinds that are searched without asking a model for terms, unless there is a conversation to go on from."""


class Uploads(Protocol):
    """The files that people have handed in."""

    async def document(self, file: str, user: User) -> Document:
        """The document in a file of the user's. Raises `file.unknown`, `document.…`."""
        ...

    async def picture(self, file: str, user: User) -> str:
        """The picture in a file of the user's, as a `data:` address. Raises `file.unknown`, `picture.unsupported`."""
        ...


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a turn wants grounded. `most` are the characters that its prompt has room for."""

    prompt: str
    language: Language
    user: User
    persona: str
    most: int
    history: tuple[Message, ...] = ()
    address: str = ""
    documents: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """Named by the person."""
    offered: tuple[str, ...] = ()
    """The persona's, and what the prompt's words suggest."""
    is_strict: bool = False
    """Whether nothing is to be said where nothing is found: then what is unlikely to answer counts as nothing."""
    is_judged: bool = False
    """Whether a model is to say if facts answer, where their scores leave a doubt."""
    held: tuple[Passage, ...] = ()
    """Those of the persona's own text, where it is too long for every prompt."""


class Grounded(msgspec.Struct, frozen=True):
    """What was found. `looked`: something was looked for, whether or not it was found."""

    passages: tuple[Passage, ...] = ()
    looked: bool = False


class Grounder:
    """Grounds turns. One for a service."""

    def __init__(self, sources: Sources, reader: Reader, uploads: Uploads, embeddings: Embeddings) -> None:
        self._sources = sources
        self._reader = reader
        self._uploads = uploads
        self._embeddings = embeddings
        self._work = Workplace()

    def close(self) -> None:
        """Take no more work."""
        self._work.close()

    def check(self, wanted: Wanted) -> None:
        """Raise `source.unknown` for a place that nobody serves, `source.off` where nothing may be used of any."""
        if (wanted.address or wanted.documents or wanted.places) and not wanted.most:
            raise MenagerieError(ErrorCode.SOURCE_OFF)
        if len(wanted.places) > MOST_PLACES or len(wanted.documents) > MOST_DOCUMENTS:
            raise MenagerieError(ErrorCode.SOURCE_TOO_MANY, places=MOST_PLACES, documents=MOST_DOCUMENTS)
        for where in wanted.places:
            self._sources.of(where)

    async def pictures(self, files: Sequence[str], user: User) -> tuple[str, ...]:
        """The pictures in files of the user's, as `data:` addresses, each once. Raises `picture.too_many`,
        `picture.unsupported`, `file.unknown`."""
        if len(files) > MOST_PICTURES:
            raise MenagerieError(ErrorCode.PICTURE_TOO_MANY, limit=MOST_PICTURES)
        return tuple([await self._uploads.picture(file, user) for file in dict.fromkeys(files)])

    def suggested(self, prompt: str, language: Language) -> tuple[str, ...]:
        """The places that a prompt's words ask for."""
        found = [where for source in self._sources for where in source.suggested(prompt, language)]
        return tuple(dict.fromkeys(found))[:MOST_PLACES]

    async def ground(self, wanted: Wanted, ask: Ask) -> AsyncGenerator[Notice | Grounded, None]:
        """Notices of what is done, and at the end what was found. Raises what reading raises for what was named."""
        naming = asyncio.create_task(self._named(wanted))
        async with aclosing(_patiently(naming, "reading", wanted.language)) as steps:
            async for notice in steps:
                yield notice
        named = naming.result()
        for each in named:
            if each.is_cut:
                yield _notice(
                    "source_cut", wanted.language, count=sum(len(one.text) for one in each.passages)
                )
        passages = [passage for each in named for passage in each.passages]
        passages += await self._work.run(wanted.user.share, _held, wanted)
        room = wanted.most - sum(len(passage.text) for passage in passages)
        search = _Search(self._sources, self._embeddings, self._work, wanted, ask)
        offered = () if named else wanted.offered
        if not wanted.places and not offered:
            yield Grounded(tuple(passages), looked=bool(passages or wanted.held))
            return
        deciding = asyncio.create_task(search.decide(wanted.places, offered))
        async with aclosing(_patiently(deciding, "deciding", wanted.language)) as steps:
            async for notice in steps:
                yield notice
        async with aclosing(search.run()) as steps:
            async for notice in steps:
                yield notice
        if search.found and room > 0:
            passages += selected(search.found, room).passages
        yield Grounded(tuple(passages), looked=bool(passages or search.places))

    async def _named(self, wanted: Wanted) -> list[Selection]:
        """The passages of what the person gave an address or an id of, one after the other: none is held longer than
        its passages are looked for."""
        share = wanted.user.share
        most = wanted.most // max(1, len(wanted.documents) + bool(wanted.address))
        chosen: list[Selection] = []
        if wanted.address:
            page = await self._reader.read(wanted.address, share)
            chosen.append(await self._work.run(share, _chosen, page, "page", wanted, most))
        for file in wanted.documents:
            document = await self._uploads.document(file, wanted.user)
            chosen.append(await self._work.run(share, _chosen, document, "document", wanted, most))
        return chosen


async def _patiently(work: asyncio.Task[Any], code: str, language: Language) -> AsyncGenerator[Notice, None]:
    """Wait for `work`, and tell what is being done where it takes longer than a moment. Raises what it raises."""
    try:
        await asyncio.wait({work}, timeout=PATIENCE_S)
        if not work.done():
            yield _notice(code, language)
        await work
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


def _chosen(document: Document, kind: str, wanted: Wanted, most: int) -> Selection:
    whole = list(passages_of(document, kind))
    question = plain_question(wanted.prompt, wanted.history, wanted.language)
    chosen = answering(ranked(question, whole, wanted.language), whole, most)
    return msgspec.structs.replace(chosen, is_cut=chosen.is_cut or document.characters > 0)


def _held(wanted: Wanted) -> tuple[Passage, ...]:
    if not wanted.held:
        return ()
    question = plain_question(wanted.prompt, wanted.history, wanted.language)
    found = ranked(question, wanted.held, wanted.language)
    return selected([passage for passage in found if passage.score >= FOUND * DOUBTED], wanted.most).passages


class _Search:
    """The places that are looked at for one turn, and what is found there."""

    def __init__(
        self, sources: Sources, embeddings: Embeddings, work: Workplace, wanted: Wanted, ask: Ask
    ) -> None:
        self._sources = sources
        self._work = work
        self._embeddings = embeddings
        self._wanted = wanted
        self._ask = ask
        self._decision = undecided(wanted.prompt, wanted.history, wanted.language)
        self._passages: list[Passage] = []
        self._failed_before: list[tuple[str, MenagerieError]] = []
        self.places: tuple[str, ...] = ()

    @property
    def found(self) -> list[Passage]:
        """The passages, best first."""
        return sorted(self._passages, key=lambda passage: -passage.score)

    async def decide(self, named: Sequence[str], offered: Sequence[str]) -> None:
        """Choose the places. All that are `named` are looked at, and of those that are `offered` the collections of
        facts and what the prompt's own words ask for; among the others, and where a place is many, a model chooses."""
        wanted = self._wanted
        offered = [where for where in offered if self._is_known(where)]
        by_words = {
            where: self._sources.of(where).suggested(wanted.prompt, wanted.language)
            for where in (*named, *offered)
        }
        always: list[str] = []
        options: list[Option] = []
        for where in (*named, *offered):
            source = self._sources.of(where)
            choices = source.options(where, wanted.language)
            chosen = [one for one in by_words[where] if any(one == choice.where for choice in choices)]
            if chosen:
                always += chosen
            elif len(choices) > 1:
                options += choices
            elif where in named or source.kind in _NEEDS_NO_TERMS:
                always.append(where)
            else:
                options += choices
        needs_terms = any(self._sources.of(where).kind not in _NEEDS_NO_TERMS for where in always)
        if needs_terms or options or wanted.history:
            self._decision = await decide(self._ask, wanted.prompt, wanted.history, wanted.language, options)
        if self._decision.chosen:
            always.append(self._decision.chosen)
        self.places = tuple(dict.fromkeys(always))[:MOST_PLACES]

    async def run(self) -> AsyncGenerator[Notice, None]:
        """Look at all places at the same time, and tell of each what came of it. Raises the first failure where the
        person named the places, and none of them could be looked at."""
        language = self._wanted.language
        for where, failure in self._failed_before:
            yield _notice(
                "source_failed", language, where=shown_title(where), failure=failure.message(language)
            )
        for where in self.places:
            terms = shown_title(self._decision.terms)
            yield _notice("searching", language, where=where, terms=terms)
        looking = [asyncio.create_task(self._look(where), name="look-up") for where in self.places]
        failures: list[MenagerieError] = []
        try:
            for where, task in zip(self.places, looking, strict=True):
                try:
                    for notice in await task:
                        yield notice
                except MenagerieError as failure:
                    failures.append(failure)
                    said = failure.message(language)
                    yield _notice("source_failed", language, where=where, failure=said)
        finally:
            for task in looking:
                task.cancel()
            await asyncio.gather(*looking, return_exceptions=True)
        if failures and len(failures) == len(self.places) and self._wanted.places:
            raise failures[0]
        if self.places and not self._passages and len(failures) < len(self.places):
            yield _notice("nothing_found", language)

    async def _look(self, where: str) -> list[Notice]:
        """Look at one place: what is to be told of it."""
        try:
            async with asyncio.timeout(SECONDS):
                return await self._looked(where)
        except TimeoutError as late:
            raise MenagerieError(ErrorCode.SOURCE_UNREACHABLE) from late
        except MenagerieError:
            raise
        except Exception as broken:  # a source may be somebody else's
            log.exception("source.broke", where=where)
            raise MenagerieError(ErrorCode.SEARCH_FAILED) from broken

    async def _looked(self, where: str) -> list[Notice]:
        wanted, decision = self._wanted, self._decision
        source = self._sources.of(where)
        lookup = Lookup(
            question=decision.question,
            terms=decision.terms,
            language=decision.language,
            user=wanted.user,
            where=(where,),
            persona=wanted.persona,
        )
        candidates = await source.search(lookup)
        at_once = [passage for one in candidates for passage in one.passages]
        if source.kind == _SELF_RANKED:
            least = FOUND if wanted.is_strict and wanted.language == "en" else LIKELY
            found = [passage for passage in at_once if passage.score >= least]
            if found and await self._is_doubted(found):
                return [_notice("irrelevant", wanted.language, title=shown_title(found[0].title))]
            self._passages += found
            return []
        self._passages += await self._work.run(
            wanted.user.share, _by_words, decision.question, at_once, wanted.language
        )
        to_read = [one for one in candidates if not one.passages][:MOST_READ]
        return [notice for one in to_read async for notice in self._read(source, one, lookup)]

    def _is_known(self, where: str) -> bool:
        try:
            self._sources.of(where)
        except MenagerieError as failure:
            self._failed_before.append((where, failure))
            return False
        return True

    async def _is_doubted(self, found: Sequence[Passage]) -> bool:
        """Whether a model says that what was found does not answer; it is asked where the scores do not tell."""
        wanted = self._wanted
        if not wanted.is_judged or max(passage.score for passage in found) >= CERTAIN:
            return False
        return not await answers(self._decision.question, found, wanted.language, self._ask)

    async def _read(
        self, source: Source, candidate: Candidate, lookup: Lookup
    ) -> AsyncGenerator[Notice, None]:
        """Read a candidate, and keep what of it is about the question."""
        wanted = self._wanted
        language, title = wanted.language, candidate.title or candidate.address
        try:
            document = await source.read(candidate, lookup)
        except MenagerieError as failure:
            log.info("candidate.not_read", code=failure.code.value)
            return
        share = wanted.user.share
        passages = await self._work.run(share, _ranked, lookup.question, document, source.kind, language)
        about = await judged(lookup.question, passages, language, self._ask, self._embeddings, wanted.user)
        self._passages += about
        if about:
            yield _notice(
                "relevant", language, title=shown_title(title), address=shown_address(candidate.address)
            )
        else:
            yield _notice("irrelevant", language, title=shown_title(title))


def _ranked(question: str, document: Document, kind: str, language: Language) -> list[Passage]:
    return ranked(question, list(passages_of(document, kind)), language)


def _by_words(question: str, passages: Sequence[Passage], language: Language) -> list[Passage]:
    """Those that have the question's words, best first; where none has, all, in their order: the newest of a feed."""
    best = ranked(question, passages, language)
    found = [passage for passage in best if passage.score >= FOUND * DOUBTED]
    unranked = [msgspec.structs.replace(passage, score=FOUND) for passage in passages]
    return found or unranked


def _notice(code: str, language: Language, **values: object) -> Notice:
    return Notice(code, text(f"notice.{code}", language, **values))
