"""`menagerie doctor`: what this machine is, and what stands in the way of serving on it."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import shutil
import socket
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import psutil

from menagerie import __version__
from menagerie.app import listen
from menagerie.cli import engine_findings, wheels
from menagerie.cli.branding import wanted_branding
from menagerie.cli.columns import columns
from menagerie.cli.engine_findings import Finding, State
from menagerie.cli.exits import CommandError, Exit, wanted_settings
from menagerie.cli.keys import active_keys
from menagerie.cli.models import CHOICES, models_folder
from menagerie.cli.personas import wanted_personas
from menagerie.cli.placing import placing
from menagerie.cli.serve import address_problem
from menagerie.cli.source_findings import sources
from menagerie.core.errors import MenagerieError
from menagerie.embeddings.model import TextKind, check_suitable
from menagerie.engines.devices import ask_library, look, machine_of
from menagerie.locales import Language, text
from menagerie.models.catalogue import Catalogue
from menagerie.models.defaults import default_wish
from menagerie.models.failures import size_text
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.failures import Reason, StoreUnavailableError

SMALL_MEMORY = 2 * 2**30


def run(arguments: Namespace, language: Language) -> int:
    """Print every finding, or install a build of the engine. The status is `Exit.FAILED` where something keeps the
    service from answering, or nothing was installed."""
    settings = wanted_settings(language)
    if arguments.install_engine is not None:
        wanted = None if arguments.install_engine is True else arguments.install_engine
        return _install(wanted, settings, language)
    personas = wanted_personas(settings, language)
    wanted_branding(settings, language)
    found = look(skip_hopeless=False)
    findings: list[Finding] = [
        *_machine(settings, language),
        *engine_findings.devices(found, settings, language),
        *engine_findings.engine(found, language),
        *engine_findings.build(found, wheels.look(), settings, language),
        *(
            finding
            for one in (_data, _port, _outside, sources, _model, _text_models, _store, _keys)
            for finding in one(settings, language)
        ),
        ("ok", "personas", str(len(personas.all()))),
        *placing(machine_of(found, settings), settings, personas, language),
    ]
    print(
        columns(
            [
                [text(f"cli.doctor.state.{state}", language), text(f"cli.doctor.{key}", language), seen]
                for state, key, seen in findings
            ]
        )
    )
    return Exit.FAILED if any(state == "bad" for state, _, _ in findings) else Exit.DONE


def _install(wanted: wheels.Backend | None, settings: Settings, language: Language) -> int:
    """Install the build that fits, or that of the back end `wanted`, and see whether it works."""
    build = wheels.fitting(wheels.look(), wanted)
    words = wheels.command(build, settings.engine_index)
    if words is None:
        raise CommandError(Exit.FAILED, [text("cli.doctor.no_installer", language)])
    if build.name and not settings.engine_index:
        known = text("cli.doctor.index_unknown", language, documentation=wheels.documentation())
        raise CommandError(Exit.USAGE, [known])
    print(wheels.shown(words), flush=True)
    if not wheels.install(words):
        raise CommandError(Exit.FAILED, [text("cli.doctor.install_failed", language)])
    report = ask_library()
    if report.failure:
        raise CommandError(Exit.FAILED, [text(f"cli.doctor.engine_{report.failure}", language)])
    backends = ", ".join(report.backends)
    print(text("cli.doctor.installed", language, version=report.version, backends=backends))
    return Exit.DONE


def _machine(_settings: Settings, language: Language) -> Iterator[Finding]:
    yield (
        "ok",
        "version",
        f"menagerie {__version__}, Python {platform.python_version()}, {platform.platform()}",
    )
    real, threads = psutil.cpu_count(logical=False) or 0, psutil.cpu_count() or 0
    yield "ok", "cores", text("cli.doctor.cores_seen", language, real=real or "?", threads=threads)
    memory = psutil.virtual_memory()
    seen = text(
        "cli.doctor.of",
        language,
        part=size_text(memory.available, language),
        whole=size_text(memory.total, language),
    )
    yield "ok" if memory.available >= SMALL_MEMORY else "note", "memory", seen


def _data(settings: Settings, language: Language) -> Iterator[Finding]:
    there = _first_that_exists(settings.data.absolute())
    if not os.access(there, os.W_OK | os.X_OK):
        yield "bad", "data", text("cli.doctor.data_closed", language, folder=settings.data.absolute())
        return
    yield "ok", "data", str(settings.data.absolute())
    disk = shutil.disk_usage(there)
    yield (
        "ok" if disk.free >= SMALL_MEMORY else "note",
        "disk",
        text(
            "cli.doctor.of",
            language,
            part=size_text(disk.free, language),
            whole=size_text(disk.total, language),
        ),
    )


def _first_that_exists(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.exists())


def _port(settings: Settings, language: Language) -> Iterator[Finding]:
    try:
        opened: list[socket.socket] = listen(settings)
    except OSError as failure:
        if failure.errno == errno.EADDRINUSE:
            taken = text("cli.doctor.address_taken", language, host=settings.host, port=settings.port)
            yield "note", "address", taken
        else:
            yield "bad", "address", address_problem(settings, failure, language)
        return
    for one in opened:
        one.close()
    yield "ok", "address", text("cli.doctor.address_free", language, host=settings.host, port=settings.port)


def _model(settings: Settings, language: Language) -> Iterator[Finding]:
    wish = default_wish(settings)
    try:
        model = Catalogue(models_folder(settings)).find(wish)
    except MenagerieError as failure:
        yield "bad", "model", failure.message(language)
        return
    if model:
        yield "ok", "model", f"{model.name} ({size_text(model.size, language)})"
    else:
        yield "note", "model", text("cli.doctor.model_absent", language, model=wish.label)


def _text_models(settings: Settings, language: Language) -> Iterator[Finding]:
    """The models that the settings choose for embeddings and for reranking."""
    kinds: dict[str, TextKind] = {"embedding": "embedding", "reranker": "rerank"}
    for word, kind in kinds.items():
        chosen = CHOICES[word][1](settings)
        if chosen.engine:
            yield "ok", kind, text("cli.doctor.chosen_elsewhere", language, engine=chosen.engine)
            continue
        if chosen.wish is None:
            yield "ok", kind, text(f"cli.doctor.{kind}_none", language)
            continue
        try:
            model = Catalogue(models_folder(settings)).find(chosen.wish)
            if model:
                check_suitable(model, kind)
        except MenagerieError as failure:
            yield "note", kind, failure.message(language)
            continue
        if model:
            yield "ok", kind, f"{model.name} ({size_text(model.size, language)})"
        else:
            command = f"menagerie models pull {word}"
            absent = text("cli.doctor.chosen_absent", language, model=chosen.wish.label, command=command)
            yield "note", kind, absent


def _store(settings: Settings, language: Language) -> Iterator[Finding]:
    try:
        age = asyncio.run(Store.look(settings.database, settings.data))
    except StoreUnavailableError as failure:
        if failure.reason is Reason.IN_USE:  # as it should be while the service runs
            yield "note", "store", text("cli.doctor.store_in_use", language)
        else:
            yield "bad", "store", failure.message(language)
    else:
        yield "ok", "store", text(f"cli.doctor.store_{age}", language)


def _outside(settings: Settings, language: Language) -> Iterator[Finding]:
    if settings.outside == "off":
        hosts = ", ".join(map(str, settings.fetch_allow))
        key = "cli.doctor.outside_except" if hosts else "cli.doctor.outside_all"
        yield "note", "outside", text(key, language, **({"hosts": hosts} if hosts else {}))
    else:
        yield "ok", "outside", text("cli.doctor.outside_on", language)


def _keys(settings: Settings, language: Language) -> Iterator[Finding]:
    try:
        count = asyncio.run(active_keys(settings))
    except StoreUnavailableError:  # what is wrong with the store has been told
        return
    needed = settings.api_keys == "required" and not settings.trusted_proxies
    state: State = "note" if needed and not count else "ok"
    yield state, "keys", text(f"cli.doctor.keys_{settings.api_keys}", language, count=count)
