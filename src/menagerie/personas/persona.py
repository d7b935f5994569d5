"""A persona: who answers, with which words, on which model. Every key of a persona file is a field here."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from menagerie.core.languages import OTHER
from menagerie.locales import LANGUAGES, Language
from menagerie.models.wish import ModelWish

MAX_NAME: Final = 64
MAX_TEXT: Final = 100_000
MAX_LINE: Final = 2_000
NAME_MARKS: Final = ".-_@+"
WEB: Final = ("http://", "https://")

TextField = Literal["title", "description", "intro_dialogue", "imperative"]

_FLASH: Final[dict[object, str]] = {True: "on", False: "off", "true": "on", "false": "off"}
_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Expects(str):
    """Metadata of a field: what may stand there is told by the text `persona.expects.<this>`."""

    __slots__ = ()


def is_name(name: str) -> bool:
    """Whether a persona may have this name. It stands in addresses: letters and digits of any script and
    `. - _ @ +`, at most 64 characters, at least one letter or digit, no `.` at the start."""
    return (
        0 < len(name) <= MAX_NAME
        and not name.startswith(".")
        and any(character.isalnum() for character in name)
        and all(character.isalpha() or character.isdecimal() or character in NAME_MARKS for character in name)
    )


def escapes(path: str) -> bool:
    """Whether a relative `path` leads out of its folder, by the rules of either kind of system."""
    if is_absolute(path):
        return False
    depth = 0
    for part in path.replace("\\", "/").split("/"):
        depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
        if depth < 0:
            return True
    return bool(PureWindowsPath(path).drive)


def is_absolute(path: str) -> bool:
    """Whether `path` is absolute here or on Windows."""
    return PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute()


class Text(BaseModel):
    """A text that people read. A persona file gives one string for both languages, or an object with `en`,
    `fr` or both; a language that is missing is answered in the other one."""

    model_config = _STRICT

    en: Annotated[str | None, Field(max_length=MAX_TEXT), Expects("string")] = None
    fr: Annotated[str | None, Field(max_length=MAX_TEXT), Expects("string")] = None

    @model_validator(mode="before")
    @classmethod
    def _one_for_both(cls, value: object) -> object:
        return {"en": value, "fr": value} if isinstance(value, str) else value

    def get(self, language: Language) -> str:
        """The text in `language`, else in the other one, else `""`."""
        mine: str | None = getattr(self, language)
        other: str | None = getattr(self, OTHER[language])
        return mine or other or ""


class Features(BaseModel):
    """What the chat page offers with a persona; `…_default`: switched on when the page opens. A persona file
    gives an object, or names everything that is on in a list or a `;`-separated string."""

    model_config = _STRICT

    rag_custom: bool = False
    rag_custom_default: bool = False
    rag_clipboard: bool = False
    rag_clipboard_default: bool = False
    rag_wikipedia: bool = False
    rag_wikipedia_default: bool = False
    rag_goc: bool = False
    rag_goc_default: bool = False
    ui_emotions: bool = False
    ui_emotions_default: bool = False

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: object) -> object:
        return features_object(value)


def features_object(value: object) -> object:
    """A list or `;`-separated string of features as an object that says of every feature whether it is on;
    anything else as it is. A name that is no feature stays in, for the validation to refuse."""
    if isinstance(value, str):
        value = [part for part in (piece.strip() for piece in value.split(";")) if part]
    if isinstance(value, list | tuple) and all(isinstance(part, str) for part in value):
        return dict.fromkeys(Features.model_fields, False) | dict.fromkeys(value, True)
    return value


def _where(test: Callable[[str], bool]) -> AfterValidator:
    """Only strings that pass the `test`; an empty one says that there is none."""

    def check(value: str) -> str:
        if value and not test(value):
            raise ValueError(value)
        return value

    return AfterValidator(check)


def _whole(pattern: str) -> str:
    """A pattern for the whole of a string, or an empty one, in the common part of all dialects of patterns."""
    return f"^(?:{pattern})?$"


def _sources(value: Text) -> Text:
    for where in (value.en, value.fr):
        if where and not where.startswith(WEB) and (escapes(where) or not where.isprintable()):
            raise ValueError(where)
    return value


def _flash(value: object) -> object:
    return _FLASH.get(value, value) if isinstance(value, bool | str) else value


def _listed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _distinct(value: tuple[Language, ...]) -> tuple[Language, ...]:
    if len(set(value)) != len(value):
        raise ValueError(value)
    return value


_ID = "[A-Za-z0-9][A-Za-z0-9_.-]*"
_SPDX = "[A-Za-z0-9][A-Za-z0-9.+-]*"
_ADDRESS: Final = _whole(r"https?://[^\s/?#]+[^\s]*")
_REPOSITORY: Final = _whole(f"{_ID}/{_ID}")
_PACKAGE: Final = _whole(f"{_ID}==[A-Za-z0-9][A-Za-z0-9_.!+-]*")
_SHA256: Final = _whole("[0-9a-f]{64}")
_LICENCE: Final = _whole(f"{_SPDX}(?: (?:AND|OR|WITH) {_SPDX})*")
_PRINTABLE: Final = _where(str.isprintable)

Line = Annotated[str, Field(max_length=MAX_LINE), Expects("line"), _PRINTABLE]
Address = Annotated[str, Field(max_length=MAX_LINE, pattern=_ADDRESS), Expects("address"), _PRINTABLE]
Repository = Annotated[str, Field(max_length=193, pattern=_REPOSITORY), Expects("repository")]
Package = Annotated[str, Field(max_length=165, pattern=_PACKAGE), Expects("package")]
Sha256 = Annotated[str, Field(max_length=64, pattern=_SHA256), Expects("sha256")]
Licence = Annotated[str, Field(max_length=MAX_LINE, pattern=_LICENCE), Expects("licence")]
ModelFile = Annotated[Line, Expects("model_file"), _where(lambda path: not escapes(path))]
Glob = Annotated[Line, Expects("glob"), _where(lambda glob: not escapes(glob) and not is_absolute(glob))]
Source = Annotated[Text, Expects("source"), AfterValidator(_sources)]
Flash = Annotated[Literal["auto", "on", "off"], Expects("flash"), BeforeValidator(_flash)]
Languages = Annotated[
    tuple[Language, ...],
    Field(min_length=1, max_length=len(LANGUAGES)),
    Expects("languages"),
    BeforeValidator(_listed),
    AfterValidator(_distinct),
]


_OUR_PREFIXES: Final = frozenset({"facts", "fact", "feeds", "feed", "http", "https"})
_LABEL = r"[^\s.:/@?#]+"
_OUR_PLACE = r"facts:[a-z][a-z0-9-]{0,63}|feeds|feed:[a-z0-9][a-z0-9-]{0,39}(?:/[a-z0-9][a-z0-9-]{0,39})?"
_PLACE: Final = rf"^(?:{_OUR_PLACE}|{_LABEL}(?:\.{_LABEL})+\.?|[a-z][a-z0-9-]*:\S+)$"
"""A collection, the feeds or one of them, a domain, or what a site's own source serves, such as `shelf:novels`."""


