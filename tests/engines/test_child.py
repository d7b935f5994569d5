"""A child process: it serves, it says why not, and it leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import aiohttp
import msgspec
import psutil
import pytest

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.engines import child as child_module
from menagerie.engines.child import Child, environment
from menagerie.engines.client import HttpEngine
from menagerie.engines.orphans import Record
from menagerie.engines.plan import Load
from tests.engines.processes import assert_ended_but, children, next_child

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A temporary folder of each test's own, short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


@contextlib.asynccontextmanager
async def serving(load: Load, *, unix: bool = True) -> AsyncGenerator[Child, None]:
    child = await Child.start(load, 60, unix=unix)
    try:
        yield child
    finally:
        await child.stop()


def entries(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def broken(content: str, model: Path, folder: Path) -> Path:
    whole = model.read_bytes()
    path = folder / "broken.gguf"
    if content != "absent":
        path.write_bytes({"cut": whole[: len(whole) // 2], "garbage": b"\0" * 9999, "nothing": b""}[content])
    return path


async def answers(child: Child) -> bool:
    client = HttpEngine(child.address, key=child.key, model="", token_timeout=10, native=True)
    try:
        return await client.count("one two") > 0
    finally:
        await client.close()


def gone_within(pid: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


async def test_at_its_end_neither_process_nor_folder_remains(tiny_load: Load, scratch: Path) -> None:
    async with serving(tiny_load) as child:
        assert await answers(child)
        assert entries(scratch) == [Path(child.address).parent]
    assert not psutil.pid_exists(child.pid)
    assert entries(scratch) == []


async def test_an_engine_learns_none_of_our_secrets(tiny_load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = "do-not-tell"
    for name in (
        "MENAGERIE_HUB_TOKEN",
        "MENAGERIE_ENGINES__OTHER__KEY",
        "HF_TOKEN",
        "PIP_INDEX_URL",
        "HTTPS_PROXY",
    ):
        monkeypatch.setenv(name, f"https://somebody:{secret}@localhost/")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    async with serving(tiny_load) as child:
        environment = psutil.Process(child.pid).environ()
    assert secret not in str(environment)
    assert not [name for name in environment if name.startswith("MENAGERIE_")]
    assert environment["CUDA_VISIBLE_DEVICES"] == "0"
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize("content", ["cut", "garbage", "nothing", "absent"])
async def test_a_file_that_is_no_model_is_called_broken_and_leaves_nothing(
    content: str, tiny_load: Load, scratch: Path, tmp_path: Path
) -> None:
    path = broken(content, Path(tiny_load.model), tmp_path)
    before = children()
    with pytest.raises(MenagerieError) as failure:
        await Child.start(msgspec.structs.replace(tiny_load, model=str(path)), 60)
    assert failure.value.code is ErrorCode.MODEL_BROKEN
    assert failure.value.values == {"model": "tiny"}
    assert children() == before
    assert entries(scratch) == []


async def test_a_load_that_takes_too_long_is_ended(
    tiny_load: Load, scratch: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sleeper = tmp_path / "sleeper.py"
    sleeper.write_text("import time; time.sleep(60)")
    monkeypatch.setattr(child_module, "_WORKER", sleeper)
    before = children()
    began = time.monotonic()
    with pytest.raises(MenagerieError) as failure:
        await Child.start(tiny_load, 0.5)
    assert failure.value.code is ErrorCode.ENGINE_TIMEOUT
    assert time.monotonic() - began < 2
    assert children() == before
    assert entries(scratch) == []


async def test_a_load_that_is_given_up_is_ended(tiny_load: Load, scratch: Path) -> None:
    before = children()
    starting = asyncio.create_task(Child.start(tiny_load, 60))
    await next_child(before)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await assert_ended_but(before)
    assert entries(scratch) == []


async def test_a_process_killed_while_it_loads_is_lost_not_its_model_broken(
    tiny_load: Load, scratch: Path
) -> None:
    before = children()
    starting = asyncio.create_task(Child.start(tiny_load, 60))
    os.kill(await next_child(before), signal.SIGKILL)
    with pytest.raises(MenagerieError) as failure:
        await starting
    assert failure.value.code is ErrorCode.ENGINE_LOST
    assert entries(scratch) == []


async def test_a_child_is_recorded_for_as_long_as_it_runs(tiny_load: Load, tmp_path: Path) -> None:
    records = tmp_path / "engines"
    child = await Child.start(tiny_load, 60, records=records)
    (file,) = entries(records)
    noted = msgspec.json.decode(file.read_bytes(), type=Record)
    assert (noted.child.pid, noted.parent.pid) == (child.pid, os.getpid())
    assert noted.folder == str(Path(child.address).parent)
    await child.stop()
    assert entries(records) == []


async def test_a_load_that_fails_leaves_no_record(tiny_load: Load, tmp_path: Path) -> None:
    records = tmp_path / "engines"
    with pytest.raises(MenagerieError):
        await Child.start(msgspec.structs.replace(tiny_load, model="/nowhere"), 60, records=records)
    assert entries(records) == []


async def test_where_nothing_can_be_recorded_a_child_still_serves(tiny_load: Load, tmp_path: Path) -> None:
    records = tmp_path / "engines"
    records.write_text("in the way")
    child = await Child.start(tiny_load, 60, records=records)
    try:
        assert await answers(child)
    finally:
        await child.stop()


async def test_where_no_process_can_be_started_it_says_so(
    tiny_load: Load, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(MenagerieError) as failure:
        await Child.start(tiny_load, 60)
    assert failure.value.code is ErrorCode.ENGINE_UNAVAILABLE
    assert entries(scratch) == []


async def test_a_child_that_ignores_its_end_is_killed(
    tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "_STOP_SECONDS", 0.2)
    child = await Child.start(tiny_load, 60)
    os.kill(child.pid, signal.SIGSTOP)
    await child.stop()
    assert not psutil.pid_exists(child.pid)


async def test_a_stop_that_is_given_up_still_ends_the_child(tiny_load: Load, scratch: Path) -> None:
    child = await Child.start(tiny_load, 60)
    os.kill(child.pid, signal.SIGSTOP)
    stopping = asyncio.create_task(child.stop())
    await asyncio.sleep(0.05)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    async with asyncio.timeout(2):
        await child.wait()
    assert entries(scratch) == []


async def test_stopping_twice_is_harmless(tiny_load: Load) -> None:
    async with serving(tiny_load) as child:
        await child.stop()


async def test_an_interrupt_at_the_terminal_does_not_end_a_child(tiny_load: Load) -> None:
    async with serving(tiny_load) as child:
        assert os.getpgid(child.pid) != os.getpgid(0)
        os.kill(child.pid, signal.SIGINT)
        await asyncio.sleep(0.1)
        assert await answers(child)


async def test_a_child_listens_on_the_loopback_where_its_socket_has_no_room(
    tiny_load: Load, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = scratch / ("x" * 90)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    async with serving(tiny_load) as child:
        assert child.address.startswith("http://127.0.0.1:")
        assert await answers(child)
        assert entries(long) == []


@pytest.mark.parametrize("failure", [OSError(28, "No space left"), OSError(30, "Read-only file system")])
async def test_a_child_listens_on_the_loopback_where_no_folder_can_be_made(
    failure: OSError, tiny_load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise failure

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    async with serving(tiny_load) as child:
        assert child.address.startswith("http://127.0.0.1:")
        assert await answers(child)


@pytest.mark.parametrize("unix", [True, False])
async def test_without_the_key_nobody_is_served(unix: bool, tiny_load: Load) -> None:
    async with serving(tiny_load, unix=unix) as child:
        connector = aiohttp.UnixConnector(path=child.address) if unix else None
        base = "http://engine" if unix else child.address
        async with aiohttp.ClientSession(connector=connector) as stranger:
            for path in ("/v1/chat/completions", "/tokenize", "/apply-template"):
                async with stranger.post(f"{base}{path}", json={"content": "a"}) as response:
                    assert response.status == 401


async def test_a_child_takes_its_modules_from_nowhere_but_its_environment(
    tiny_load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module in ("json", "signal", "xllamacpp"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('taken over')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    async with serving(tiny_load) as child:
        assert await answers(child)


def test_what_the_library_prints_never_reaches_our_output(tiny_load: Load) -> None:
    program = f"{PARENT}\nasyncio.run(once())"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        input=msgspec.json.encode(tiny_load),
        capture_output=True,
        cwd=ROOT,
        check=True,
        timeout=30,
    )
    assert ended.stdout.split(b"\n")[1:] == [b"answered", b""]
    assert ended.stderr == b""


def test_of_what_a_worker_writes_only_its_one_line_reaches_us() -> None:
    program = (
        "import os; from menagerie.engines.workers.text import _private_stdout\n"
        "ours = _private_stdout(); print('chatter', flush=True); os.system('echo chatter')\n"
        "os.write(ours, b'the line')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, timeout=30)
    assert ended.stdout == b"the line"


async def test_the_library_s_log_is_kept_for_our_own_and_bounded(tiny_load: Load) -> None:
    async with serving(tiny_load) as child:
        for _ in range(20):
            assert await answers(child)
    words = child.last_words.split("\n")
    assert any("listening" in line for line in words)
    assert len(words) <= 40


PARENT = """
import asyncio, sys, msgspec, structlog
from menagerie.core.messages import Message
from menagerie.engines.chat import ChatRequest
from menagerie.engines.child import Child, environment
from menagerie.engines.client import HttpEngine
from menagerie.engines.orphans import Record
from menagerie.engines.plan import Load
from tests.engines.processes import assert_ended_but, children, next_child

structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
load = msgspec.json.decode(sys.stdin.buffer.read(), type=Load)

async def generate(child, tokens):
    client = HttpEngine(child.address, key=child.key, model="", token_timeout=20, native=True)
    async for chunk in client.chat(ChatRequest((Message("user", "Go"),), max_tokens=tokens)):
        yield chunk
    await client.close()

async def once():
    child = await Child.start(load, 60)
    print(child.pid, flush=True)
    async for _ in generate(child, 5):
        pass
    print("answered", flush=True)
    await child.stop()

async def on_and_on():
    child = await Child.start(load, 60)
    while True:
        async for _ in generate(child, 1000):
            print(child.pid, flush=True)

async def loading():
    starting = asyncio.create_task(Child.start(load, 60))
    while not (pids := open("/proc/self/task/%d/children" % __import__("os").getpid()).read().split()):
        await asyncio.sleep(0.001)
    print(pids[0], flush=True)
    await starting
"""


STAGES = [("loading", False), ("on_and_on", False)]
if sys.platform == "linux":
    STAGES.append(("on_and_on", True))


@pytest.mark.parametrize(("stage", "hangs"), STAGES)
def test_the_child_dies_with_us_even_when_we_are_killed(stage: str, hangs: bool, tiny_load: Load) -> None:
    program = f"{PARENT}\nasyncio.run({stage}())"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        parent.stdin.write(msgspec.json.encode(tiny_load))
        parent.stdin.close()
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        if hangs:
            os.kill(pid, signal.SIGSTOP)
        parent.kill()
        ended = gone_within(pid, 10)
        if not ended:
            os.kill(pid, signal.SIGKILL)
        assert ended


def test_engines_that_share_the_cores_do_not_wait_by_spinning_unless_told_to() -> None:
    assert int(environment({})["GOMP_SPINCOUNT"]) <= 10_000
    assert environment({"GOMP_SPINCOUNT": "7", "SECRET_KEY": "x"}) == {"GOMP_SPINCOUNT": "7"}
