"""`/v1/embeddings`: OpenAI's embeddings, of the one model that the settings choose."""

from __future__ import annotations

import asyncio
import base64
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.core.identity import User
from menagerie.embeddings.service import Embedded
from menagerie.locales import Language
from menagerie.web.errors import InvalidRequestError, shown
from menagerie.web.openai.fields import read

if TYPE_CHECKING:
    from menagerie.embeddings.model import ChosenModel
    from menagerie.web.services import Services

MOST_TEXTS: Final = 2048
Encoding = Literal["float", "base64"]


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    input: Any
    model: str = ""
    encoding_format: Encoding = "float"
    dimensions: Annotated[int, msgspec.Meta(ge=1)] | None = None
    user: str = ""


class EmbeddingRequest(msgspec.Struct, frozen=True):
    """What is asked for. An empty `model` is the one there is; `dimensions` None are those that it has."""

    texts: tuple[str, ...]
    model: str = ""
    encoding: Encoding = "float"
    dimensions: int | None = None


async def answer(
    services: Services, user: User, language: Language, body: Mapping[str, object]
) -> dict[str, Any]:
    """OpenAI's list of embeddings for a decoded body. Raises `request.invalid` with the field that is wrong, and
    what `Embeddings.embed` raises; `model.unknown` for a model that is not the one of the settings."""
    del language
    request = parse(body)
    await check_model(services.embeddings.embedder, request.model)
    embedded = await services.embeddings.embed(request.texts, None, user)
    return await asyncio.to_thread(encode, request, embedded)


def parse(body: Mapping[str, object]) -> EmbeddingRequest:
    """The request in a decoded body. Raises `request.invalid` with the field that is wrong."""
    given = read(body, _Body)
    return EmbeddingRequest(_texts(given.input), given.model, given.encoding_format, given.dimensions)


def encode(request: EmbeddingRequest, embedded: Embedded) -> dict[str, Any]:
    """The answer. Raises `request.invalid` where the vectors have other dimensions than were asked for."""
    width = len(embedded.vectors[0])
    if request.dimensions not in {None, width}:
        raise InvalidRequestError(
            "dimensions_fixed", field="dimensions", model=embedded.model.name, width=width
        )
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": _base64(vector) if request.encoding == "base64" else vector,
        }
        for index, vector in enumerate(embedded.vectors)
    ]
    usage = {"prompt_tokens": embedded.tokens, "total_tokens": embedded.tokens}
    return {"object": "list", "data": data, "model": embedded.model.name, "usage": usage}


async def check_model(chosen: ChosenModel, name: str) -> None:
    """Raise `model.unknown` unless `name` is the model that is chosen, by any of its names, or empty."""
    if name and name.lower() not in (await chosen.find()).names:
        raise MenagerieError(ErrorCode.MODEL_UNKNOWN, model=shown(name))


def _texts(value: object) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise InvalidRequestError("field_wrong", field="input")
    if any(isinstance(text, int | list) for text in texts):
        raise InvalidRequestError("tokens_not_text", field="input")
    if len(texts) > MOST_TEXTS:
        raise InvalidRequestError("list_too_long", field="input", limit=MOST_TEXTS)
    for index, text in enumerate(texts):
        if not isinstance(text, str):
            raise InvalidRequestError("field_not_text", field=f"input[{index}]")
        if not text.strip():
            raise InvalidRequestError("text_empty", field=f"input[{index}]" if len(texts) > 1 else "input")
    return tuple(texts)


def _base64(vector: Sequence[float]) -> str:
    """The numbers as 32-bit floats, the lowest byte first."""
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()
