"""The weights that the settings choose, or those that serve where nobody asked for others."""

from __future__ import annotations

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.models.wish import DEFAULT_EMBEDDING_MODEL, DEFAULT_MODEL, KINDS, ModelWish, parse_wish
from menagerie.settings import Settings

NONE = "none"
"""The word by which a setting chooses no model at all."""


class Choice(msgspec.Struct, frozen=True):
    """What a setting chooses: weights, or an engine at an address by its name; neither is no model."""

    wish: ModelWish | None = None
    engine: str = ""

    def __bool__(self) -> bool:
        return self != Choice()


def default_wish(settings: Settings) -> ModelWish:
    """The weights that answer for personas without their own."""
    if settings.llm_model_file:
        return ModelWish(kind="file", file=str(settings.llm_model_file))
    if settings.llm_huggingface_repo:
        repo, glob = settings.llm_huggingface_repo, settings.llm_huggingface_file
        return ModelWish(kind="hub", repo=repo, filename=glob)
    return DEFAULT_MODEL


def embedding_choice(settings: Settings) -> Choice:
    """What computes embeddings. Raises `model.source_invalid` for what cannot be meant."""
    return _choice(settings.whisper_embedding_model, settings, Choice(DEFAULT_EMBEDDING_MODEL))


def reranker_choice(settings: Settings) -> Choice:
    """What ranks documents. Raises `model.source_invalid` for what cannot be meant."""
    return _choice(settings.reranker, settings, Choice())


def _choice(value: str, settings: Settings, default: Choice) -> Choice:
    value = value.strip()
    if not value:
        return default
    if value.lower() == NONE:
        return Choice()
    if value.lower() in settings.engines:
        return Choice(engine=value.lower())
    if value.partition(":")[0] in KINDS:
        return Choice(parse_wish(value))
    if value.lower().endswith(".gguf"):
        return Choice(ModelWish(kind="file", file=value).checked())
    raise MenagerieError(ErrorCode.MODEL_SOURCE_INVALID, model=value)
