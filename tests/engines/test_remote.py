"""One engine at several addresses: shared evenly, never above what each takes, and left alone while they are sick."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.messages import Message
from menagerie.engines import breaker, remote
from menagerie.engines.chat import ChatRequest
from menagerie.engines.child import Child
from menagerie.engines.engine import Limits
from menagerie.engines.plan import Load
from menagerie.engines.remote import RemoteEngine
from menagerie.engines.target import Remote
from menagerie.locales import LANGUAGES
from tests.engines.faulty_server import EVENTS, Answer, FaultyServer, event, reply

ASK = ChatRequest(messages=(Message("user", "Ça va?"),), max_tokens=12)
DONE = b"data: [DONE]\n\n"
WELL = EVENTS + event("well") + DONE
LIMITS = Limits(load_timeout=60, token_timeout=5, queue_length=4)


class Peer(FaultyServer):
    """An address with health of its own, that tells how many answers it has under way."""

    def __init__(self, chat: bytes | Answer = WELL) -> None:
        super().__init__(self._write)
        self.chat = chat
        self.health: bytes | None = reply(200, b"{}")
        self.template = self.small = reply(404)
        self.chats = self.looks = self.running = self.most = 0
        self._listener: asyncio.Server | None = None

    async def listen(self) -> Peer:
        """Begin to answer, again at the same port."""
        port = int(self.address.rpartition(":")[2] or 0)
        self._listener = await asyncio.start_server(self.serve, "127.0.0.1", port)
        self.address = f"http://127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"
        return self

    async def leave(self) -> None:
        """Refuse connections from now on."""
        assert self._listener
        self._listener.close()
        await self._listener.wait_closed()

    async def _until_gone(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = self.heads[-1].split()[1]
        if path != "/v1/chat/completions":
            self.looks += path == "/health"
            looks = {"/health": self.health, "/v1/models": self.health, "/apply-template": self.template}
            answer = looks.get(path, self.small)
            if answer is None:
                await super()._until_gone(reader, writer)
            else:
                writer.write(answer)
            return
        self.chats += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await super()._until_gone(reader, writer)
        finally:
            self.running -= 1

    async def _write(self, writer: asyncio.StreamWriter) -> None:
        if isinstance(self.chat, bytes):
            writer.write(self.chat)
        else:
            await self.chat(writer)


class Gate:
    """Answers that begin at once and end when told."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + event("a"))
        await writer.drain()
        await self.open.wait()
        writer.write(DONE)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks and rests in tenths of a second; the second rest is long enough to see that one is left alone."""
    monkeypatch.setattr(breaker, "RESTS_S", (0.2, 0.4, 0.6))
    monkeypatch.setattr(remote, "_SUSPECT_S", 0.05)
    monkeypatch.setattr(remote, "_IDLE_S", 0.3)


@pytest.fixture
def _unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """No looks but the first: what happens is the turns' doing alone."""
    monkeypatch.setattr(remote, "_SUSPECT_S", 60.0)
    monkeypatch.setattr(remote, "_IDLE_S", 60.0)
    monkeypatch.setattr(breaker, "RESTS_S", (60.0,))


@contextlib.asynccontextmanager
async def engine_at(
    *peers: Peer, slots: int = 4, limits: Limits = LIMITS
) -> AsyncGenerator[RemoteEngine, None]:
    for peer in peers:
        await peer.listen()
    urls = tuple(peer.address for peer in peers)
    engine = await RemoteEngine.start(Remote("other", urls, "m", "secret", slots, 1024), limits)
    try:
        await until(lambda: engine.healthy_addresses == sum(peer.health is not None for peer in peers))
        yield engine
    finally:
        await engine.close()
        for peer in peers:
            await peer.leave()


async def until(condition: Callable[[], object]) -> None:
    """Wait for it, five seconds at most."""
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it did not come to pass")


async def ask(engine: RemoteEngine, request: ChatRequest = ASK) -> str:
    return "".join([chunk.text async for chunk in engine.chat(request)])


