"""`menagerie doctor`: what this machine is, and what stands in the way of serving on it."""

from __future__ import annotations

import asyncio
import errno
import os
import platform
import shutil
import socket
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import psutil

from menagerie import __version__
from menagerie.app import listen
from menagerie.cli.columns import columns
from menagerie.cli.exits import Exit, wanted_settings
from menagerie.cli.models import models_folder
from menagerie.cli.personas import wanted_personas
from menagerie.cli.serve import address_problem
from menagerie.core.errors import MenagerieError
from menagerie.locales import Language, text
from menagerie.models.catalogue import Catalogue
from menagerie.models.defaults import default_wish
from menagerie.models.failures import size_text
from menagerie.settings import Settings
from menagerie.store.database import Store
from menagerie.store.failures import Reason, StoreUnavailableError

State = Literal["ok", "note", "bad"]
Finding = tuple[State, str, str]
"""How it is, the key `cli.doctor.<key>` of what was looked at, and what was seen."""

SMALL_MEMORY = 2 * 2**30


def run(_arguments: Namespace, language: Language) -> int:
    """Print every finding. The status is `Exit.FAILED` where one of them keeps the service from answering."""
    settings = wanted_settings(language)
    personas = wanted_personas(settings, language)
    looks: list[Callable[[Settings, Language], Iterator[Finding]]] = [
        _machine,
        _devices,
        _data,
        _port,
        _model,
        _store,
    ]
    findings: list[Finding] = [finding for look in looks for finding in look(settings, language)]
    findings.append(("ok", "personas", str(len(personas.all()))))
    print(
        columns(
            [
                [text(f"cli.doctor.state.{state}", language), text(f"cli.doctor.{key}", language), seen]
                for state, key, seen in findings
            ]
        )
    )
    return Exit.FAILED if any(state == "bad" for state, _, _ in findings) else Exit.DONE


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


def _devices(_settings: Settings, language: Language) -> Iterator[Finding]:
    try:
        import xllamacpp

        devices = [
            f"{device['description'] or device['name']} ({size_text(device['memory_total'], language)})"
            for device in xllamacpp.get_device_info()
            if device["name"] != "CPU"
        ]
    except (ImportError, RuntimeError, OSError) as failure:
        yield "bad", "engine", str(failure)
        return
    yield "ok", "engine", f"xllamacpp {xllamacpp.__version__}"
    yield "ok", "devices", ", ".join(devices) or text("cli.doctor.devices_none", language)


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


def _store(settings: Settings, language: Language) -> Iterator[Finding]:
    if not settings.database and not settings.data.is_dir():
        yield "ok", "store", text("cli.doctor.store_new", language)
        return

    async def look() -> None:
        store = await Store.open(settings.database, settings.data)
        await store.close()

    try:
        asyncio.run(look())
    except StoreUnavailableError as failure:
        if failure.reason is Reason.IN_USE:  # as it should be while the service runs
            yield "note", "store", text("cli.doctor.store_in_use", language)
        else:
            yield "bad", "store", failure.message(language)
    else:
        yield "ok", "store", text("cli.doctor.store_open", language)
