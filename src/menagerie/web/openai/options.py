"""What several of OpenAI's requests share: how an answer is drawn, which form it has, which functions it may call."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from menagerie.conversation.running import Sampling
from menagerie.core.errors import ErrorCode, MenagerieError
from menagerie.web.openai.fields import refuse_field

if TYPE_CHECKING:
    from menagerie.structured.schema import CompiledSchema
    from menagerie.structured.tools import Toolbox

MAX_TOOLS: Final = 128
MAX_TOOL_BYTES: Final = 65_536
"""Of the schemas of all functions of a request: beyond that they fit into no model's window."""
MAX_STOPS: Final = 16
_SEEDS: Final = 2**32 - 1
"""An engine's seeds; the one beyond them means chance."""

Temperature = Annotated[float, msgspec.Meta(ge=0, le=2)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Penalty = Annotated[float, msgspec.Meta(ge=-2, le=2)]
Tokens = Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)]
Alternatives = Annotated[int, msgspec.Meta(ge=0, le=20)]
Seed = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
Stop = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Stops = Stop | Annotated[list[Stop], msgspec.Meta(max_length=MAX_STOPS)]
FunctionName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Metadata = Annotated[dict[str, Annotated[str, msgspec.Meta(max_length=512)]], msgspec.Meta(max_length=16)]


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True):
    """How a stream is told. Obfuscation is padding against eavesdroppers; there is none."""

    include_usage: bool = False
    include_obfuscation: bool = False


class Drawing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The fields of a request that say how an answer is drawn."""

    temperature: Temperature | None = None
    top_p: Share | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    seed: Seed | None = None
    stop: Stops | None = None

    def sampling(self, max_tokens: int | None, logprobs: int | None) -> Sampling:
        """The same for a turn, with the most tokens to write, and the alternatives to tell of each."""
        return Sampling(
            max_tokens=max_tokens,
            temperature=self.temperature,
            top_p=self.top_p,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
            seed=None if self.seed is None else self.seed % _SEEDS,
            stop=(self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ()),
            logprobs=logprobs,
        )


class AnyText(msgspec.Struct, tag_field="type", tag="text", forbid_unknown_fields=True):
    """Free text."""


class JsonObject(msgspec.Struct, tag_field="type", tag="json_object", forbid_unknown_fields=True):
    """Any JSON object."""


class SchemaPart(msgspec.Struct, forbid_unknown_fields=True):
    """A schema under a name. Every answer is held to it, `strict` or not."""

    name: str = "answer"
    schema: Any = None
    description: str | None = None
    strict: bool | None = None


class JsonSchema(msgspec.Struct, tag_field="type", tag="json_schema", forbid_unknown_fields=True):
    """JSON that meets a schema."""

    json_schema: SchemaPart


class FunctionPart(msgspec.Struct, forbid_unknown_fields=True):
    """A function that may be called. Its arguments are held to `parameters`, `strict` or not."""

    name: FunctionName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


Choice = Literal["none", "auto", "required"]


async def compiled(schema: object, path: str) -> CompiledSchema:
    """The schema, compiled in a thread; so is the import, which takes a third of a second the first time. Raises
    `schema.invalid`, `schema.too_complex`, which name the field at `path`."""
    structured = await asyncio.to_thread(importlib.import_module, "menagerie.structured.schema")
    try:
        result: CompiledSchema = await structured.compile_soon(schema)
    except MenagerieError as wrong:
        wrong.values = {**wrong.values, "field": path}
        raise
    return result


async def toolbox(
    functions: Sequence[tuple[str, FunctionPart]],
    choice: Choice | str,
    named: Mapping[str, str],
    *,
    parallel: bool,
) -> Toolbox | None:
    """The functions that an answer may call, each given with the path of its field; None where it may call none.
    `named` has the one that it must call, under `name`, with the `path` of that wish."""
    if not functions and (choice == "required" or named):
        raise refuse_field("tool_choice")
    if not functions or choice == "none":
        return None
    if len(functions) > MAX_TOOLS:
        raise refuse_field("tools")
    if sum(len(msgspec.json.encode(function.parameters)) for _, function in functions) > MAX_TOOL_BYTES:
        raise MenagerieError(ErrorCode.SCHEMA_TOO_COMPLEX, reason=f"tools: > {MAX_TOOL_BYTES}", field="tools")
    names = [function.name for _, function in functions]
    if len(set(names)) < len(names):
        raise refuse_field("tools", "field_wrong")
    if named and named["name"] not in names:
        raise refuse_field(named["path"])
    wanted = [one for one in functions if not named or one[1].name == named["name"]]
    tools = await asyncio.to_thread(importlib.import_module, "menagerie.structured.tools")
    made = [
        tools.Tool(
            function.name,
            function.description or "",
            await compiled(_arguments(function.parameters), f"{path}.parameters"),
        )
        for path, function in wanted
    ]
    must = choice == "required" or bool(named)
    result: Toolbox = await tools.Toolbox.of(made, must=must, parallel=parallel and not named)
    return result


def _arguments(parameters: dict[str, Any] | None) -> dict[str, Any]:
    """The schema of a function's arguments, which are always an object."""
    if not parameters:
        return {"type": "object", "properties": {}, "additionalProperties": False}
    return parameters if "type" in parameters else {"type": "object", **parameters}