async def failure_of(engine: RemoteEngine, request: ChatRequest = ASK) -> MenagerieError:
    with pytest.raises(MenagerieError) as failed:
        await ask(engine, request)
    return failed.value


# Balance


async def test_requests_go_where_the_fewest_are_under_way() -> None:
    gate = Gate()
    one, two = Peer(gate), Peer(gate)
    async with engine_at(one, two) as engine:
        assert (engine.addresses, engine.healthy_addresses, engine.slots) == (2, 2, 8)
        running = [asyncio.create_task(ask(engine)) for _ in range(6)]
        await until(lambda: one.running + two.running == 6)
        assert (one.running, two.running, engine.running) == (3, 3, 6)
        gate.open.set()
        assert await asyncio.gather(*running) == ["a"] * 6
        assert engine.running == 0


async def test_one_after_the_other_they_take_turns() -> None:
    peers = [Peer() for _ in range(3)]
    async with engine_at(*peers) as engine:
        for _ in range(9):
            assert await ask(engine) == "well"
        assert [peer.chats for peer in peers] == [3, 3, 3]


async def test_no_address_gets_more_than_its_slots_and_who_waits_is_served_in_order() -> None:
    gate = Gate()
    one, two = Peer(gate), Peer(gate)
    served: list[int] = []

    async def number(order: int) -> None:
        await ask(engine)
        served.append(order)

    async with engine_at(one, two, slots=2) as engine:
        running = [asyncio.create_task(number(order)) for order in range(12)]
        await until(lambda: one.running + two.running == 4)
        await asyncio.sleep(0.05)
        assert one.chats + two.chats == 4
        gate.open.set()
        await asyncio.gather(*running)
        assert (one.most, two.most) == (2, 2)
        assert max(abs(place - order) for place, order in enumerate(served)) < 4


async def test_while_an_address_is_out_the_others_are_not_overloaded() -> None:
    gate = Gate()
    one, two = Peer(gate), Peer()
    async with engine_at(one, two, slots=2) as engine:
        await two.leave()
        await until(lambda: engine.healthy_addresses == 1)
        assert engine.slots == 2
        running = [asyncio.create_task(ask(engine)) for _ in range(4)]
        await until(lambda: one.running == 2)
        await asyncio.sleep(0.05)
        gate.open.set()
        assert await asyncio.gather(*running) == ["a"] * 4
        assert one.most == 2


async def test_the_wait_for_a_slot_ends_with_the_turn() -> None:
    gate = Gate()
    peer = Peer(gate)
    async with engine_at(peer, slots=1) as engine:
        first = asyncio.create_task(ask(engine))
        await until(lambda: peer.running)
        soon = asyncio.get_running_loop().time() + 0.1
        late = ChatRequest(messages=ASK.messages, max_tokens=1, until=soon)
        assert (await failure_of(engine, late)).code is ErrorCode.TURN_TIMEOUT
        gate.open.set()
        assert await first == "a"
        assert await ask(engine) == "a"


