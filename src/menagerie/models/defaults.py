"""The weights that answer where nobody asked for others."""

from __future__ import annotations

from menagerie.models.wish import DEFAULT_MODEL, ModelWish
from menagerie.settings import Settings


def default_wish(settings: Settings) -> ModelWish:
    """The weights that answer for personas without their own."""
    if settings.llm_model_file:
        return ModelWish(kind="file", file=str(settings.llm_model_file))
    if settings.llm_huggingface_repo:
        repo, glob = settings.llm_huggingface_repo, settings.llm_huggingface_file
        return ModelWish(kind="hub", repo=repo, filename=glob)
    return DEFAULT_MODEL
