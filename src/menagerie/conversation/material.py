"""What a turn's answer is to rest on: asked of the grounder in the turn's words, told as events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from menagerie.conversation.asker import Asker
from menagerie.conversation.prompt import asked_in
from menagerie.conversation.running import RunningTurn
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.events import Notice, Source
from menagerie.core.messages import Message
from menagerie.engines.residency import Engines
from menagerie.grounding.citing import Citing
from menagerie.grounding.document import Passage
from menagerie.grounding.grounder import Grounded, Grounder, Wanted
from menagerie.locales import text
from menagerie.personas.resolve import Resolver

_SHARE: Final = 2
"""Characters of what is found for each token of the window, at most: about half of it."""
_MOST_ASKED: Final = 2_000
"""Characters of a prompt by which something is looked up …"""
_MOST_REMEMBERED: Final = 1_000
"""… and of each message before it."""
_LATEST: Final = 6
"""Messages before the prompt that say what it is about."""


class Material:
    """Grounds the turns of a service."""

    def __init__(self, grounder: Grounder, resolver: Resolver, engines: Engines) -> None:
        self._grounder = grounder
        self._resolver = resolver
        self._engines = engines

    def check(self, turn: RunningTurn) -> None:
        """Raise what `Grounder.check` raises for what the turn names."""
        self._grounder.check(self._wanted(turn))

    async def look(self, turn: RunningTurn) -> None:
        """Have the uploaded pictures of the turn looked at. Raises what `Grounder.pictures` raises."""
        if turn.request.pictures:
            turn.show(await self._grounder.pictures(turn.request.pictures, turn.request.user))

    async def ground(self, turn: RunningTurn) -> AsyncGenerator[Notice | Source, None]:
        """Find what the turn's answer is to rest on; fills in `turn.grounded`. Raises what reading raises for what the
        person named, and `source.nothing` for JSON that has to rest on sources in which nothing is found."""
        request = turn.request
        for number, given in enumerate(request.given, 1):
            yield Source(number, given.kind, passage=given.text[:500])
        if request.raw:
            return
        if turn.stuffing_missing:
            yield Notice("stuffing_missing", text("notice.stuffing_missing", request.language))
        wanted = self._wanted(turn)
        if not _wants(wanted):
            _refuse_without(turn)
            return
        ask = Asker(self._resolver, self._engines, turn)
        async with aclosing(self._grounder.ground(wanted, ask)) as steps:
            async for step in steps:
                if isinstance(step, Grounded):
                    turn.grounded = step
                else:
                    yield step
        for number, passage in enumerate(turn.grounded.passages, turn.first_number):
            yield source_event(number, passage)
        _refuse_without(turn)

    def _wanted(self, turn: RunningTurn) -> Wanted:
        request, persona, resolution = turn.request, turn.persona, turn.resolution
        assert persona is not None
        assert resolution is not None
        prompt = _shortened(request.prompt, _MOST_ASKED)
        named = bool(request.address or request.documents or request.sources or request.given)
        offered: tuple[str, ...] = ()
        if not named and not request.bypass and request.tools is None:
            suggested = self._grounder.suggested(prompt, request.language)
            offered = tuple(dict.fromkeys((*persona.sources, *suggested)))
        return Wanted(
            prompt=prompt,
            language=request.language,
            user=request.user,
            persona=persona.name,
            most=min(persona.rag_length, _SHARE * resolution.window),
            history=_said_before(turn),
            address=request.address,
            documents=tuple(dict.fromkeys(request.documents)),
            places=request.sources,
            offered=offered,
            is_strict=persona.strict,
            is_judged=persona.strict and bool(persona.rag_helper),
            held=turn.stuffing.passages,
        )


def citing_of(turn: RunningTurn) -> Citing | None:
    """What cites in the turn's answer; None where it is not prose, or rests on nothing that was found."""
    request = turn.request
    told_as_is = request.raw or request.compiled or request.tools or request.sampling.logprobs is not None
    if told_as_is or not turn.grounded.passages:
        return None
    return Citing(turn.grounded.passages, request.language, turn.first_number)


def source_event(number: int, passage: Passage) -> Source:
    """The event that tells of a passage."""
    return Source(
        number=number,
        kind=passage.kind,
        title=passage.title,
        address=passage.address,
        passage=passage.text,
        heading=passage.heading,
        page=passage.page,
        language=passage.language,
        read=passage.read.isoformat() if passage.read else "",
    )


def _wants(wanted: Wanted) -> bool:
    return bool(wanted.address or wanted.documents or wanted.places or wanted.offered or wanted.held)


def _refuse_without(turn: RunningTurn) -> None:
    """A strict persona says that it found nothing; the model, who would say something else, is not asked."""
    grounded, request = turn.grounded, turn.request
    assert turn.persona is not None
    rests_on = grounded.passages or request.given or turn.stuffing.text
    if not turn.persona.strict or rests_on or not (grounded.looked or turn.stuffing_missing):
        return
    if request.compiled is not None or request.tools is not None:
        raise MenagerieError(ErrorCode.SOURCE_NOTHING)
    turn.refusal = text("answer.nothing_found", request.language)


def _said_before(turn: RunningTurn) -> tuple[Message, ...]:
    kept = turn.conversation.messages if turn.conversation else ()
    said = [one for one in (*kept, *turn.request.history) if one.role in {"user", "assistant"}]
    return tuple(
        Message(one.role, _shortened(asked_in(one.content), _MOST_REMEMBERED)) for one in said[-_LATEST:]
    )


def _shortened(said: str, most: int) -> str:
    """Its beginning and its end: where people put what they ask."""
    return said if len(said) <= most else f"{said[: most // 2]} … {said[-most // 2 :]}"
