"""A model on the disk: how it is loaded, and what is told of it."""

from __future__ import annotations

import msgspec

from menagerie.core.provenance import ModelFacts
from menagerie.engines.plan import Local, Machine, ModelShape, Wish, plan
from menagerie.models.catalogue import InstalledModel
from menagerie.models.projector import projector_of


def planned(model: InstalledModel, wish: Wish, machine: Machine) -> Local:
    """The forms in which `model` can be loaded for `wish`."""
    shape = ModelShape.of(model.header)
    projector = projector_of(model.path, model.header.embedding_length) if wish.kind == "text" else None
    if projector is not None:
        shape = msgspec.structs.replace(shape, projector_bytes=projector.stat().st_size)
    local = plan(str(model.path), model.name, shape, wish, machine)
    if projector is not None:
        forms = tuple(msgspec.structs.replace(form, projector=str(projector)) for form in local.forms)
        local = msgspec.structs.replace(local, forms=forms)
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