async def test_a_turn_that_is_over_before_its_first_token_gives_its_slot_back() -> None:
    async def never(_: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    peer = Peer(never)
    async with engine_at(peer, slots=1) as engine:
        soon = asyncio.get_running_loop().time() + 0.1
        late = ChatRequest(messages=ASK.messages, max_tokens=1, until=soon)
        assert (await failure_of(engine, late)).code is ErrorCode.TURN_TIMEOUT
        assert engine.running == 0
        assert engine.healthy_addresses == 1


async def test_a_cancelled_turn_gives_back_its_slot_or_its_place() -> None:
    peer = Peer(Gate())
    async with engine_at(peer, slots=1) as engine:
        running, waiting = [asyncio.create_task(ask(engine)) for _ in range(2)]
        await until(lambda: peer.running)
        waiting.cancel()
        running.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        assert engine.running == 0
        await until(lambda: not peer.running)
        peer.chat = WELL
        assert await ask(engine) == "well"


async def test_a_slot_that_comes_as_its_turn_is_cancelled_is_not_lost() -> None:
    peer = Peer(Gate())
    async with engine_at(peer, slots=1) as engine:
        running = engine.chat(ASK)
        await anext(running)
        waiting = asyncio.create_task(ask(engine))
        await until(lambda: engine._waiters)
        await running.aclose()
        assert engine.running == 1  # dealt to the one that waits, and it has not run since
        waiting.cancel()
        await asyncio.wait({waiting})
        peer.chat = WELL
        async with asyncio.timeout(2):
            assert await ask(engine) == "well"


async def test_a_busy_address_is_spared_while_another_is_free() -> None:
    one, two = Peer(Gate()), Peer()
    async with engine_at(one, two) as engine:
        chunks = engine.chat(ASK)
        await anext(chunks)
        assert [await ask(engine) for _ in range(3)] == ["well"] * 3
        assert (one.chats, two.chats) == (1, 3)
        await chunks.aclose()


async def test_closing_the_generator_stops_the_work_there() -> None:
    peer = Peer(Gate())
    async with engine_at(peer, slots=1) as engine:
        chunks = engine.chat(ASK)
        await anext(chunks)
        await chunks.aclose()
        await asyncio.wait_for(peer.gone.wait(), 1)
        assert engine.running == 0


# Failures


async def _hang(_: asyncio.StreamWriter) -> None:
    await asyncio.sleep(60)


SICK = {
    "500": reply(500, b'{"error": {"message": "boom"}}'),
    "502": reply(502),
    "503": reply(503, b'{"error": {"message": "Loading model"}}'),
    "closes": b"",
    "no token": EVENTS,
    "no http": b"what?\r\n\r\n",
    "redirects": reply(307, b"", "Location: http://127.0.0.1:9/"),
}


@pytest.mark.usefixtures("_unwatched")
@pytest.mark.parametrize("sick", SICK.values(), ids=SICK)
async def test_what_fails_before_its_first_token_is_served_elsewhere_and_thrice_opens_the_breaker(
    sick: bytes,
) -> None:
    one, two = Peer(sick), Peer()
    async with engine_at(one, two) as engine:
        for _ in range(12):
            assert await ask(engine) == "well"
        assert (one.chats, two.chats) == (3, 12)
        assert engine.healthy_addresses == 1


@pytest.mark.usefixtures("_unwatched")
async def test_an_address_that_is_gone_is_found_out_by_no_turn() -> None:
    one, two = Peer(), Peer()
    async with engine_at(one, two) as engine:
        await one.leave()
        assert [await ask(engine) for _ in range(8)] == ["well"] * 8
        assert engine.healthy_addresses == 1


@pytest.mark.usefixtures("_unwatched")
async def test_a_whole_answer_between_failures_keeps_an_address_in() -> None:
    one, two = Peer(), Peer()
    async with engine_at(one, two) as engine:
        for wire in (SICK["500"], SICK["500"], WELL) * 3:
            one.chat, before = wire, one.chats
            while one.chats == before:
                assert await ask(engine) == "well"
        assert engine.healthy_addresses == 2


async def test_after_a_failure_the_address_is_asked_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_IDLE_S", 60.0)
    one, two = Peer(), Peer()
    async with engine_at(one, two) as engine:
        await one.leave()
        assert [await ask(engine) for _ in range(2)] == ["well"] * 2
        await until(lambda: engine.healthy_addresses == 1)


@pytest.mark.usefixtures("_unwatched")
async def test_silence_before_the_first_token_is_a_failure() -> None:
    one, two = Peer(_hang), Peer()
    async with engine_at(one, two, limits=Limits(60, 0.2, 4)) as engine:
        assert await asyncio.gather(*(ask(engine) for _ in range(6))) == ["well"] * 6
        assert engine.healthy_addresses == 1


@pytest.mark.usefixtures("_unwatched")
async def test_after_the_first_token_a_loss_is_told_and_counts() -> None:
    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + event("half"))
        await writer.drain()

    one, two = Peer(cut), Peer(cut)
    async with engine_at(one, two) as engine:
        for _ in range(6):
            assert (await failure_of(engine)).code is ErrorCode.ENGINE_LOST
        assert (one.chats, two.chats) == (3, 3)
        assert engine.healthy_addresses == 0