def _is_place(where: str) -> bool:
    """Whether it is neither an IP address nor a place of ours that is spelled wrongly."""
    prefix, colon, _ = where.partition(":")
    if colon and prefix in _OUR_PREFIXES:
        return re.fullmatch(_OUR_PLACE, where) is not None
    return not where.replace(".", "").isdigit()


Place = Annotated[str, Field(max_length=253, pattern=_PLACE), _where(_is_place)]
Places = Annotated[
    tuple[Place, ...],
    Field(max_length=16),
    Expects("places"),
    BeforeValidator(_listed),
]


class Persona(BaseModel):
    """One persona, complete: the keys of its files, and the settings' defaults where it has none.

    What each key means stands in the catalogues under `persona.key.<key>`.
    """

    model_config = _STRICT

    name: str

    # What people read
    title: Text = Text()
    description: Text = Text()
    intro_dialogue: Text = Text()
    imperative: Text = Text()
    languages: Languages = LANGUAGES
    hidden: bool = False

    # The model
    local_file: ModelFile = ""
    model_url: Address = ""
    model_package: Package = ""
    hf_repo: Repository = ""
    hf_filename: Glob = ""
    model_sha256: Sha256 = ""
    licence: Licence = ""
    engine: Line = ""
    engine_url: Address = ""

    # How it is loaded and asked
    context_window: int = Field(default=4096, ge=256, le=4_194_304)
    gpu_layers: int = Field(default=-1, ge=-1, le=10_000)
    cpu_threads: int | None = Field(default=None, ge=1, le=1024)
    flash_attention: Flash = "auto"
    keep_loaded: bool = False
    idle_timeout: float | None = Field(default=None, ge=0, le=31_536_000)
    temperature: float | None = Field(default=None, ge=0, le=2)
    strict: bool = False

    # What it looks up
    rag_length: int = Field(default=4096, ge=0, le=4_194_304)
    rag_helper: Line = ""
    agent_rag_source: Source = Text()
    sources: Places = ()
    tell_user: bool = False

    # How it sounds and looks
    voice: Line = ""
    voice_param: int = Field(default=0, ge=0, le=100_000)
    ui_style: Line = ""
    ui_features: Features = Features()
    persona: Annotated[str, Field(max_length=MAX_TEXT), Expects("string")] = ""
    persona_seed: int = Field(default=0, ge=-1, le=2**63 - 1)
    persona_cfg: float = Field(default=5.0, ge=0, le=100)
    persona_steps: int = Field(default=20, ge=1, le=500)

    def text(self, field: TextField, language: Language) -> str:
        """A text of this persona in `language`, else in the other one. Without a title, its name."""
        value: Text = getattr(self, field)
        return value.get(language) or (self.name if field == "title" else "")

    def stuffing(self, language: Language) -> Path | str | None:
        """Where the text is that goes into its first prompt: a file, an http(s) address, or None. Where it was
        loaded from a file, a relative path has been made absolute: it counts from that file's folder."""
        where = self.agent_rag_source.get(language)
        if not where or where.startswith(WEB):
            return where or None
        return Path(where)

    @property
    def model_wish(self) -> ModelWish | None:
        """The weights it wants; None: those of the default model. The most exact key wins: `local_file`, then
        `model_url`, `model_package`, `hf_repo`."""
        if self.local_file:
            return ModelWish(kind="file", file=self.local_file, sha256=self.model_sha256)
        if self.model_url:
            return ModelWish(kind="url", url=self.model_url, sha256=self.model_sha256)
        if self.model_package:
            return ModelWish(
                kind="package",
                package=self.model_package,
                filename=self.hf_filename or "*.gguf",
                sha256=self.model_sha256,
            )
        if self.hf_repo:
            return ModelWish(
                kind="hub",
                repo=self.hf_repo,
                filename=self.hf_filename or "*Q4_K_M.gguf",
                sha256=self.model_sha256,
            )
        return None


MODEL_KEYS: Final = ("local_file", "model_url", "model_package", "hf_repo")
FILE_KEYS: Final = tuple(key for key in Persona.model_fields if key != "name")
"""The keys that a persona file may have, in the order of the documentation."""
