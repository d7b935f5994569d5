"""What `menagerie doctor` finds out about models: what would be loaded where, what never fits, what is set aside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Iterator

from menagerie.cli.engine_findings import Finding, in_mib, named
from menagerie.cli.models import models_folder
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.embeddings.service import Embeddings
from menagerie.engines.engine import Limits
from menagerie.engines.measurements import FILE_NAME, Measurements
from menagerie.engines.plan import Load, Local, Machine
from menagerie.engines.residency import Engines
from menagerie.locales import Language, catalogue, text
from menagerie.models.catalogue import Catalogue
from menagerie.personas.directory import PersonaDirectory
from menagerie.personas.resolve import Resolver
from menagerie.settings import Settings


def placing(
    machine: Machine, settings: Settings, personas: PersonaDirectory, language: Language
) -> Iterator[Finding]:
    """What would be loaded where, for each distinct model that personas resolve to, those that are always kept first;
    what can never fit beside them; whose models are broken; and what the service has set aside."""
    kept = Measurements(settings.data / FILE_NAME)
    budgets = [device.budget_mib for device in machine.devices]
    pinned, broken = _locals(machine, settings, personas)
    for local in sorted(pinned, key=lambda one: (not pinned[one], one.alias, one.model, one.window)):
        forms = [kept.correct(form) for form in local.forms]
        fitting = [form for form in forms if _fits(form, budgets)]
        if not fitting:
            least = forms[-1]
            short = next(at for at, mib in enumerate(least.memory) if mib > budgets[at])
            too_large = text(
                "cli.doctor.model_never_fits",
                language,
                model=local.alias,
                device=named(machine.devices[short], language),
                needed=in_mib(least.memory[short], language),
                budget=in_mib(budgets[short], language),
            )
            yield "note", "placed", too_large
            continue
        form = fitting[0]
        placed = text(
            "cli.doctor.model_placed",
            language,
            model=local.alias,
            form=text(f"cli.doctor.form.{_form(local, forms.index(form))}", language),
            memory=", ".join(
                f"{named(device, language)} {in_mib(mib, language)}"
                for device, mib in zip(machine.devices, form.memory, strict=True)
                if mib
            ),
            slots=form.slots,
            window=form.window,
        )
        if pinned[local]:
            placed = text("cli.doctor.model_kept", language, placed=placed)
            budgets = [budget - taken for budget, taken in zip(budgets, form.memory, strict=True)]
        yield "ok", "placed", placed
    for message in sorted({failure.message(language) for failure in broken}):
        yield "note", "placed", message
    for name, noted in kept.set_aside.items():
        key = f"error.{noted.code}"
        known = key in catalogue(language)
        reason = catalogue(language)[key].format_map(_Named(model=name)) if known else noted.code
        yield "note", "set_aside", text("cli.doctor.model_set_aside", language, model=name, reason=reason)


class _Named(dict[str, str]):
    """Values of a text; those that are not known here are left out."""

    def __missing__(self, _key: str) -> str:
        return "…"


def _locals(
    machine: Machine, settings: Settings, personas: PersonaDirectory
) -> tuple[dict[Local, bool], list[MenagerieError]]:
    """The distinct models that personas resolve to or texts go to, and whether each is always kept; and why others are
    broken. A model that is not there is another finding's matter."""

    async def resolve() -> tuple[dict[Local, bool], list[MenagerieError]]:
        limits = Limits(settings.load_timeout, settings.token_timeout, settings.queue_length)
        engines = Engines(machine, limits)
        installed = Catalogue(models_folder(settings))
        embeddings = Embeddings(settings, installed, engines, machine)
        resolver = Resolver(settings, personas, installed, engines, machine)
        found: dict[Local, bool] = {}
        broken: list[MenagerieError] = []
        try:
            for persona in personas.all():
                try:
                    resolution = await resolver.resolve(persona)
                except MenagerieError as failure:
                    if failure.code is not ErrorCode.MODEL_MISSING:
                        broken.append(failure)
                    continue
                target = resolution.target
                if isinstance(target, Local):
                    keeps = persona.keep_loaded and not resolution.wanted
                    found[target] = found.get(target, False) or keeps
            for chosen in (embeddings.embedder, embeddings.reranker):
                with contextlib.suppress(MenagerieError):  # what is wrong with it is another finding's matter
                    if isinstance(target := (await chosen.find()).target, Local):
                        found.setdefault(target, False)
        finally:
            await embeddings.close()
            await resolver.close()
            await engines.stop()
        return found, broken

    return asyncio.run(resolve())


def _fits(form: Load, budgets: Iterable[int]) -> bool:
    return all(mib <= budget for mib, budget in zip(form.memory, budgets, strict=True))


def _form(local: Local, number: int) -> str:
    if number == 0:
        return "full"
    return "least" if local.forms[number].slots < local.forms[0].slots else "no_cache"