@pytest.mark.usefixtures("_unwatched")
async def test_when_all_are_out_it_is_said_when_to_come_back_and_not_where_they_are() -> None:
    one, two = Peer(SICK["500"]), Peer(SICK["502"])
    async with engine_at(one, two) as engine:
        for _ in range(3):
            failure = await failure_of(engine)
        assert failure.code is ErrorCode.ENGINE_UNAVAILABLE
        assert failure.retry_after == 60
        assert (await failure_of(engine)).retry_after == 60
        assert (one.chats, two.chats, engine.slots) == (3, 3, 0)
        with pytest.raises(MenagerieError) as uncounted:
            await engine.count("text")
        for told in (failure, uncounted.value):
            said = str(told) + "".join(told.message(language) for language in LANGUAGES)
            assert not any(secret in said for secret in ("127.0.0.1", "secret", "other"))


@pytest.mark.usefixtures("_unwatched")
@pytest.mark.parametrize(
    ("wire", "code"),
    [
        (reply(400, b'{"error": {"message": "no"}}'), ErrorCode.ENGINE_REFUSED),
        (
            reply(400, b'{"error":{"type":"exceed_context_size_error","n_prompt_tokens":20,"n_ctx":10}}'),
            ErrorCode.PROMPT_TOO_LONG,
        ),
        (EVENTS + b'data: {"error":{"message":"boom"}}\n\n', ErrorCode.ENGINE_REFUSED),
    ],
    ids=["400", "too long", "error event"],
)
async def test_a_request_that_is_at_fault_itself_is_tried_once_and_harms_no_address(
    wire: bytes, code: ErrorCode
) -> None:
    one, two = Peer(wire), Peer(wire)
    async with engine_at(one, two) as engine:
        for _ in range(8):
            assert (await failure_of(engine)).code is code
        assert (one.chats, two.chats) == (4, 4)
        assert engine.healthy_addresses == 2


@pytest.mark.usefixtures("_unwatched")
@pytest.mark.parametrize("status", [401, 403, 404])
async def test_an_address_that_does_not_know_us_is_asked_last_and_is_no_sick_one(status: int) -> None:
    one, two = Peer(reply(status)), Peer()
    async with engine_at(one, two) as engine:
        assert [await ask(engine) for _ in range(8)] == ["well"] * 8
        assert one.chats == 1
        assert engine.healthy_addresses == 2
        two.chat = reply(status)
        assert (await failure_of(engine)).code is ErrorCode.ENGINE_REFUSED
        one.chat = WELL
        assert [await ask(engine) for _ in range(4)] == ["well"] * 4
        assert engine.healthy_addresses == 2


@pytest.mark.usefixtures("_unwatched")
@pytest.mark.parametrize("status", [429, 503])
async def test_an_address_that_asks_for_a_rest_gets_it(status: int) -> None:
    one, two = Peer(reply(status, b"", "Retry-After: 7")), Peer()
    async with engine_at(one, two) as engine:
        assert [await ask(engine) for _ in range(6)] == ["well"] * 6
        assert one.chats == 1
        two.chat = reply(429, b"", "Retry-After: 3")
        failure = await failure_of(engine)
        assert (failure.code, failure.retry_after) == (ErrorCode.ENGINE_UNAVAILABLE, 3)


# Health


async def test_a_dead_address_is_known_before_a_turn_meets_it_and_comes_back_without_one() -> None:
    one, two = Peer(), Peer()
    async with engine_at(one, two) as engine:
        await one.leave()
        await until(lambda: engine.healthy_addresses == 1)
        assert [await ask(engine) for _ in range(4)] == ["well"] * 4
        assert one.chats == 0
        await one.listen()
        await until(lambda: engine.healthy_addresses == 2)
        assert one.chats == 0
        assert [await ask(engine) for _ in range(4)] == ["well"] * 4
        assert one.chats >= 2


