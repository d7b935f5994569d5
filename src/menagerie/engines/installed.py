"""A model on the disk: how it is loaded, and what is told of it."""

from __future__ import annotations

import msgspec

from menagerie.core.provenance import ModelFacts
from menagerie.engines.plan import Local, Machine, ModelShape, Wish, plan
from menagerie.models.catalogue import InstalledModel


def planned(model: InstalledModel, wish: Wish, machine: Machine) -> Local:
    """The forms in which `model` can be loaded for `wish`."""
    local = plan(str(model.path), model.name, ModelShape.of(model.header), wish, machine)
    return msgspec.structs.replace(local, version=_version(model))


def facts_of(model: InstalledModel) -> ModelFacts:
    """What an answer says of `model`; nothing of the folder that it lies in."""
    header = model.header
    return ModelFacts(
        name=header.name or model.name,
        file=model.path.name,
        sha256=model.sha256,
        architecture=header.architecture,
        quantization=header.quantization,
        parameters=_in_words(header.parameters),
        licence=header.licence,
        source=f"file:{model.path.name}" if model.source.startswith("file:") else model.source,
    )


def _version(model: InstalledModel) -> str:
    try:
        return f"{model.size}-{model.path.stat().st_mtime_ns}"
    except OSError:
        return ""  # just gone; the catalogue will not know it any more


def _in_words(parameters: int) -> str:
    for size, unit in ((10**9, "B"), (10**6, "M")):
        if parameters >= size:
            return f"{parameters / size:.3g} {unit}"
    return str(parameters or "")
