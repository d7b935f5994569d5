"""What `menagerie doctor` finds out about models: what would be loaded where, what never fits, what is set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from menagerie.cli.engine_findings import Finding, in_mib, named
from menagerie.cli.models import models_folder
from menagerie.core.errors import MenagerieError
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
    """What would be loaded where, for each distinct model that personas resolve to; what can never fit; and what
    the service has set aside."""
    kept = Measurements(settings.data / FILE_NAME)
    budgets = [device.budget_mib for device in machine.devices]
    for local in _locals(machine, settings, personas):
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
        yield (
            "ok",
            "placed",
            text(
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
            ),
        )
    for name, noted in kept.set_aside.items():
        key = f"error.{noted.code}"
        known = key in catalogue(language)
        reason = catalogue(language)[key].format_map(_Named(model=name)) if known else noted.code
        yield "note", "set_aside", text("cli.doctor.model_set_aside", language, model=name, reason=reason)


class _Named(dict[str, str]):
    """Values of a text; those that are not known here are left out."""

    def __missing__(self, _key: str) -> str:
        return "…"


def _locals(machine: Machine, settings: Settings, personas: PersonaDirectory) -> Iterable[Local]:
    """The distinct models that personas resolve to, by name. A persona that has none is another finding's matter."""

    async def resolve() -> set[Local]:
        limits = Limits(settings.load_timeout, settings.token_timeout, settings.queue_length)
        engines = Engines(machine, limits)
        resolver = Resolver(settings, personas, Catalogue(models_folder(settings)), engines, machine)
        found: set[Local] = set()
        try:
            for persona in personas.all():
                try:
                    target = (await resolver.resolve(persona)).target
                except MenagerieError:
                    continue
                if isinstance(target, Local):
                    found.add(target)
        finally:
            await resolver.close()
            await engines.stop()
        return found

    return sorted(asyncio.run(resolve()), key=lambda local: (local.alias, local.model, local.window))


def _fits(form: Load, budgets: Iterable[int]) -> bool:
    return all(mib <= budget for mib, budget in zip(form.memory, budgets, strict=True))


def _form(local: Local, number: int) -> str:
    if number == 0:
        return "full"
    return "least" if local.forms[number].slots < local.forms[0].slots else "no_cache"
