"""`menagerie batch`: ask a persona once for every row of a table, through a running service or in this process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from argparse import Namespace
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from menagerie.batches.failures import AnswerError, BatchError, FileError
from menagerie.batches.journal import SUFFIX, Journal
from menagerie.batches.remote import answers, service_at
from menagerie.batches.rows import Table, open_table
from menagerie.batches.runner import Ask, Runner, Slots, StoppedError
from menagerie.batches.template import Template
from menagerie.batches.work import Work, failure_line, job_of
from menagerie.cli.batch_bar import BatchBar
from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.numbers import number_text
from menagerie.locales import Language, text
from menagerie.settings import Settings
from menagerie.store.failures import Reason, StoreUnavailableError

_ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 (compared, not listened on)
_HINTS = {
    ErrorCode.KEY_INVALID: "cli.batch.key_place",
    ErrorCode.KEY_REQUIRED: "cli.batch.key_place",
    ErrorCode.PERSONA_UNKNOWN: "cli.personas.listed_by",
}
"""What helps here, and not at the service that says so."""


class _Files(msgspec.Struct, frozen=True):
    out: Path
    failed: Path
    journal: Path


def run(arguments: Namespace, language: Language) -> int:
    """Answer all rows. `FAILED` where some got no answer."""
    settings = wanted_settings(language)
    try:
        table, work = _checked(arguments, language)
        files = _files(arguments)
        journal = _journal(files, job_of(work, table, arguments.prompt), restart=arguments.restart)
    except MenagerieError as problem:
        raise CommandError(Exit.USAGE, [problem.message(language)]) from problem
    try:
        asyncio.run(_answer_all(arguments, settings, work, table, journal))
        return _deliver(journal, table, files, language)
    except StoppedError as stopped:
        lines = [stopped.failure.message, *_hint(stopped.failure, language)]
        lines += _kept(journal, table, language)
        raise CommandError(Exit.FAILED, lines) from stopped
    except OSError as failure:
        fault = FileError("output_unwritable", path=files.out.parent, problem=failure)
        lines = [fault.message(language), *_kept(journal, table, language)]
        raise CommandError(Exit.FAILED, lines) from failure
    except (KeyboardInterrupt, asyncio.CancelledError):
        _say("\n".join(_kept(journal, table, language)))
        return Exit.INTERRUPTED
    finally:
        if not journal.ended:  # nothing is lost with it
            journal.remove()
        journal.close()


def _checked(arguments: Namespace, language: Language) -> tuple[Table, Work]:
    """Everything that can be wrong before anything is asked."""
    template = Template(arguments.prompt) if arguments.prompt is not None else None
    schema = _schema(arguments.schema_file)
    table = open_table(arguments.in_file)
    if template:
        template.check(table.columns)
    if table.encoding == "cp1252":
        _say(text("cli.batch.windows_1252", language, path=table.path))
    work = Work(
        persona=arguments.persona, language=language, template=template, schema=schema, keep=arguments.keep
    )
    if arguments.schema_file is not None:
        from menagerie.structured.schema import compile_schema  # slow to import

        work = msgspec.structs.replace(work, compiled=compile_schema(schema))
    return table, work


def _schema(path: Path | None) -> Any:
    if path is None:
        return None
    try:
        return msgspec.json.decode(path.read_bytes())
    except OSError as failure:
        raise FileError("schema_unreadable", path=path, problem=failure) from failure
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as failure:
        raise BatchError("schema_unreadable", path=str(path), problem="JSON") from failure


def _files(arguments: Namespace) -> _Files:
    out = arguments.out_file
    failed = arguments.failed_file or out.with_suffix(".failed.jsonl")
    if len({path.absolute() for path in (arguments.in_file, out, failed)}) < 3:
        raise BatchError("output_same")
    return _Files(out, failed, out.with_name(out.name + SUFFIX))


def _journal(files: _Files, job: bytes, *, restart: bool) -> Journal:
    """The journal of an earlier run of this batch, or a new one."""
    if not restart and not files.journal.exists() and files.out.exists():
        raise BatchError("output_exists", path=str(files.out))
    return Journal.open(files.journal, job, anew=restart)


async def _answer_all(
    arguments: Namespace, settings: Settings, work: Work, table: Table, journal: Journal
) -> None:
    with contextlib.suppress(NotImplementedError):  # Windows has none
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    language = work.language
    async with _asking(arguments, settings, work, table) as (ask, slots):
        if journal.ended:
            _say(text("cli.batch.goes_on", language, ended=number_text(journal.ended, language)))
        with BatchBar(language) as bar:
            runner = Runner(
                ask, failure_line, journal, total=table.count, language=language, slots=slots, progress=bar
            )
            await runner.run(table.rows())


@asynccontextmanager
async def _asking(
    arguments: Namespace, settings: Settings, work: Work, table: Table
) -> AsyncGenerator[tuple[Ask, Slots], None]:
    """Who answers: the service at the address, or, where none is running and no address was given, this process."""
    language = work.language
    url = arguments.url or _own_address(settings)
    said = {"count": number_text(table.count, language), "path": table.path, "persona": work.persona}
    if await answers(url, settings):
        key = arguments.key or settings.api_key.get_secret_value()
        async with service_at(url, key, work, settings) as ask:
            await _known(ask.check(), language)
            _say(text("cli.batch.asks", language, url=url, **said))
            yield ask, ask.slots
        return
    if arguments.url:
        raise MenagerieError(ErrorCode.SERVICE_UNREACHABLE, url=url)

    from menagerie.app import running
    from menagerie.batches.turns import TurnAsk, slots_of
    from menagerie.cli.serve import bring_what_is_lacking

    await asyncio.to_thread(bring_what_is_lacking, settings, language)
    try:
        async with running(settings) as services:
            services.personas.get(work.persona)
            _say(text("cli.batch.asks_here", language, **said))

            async def slots() -> int | None:
                return slots_of(services.engines)

            yield TurnAsk(services.turns, work), slots
    except StoreUnavailableError as failure:
        if failure.reason is not Reason.IN_USE:
            raise
        line = text("cli.batch.in_use", language, folder=settings.data.absolute(), url=url)
        raise CommandError(Exit.FAILED, [line]) from failure


async def _known(check: Any, language: Language) -> None:
    try:
        await check
    except AnswerError as failure:
        raise CommandError(Exit.FAILED, [failure.message, *_hint(failure, language)]) from failure


def _hint(failure: AnswerError, language: Language) -> list[str]:
    return [text(key, language) for code, key in _HINTS.items() if code == failure.code]


def _own_address(settings: Settings) -> str:
    host = "127.0.0.1" if settings.host in _ANY_ADDRESS else settings.host
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _deliver(journal: Journal, table: Table, files: _Files, language: Language) -> int:
    done, failed = journal.done, journal.failed
    journal.deliver(files.out, files.failed)
    journal.remove()
    total = number_text(table.count, language)
    print(text("cli.batch.done", language, done=number_text(done, language), total=total, path=files.out))
    if not failed:
        return Exit.DONE
    counted = number_text(failed, language)
    print(text("cli.batch.failed_rows", language, failed=counted, total=total, path=files.failed))
    return Exit.FAILED


def _kept(journal: Journal, table: Table, language: Language) -> list[str]:
    if not journal.ended:
        return []
    ended, total = number_text(journal.ended, language), number_text(table.count, language)
    return [text("cli.batch.kept", language, ended=ended, total=total, path=journal.path)]


def _say(line: str) -> None:
    if line:
        print(line, file=sys.stderr, flush=True)