async def test_an_address_that_is_out_is_asked_at_a_gentle_pace() -> None:
    one, two = Peer(), Peer()
    async with engine_at(one, two) as engine:
        one.health = reply(503)
        await until(lambda: engine.healthy_addresses == 1)
        looks = one.looks
        await asyncio.sleep(1.5)
        assert 2 <= one.looks - looks <= 5


async def test_an_engine_begins_with_one_address_that_answers_or_with_none() -> None:
    one, two = Peer(), Peer()
    await one.listen()
    await two.listen()
    await two.leave()
    engine = await RemoteEngine.start(Remote("other", (two.address, one.address), "m", "", 2, 1024), LIMITS)
    assert await ask(engine) == "well"
    await engine.close()
    await one.leave()
    engine = await RemoteEngine.start(Remote("other", (two.address, one.address), "m", "", 2, 1024), LIMITS)
    assert (engine.healthy_addresses, engine.slots) == (0, 0)
    failure = await failure_of(engine)
    assert (failure.code, failure.retry_after) == (ErrorCode.ENGINE_UNAVAILABLE, 1)
    await one.listen()
    await until(lambda: engine.healthy_addresses == 1)
    assert await ask(engine) == "well"
    await engine.close()
    await one.leave()


async def test_an_address_that_does_not_answer_its_first_look_keeps_nobody_waiting() -> None:
    one, two = Peer(_hang), Peer()
    one.health = None
    async with asyncio.timeout(2), engine_at(one, two) as engine:
        assert await asyncio.gather(*(ask(engine) for _ in range(4))) == ["well"] * 4
        assert (one.chats, engine.healthy_addresses) == (0, 1)


async def test_a_turn_that_comes_when_a_rest_is_over_has_the_address_asked_and_is_no_trial_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    peer = Peer()
    async with engine_at(peer) as engine:
        monkeypatch.setattr(remote, "_JITTER", 1000.0)
        await peer.leave()
        for _ in range(3):
            await failure_of(engine)
        assert not engine.healthy_addresses
        peer.health, peer.chat = reply(503), _hang
        await peer.listen()
        await asyncio.sleep(0.25)
        async with asyncio.timeout(1):
            assert (await failure_of(engine)).code is ErrorCode.ENGINE_UNAVAILABLE
        assert (peer.looks, peer.chats) == (2, 0)
        peer.health, peer.chat = reply(200), WELL
        await asyncio.sleep(0.45)
        async with asyncio.timeout(1):
            assert await ask(engine) == "well"


async def test_an_address_without_paths_for_health_serves() -> None:
    peer = Peer()
    peer.health = reply(404)
    async with engine_at(peer) as engine:
        assert await ask(engine) == "well"


async def test_an_address_that_cannot_be_spoken_to_is_out_and_says_nothing_of_itself() -> None:
    urls = ("http://someone:hush@127.0.0.1:9",)
    engine = await RemoteEngine.start(Remote("other", urls, "m", "secret", 2, 1024), LIMITS)
    async with asyncio.timeout(2):
        assert (await failure_of(engine)).code is ErrorCode.ENGINE_UNAVAILABLE
    await engine.close()


async def test_the_template_of_an_engine_that_comes_later_is_asked_then() -> None:
    peer = Peer()
    await peer.listen()
    await peer.leave()
    engine = await RemoteEngine.start(Remote("other", (peer.address,), "m", "", 2, 1024), LIMITS)
    peer.template = reply(200, b'{"prompt": "?"}')
    await peer.listen()
    before = engine.takes_system
    await until(lambda: engine.healthy_addresses)
    assert (before, engine.takes_system) == (True, False)
    await engine.close()
    await peer.leave()


