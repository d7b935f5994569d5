"""Whatever users do in whatever order, the store agrees with a model of it that fits on a page."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.store.database import Store
from menagerie.store.turns import Outcome
from tests.store.examples import ANN, BOB, end, start, words

USERS = st.sampled_from([ANN, BOB, User(("ann@example.ca",)), User()])
SAID = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


class Conversations(RuleBasedStateMachine):
    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.store = self.opened()
        self.said: dict[str, list[str]] = {}
        self.owners: dict[str, str] = {}
        self.open: dict[str, str] = {}

    def opened(self) -> Store:
        return self.runner.run(Store.open("", Path(self.folder.name)))

    def teardown(self) -> None:
        self.runner.run(self.store.close())
        self.runner.close()
        self.folder.cleanup()

    def known(self) -> st.SearchStrategy[str]:
        return st.sampled_from([*self.said, "urn:uuid:none"])

    def refusal(self, session: str, user: User) -> ErrorCode | None:
        theirs = session in self.owners and user.owns(self.owners[session])
        return None if theirs else ErrorCode.SESSION_UNKNOWN

    @rule(target=running, user=USERS, prompt=SAID)
    def begin(self, user: User, prompt: str) -> tuple[str, str]:
        beginning = start(prompt, user=user)
        session = self.runner.run(self.store.turns.accept(beginning)).session
        assert session not in self.said
        self.said[session], self.owners[session] = [], user.id
        self.open[session] = beginning.turn
        return beginning.turn, prompt

    @rule(target=running, user=USERS, prompt=SAID, data=st.data())
    def go_on(self, user: User, prompt: str, data: st.DataObject) -> object:
        session = data.draw(self.known())
        beginning = start(prompt, session, user=user)
        expected = self.refusal(session, user)
        if expected is None and session in self.open:
            expected = ErrorCode.SESSION_BUSY
        if expected is not None:
            with pytest.raises(MenagerieError, match=f"^{expected}"):
                self.runner.run(self.store.turns.accept(beginning))
            return multiple()
        found = self.runner.run(self.store.turns.accept(beginning))
        assert words(found) == self.said[session]
        self.open[session] = beginning.turn
        return beginning.turn, prompt

    @rule(turn=consumes(running), answer=st.none() | SAID, failed=st.booleans())
    def finish(self, turn: tuple[str, str], answer: str | None, failed: bool) -> None:
        name, prompt = turn
        outcome: Outcome = "failed" if failed or answer is None else "done"
        self.runner.run(self.store.turns.finish(name, end(prompt, answer, outcome=outcome)))
        for session, running in list(self.open.items()):
            if running == name:
                del self.open[session]
                if answer is not None and session in self.said:
                    self.said[session] += [prompt, answer]

    @rule(user=USERS, data=st.data())
    def delete(self, user: User, data: st.DataObject) -> None:
        session = data.draw(self.known())
        if expected := self.refusal(session, user):
            with pytest.raises(MenagerieError, match=f"^{expected}"):
                self.runner.run(self.store.sessions.delete(session, user))
            return
        self.runner.run(self.store.sessions.delete(session, user))
        del self.said[session], self.owners[session]
        self.open.pop(session, None)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.store.close())
        self.store = self.opened()
        left = self.runner.run(self.store.turns.close_interrupted())
        assert left >= len(self.open)
        self.open.clear()

    @invariant()
    def everybody_finds_what_is_theirs(self) -> None:
        for user in (ANN, BOB):
            listed = {found.session for found in self.runner.run(self.store.sessions.list(user))}
            assert listed == {session for session, owner in self.owners.items() if user.owns(owner)}
            for session in listed:
                found = self.runner.run(self.store.sessions.get(session, user))
                assert words(found) == self.said[session]


TestConversations = Conversations.TestCase
TestConversations.settings = settings(
    max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