async def test_embeddings_are_balanced_and_fail_over_as_answers_do() -> None:
    one, two = Peer(), Peer()
    one.small = reply(500)
    two.small = reply(200, b'{"data": [{"index": 0, "embedding": [0.5, 1.0]}]}')
    async with engine_at(one, two) as engine:
        assert [(await engine.embed(["text"])).vectors for _ in range(3)] == [[[0.5, 1.0]]] * 3
        assert engine.running == 0


async def test_closing_ends_what_runs_and_what_waits_and_every_look() -> None:
    peer = Peer(Gate())
    async with engine_at(peer, slots=1) as engine:
        running, waiting = [asyncio.create_task(ask(engine)) for _ in range(2)]
        await until(lambda: peer.running)
        before = asyncio.all_tasks()
        await engine.close()
        ends = await asyncio.gather(running, waiting, return_exceptions=True)
        assert [getattr(end, "code", end) for end in ends] == [ErrorCode.ENGINE_LOST] * 2
        assert (await failure_of(engine)).code is ErrorCode.ENGINE_LOST
        assert not any(task.get_name() == "engine-health" for task in asyncio.all_tasks() & before)


async def test_texts_that_come_again_are_counted_once() -> None:
    peer = Peer()
    async with engine_at(peer) as engine:
        peer.small = reply(200, b'{"tokens": [1, 2, 3]}')
        assert await engine.count("one two three") == 3
        asked = len(peer.heads)
        assert await engine.count("one two three") == 3
        assert len(peer.heads) == asked


# Real engines


class LoadAt(Load, frozen=True):
    """A load whose process listens on a port that is chosen."""

    port: int = 0


def at(load: Load, port: int) -> LoadAt:
    return LoadAt(**{name: getattr(load, name) for name in load.__struct_fields__}, port=port)


@pytest.fixture
async def children(tiny_load: Load, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[Child]]:
    """Two processes that serve the same model, with one key."""
    monkeypatch.setattr("menagerie.engines.child.secrets.token_urlsafe", lambda _: "one key")
    started = [await Child.start(tiny_load, 60, unix=False) for _ in range(2)]
    yield started
    for child in started:
        await child.stop()


@pytest.mark.engine
async def test_a_process_killed_under_load_loses_no_turn_that_had_not_begun_and_is_used_again(
    children: list[Child], tiny_load: Load
) -> None:
    urls = tuple(child.address for child in children)
    engine = await RemoteEngine.start(Remote("other", urls, "tiny", "one key", 2, 1024), LIMITS)
    await until(lambda: engine.healthy_addresses == 2)
    outcomes: list[str] = []

    async def turn() -> None:
        begun = False
        try:
            async for _ in engine.chat(ChatRequest(messages=ASK.messages, max_tokens=60)):
                begun = True
            outcomes.append("whole")
        except MenagerieError as failure:
            outcomes.append(f"{failure.code} {'after' if begun else 'before'} the first token")

    async def user() -> None:
        for _ in range(12):
            await turn()

    users = [asyncio.create_task(user()) for _ in range(8)]
    await until(lambda: len(outcomes) > 8)
    shares = [address.running for address in engine._all]
    assert max(shares) <= 2
    await children[0].stop(at_once=True)
    await asyncio.gather(*users)
    lost = [outcome for outcome in outcomes if outcome != "whole"]
    assert len(outcomes) == 96
    assert len(lost) <= 2
    assert set(lost) <= {"engine.lost after the first token"}
    assert engine.healthy_addresses == 1

    children[0] = await Child.start(at(tiny_load, int(urls[0].rpartition(":")[2])), 60, unix=False)
    assert children[0].address == urls[0]
    await until(lambda: engine.healthy_addresses == 2)
    turns = [address.turn for address in engine._all]
    await asyncio.gather(*(turn() for _ in range(8)))
    assert all(after.turn > before for after, before in zip(engine._all, turns, strict=True))
    assert outcomes[96:] == ["whole"] * 8
    await engine.close()
