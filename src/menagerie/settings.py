"""Every environment variable: typed, read once. The variables of the README keep their names; ours begin with
`MENAGERIE_`. What each one means stands in the catalogues under `setting.<VARIABLE>`; `settings_check` reads the
environment for a program, and `settings_report` describes all of them."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import platformdirs
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from menagerie.locales import Language


def _existing_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError) as failure:
        raise ValueError("not a time zone of the IANA database") from failure
    return name


def _split(value: object) -> object:
    if isinstance(value, str):
        return [part for part in (piece.strip() for piece in value.replace(";", ",").split(",")) if part]
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _split_addresses(value: object) -> object:
    """One wrong address refuses the whole value, so that the message shows, and masks, all of it."""
    addresses = _split(value)
    if not isinstance(addresses, list | tuple) or not addresses:
        raise ValueError("no address")
    if not all(isinstance(one, str) and re.fullmatch(r"https?://[^\s,;/?#]\S*", one) for one in addresses):
        raise ValueError("not an address that begins with http:// or https://")
    return tuple(dict.fromkeys(address.rstrip("/") for address in addresses))


CommaSeparated = BeforeValidator(_split)
TimeZone = Annotated[str, AfterValidator(_existing_zone)]
HttpAddress = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
HttpAddresses = Annotated[tuple[HttpAddress, ...], NoDecode, BeforeValidator(_split_addresses)]
Names = Annotated[tuple[str, ...], NoDecode, CommaSeparated]
Folders = Annotated[tuple[Path, ...], NoDecode, CommaSeparated]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Networks = Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode, CommaSeparated]
HostName = Annotated[
    str, Field(pattern=r"^(\*\.)?([a-z0-9_-]{1,63}\.)*[a-z0-9-]*[a-z][a-z0-9-]*$"), BeforeValidator(_lower)
]
Destinations = Annotated[tuple[IPv4Network | IPv6Network | HostName, ...], NoDecode, CommaSeparated]
"""Networks and names of hosts; `*.example.org` is any name below `example.org`."""
Ports = Annotated[
    tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, CommaSeparated, Field(min_length=1)
]


class RemoteEngine(BaseModel):
    """An engine at an address, or at several that serve the same model: anything that speaks the OpenAI chat API
    (`MENAGERIE_ENGINES__<NAME>__URL` …)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: HttpAddresses
    model: str = ""
    key: SecretStr = SecretStr("")
    slots: int = Field(default=8, ge=1, le=4096)
    window: int = Field(default=8192, ge=256)
    sees: Literal["on", "off"] = "off"
    """Whether its model takes pictures."""


class Settings(BaseSettings):
    """The configuration of one service. `Settings()` reads the environment; nothing else does."""

    model_config = SettingsConfigDict(
        env_prefix="MENAGERIE_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
    )

    # Models and how they are loaded
    llm_model_file: Path | None = Field(default=None, validation_alias="LLM_MODEL_FILE")
    llm_huggingface_repo: str = Field(default="", validation_alias="LLM_HUGGINGFACE_REPO")
    llm_huggingface_file: str = Field(default="*Q4_K_M.gguf", validation_alias="LLM_HUGGINGFACE_FILE")
    llm_gpu_layers: int = Field(default=-1, ge=-1, validation_alias="LLM_GPU_LAYERS")
    llm_context_window: int = Field(default=4096, ge=256, le=4_194_304, validation_alias="LLM_CONTEXT_WINDOW")
    llm_cpu_threads: int | None = Field(default=None, ge=1, le=1024, validation_alias="LLM_CPU_THREADS")
    llm_flash_attention: Literal["auto", "on", "off"] = Field(
        default="auto", validation_alias="LLM_FLASH_ATTENTION"
    )
    llm_rag_length: int = Field(default=4096, ge=0, validation_alias="LLM_RAG_LENGTH")
    llm_rag_helper: str = Field(default="", validation_alias="LLM_RAG_HELPER")
    llm_voice: str = Field(default="", validation_alias="LLM_VOICE")
    llm_voice_param: int = Field(default=0, ge=0, validation_alias="LLM_VOICE_PARAM")
    ui_style: str = Field(default="", validation_alias="UI_STYLE")
    ui_features: Names = Field(default=(), validation_alias="UI_FEATURES")
    sd_negative_prompt: str = Field(default="", validation_alias="SD_NEGATIVE_PROMPT")
    whisper_speculative_decoding: int = Field(
        default=0, ge=0, le=64, validation_alias="WHISPER_SPECULATIVE_DECODING"
    )
    whisper_embedding_model: str = Field(default="", validation_alias="WHISPER_EMBEDDING_MODEL")

    # Where things are
    host: str = "127.0.0.1"
    port: int = Field(default=5000, ge=0, le=65535)
    data: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("menagerie")))
    database: str = ""
    """A SQLAlchemy address; empty: SQLite in the data folder."""
    personalities: Folders = ()
    """Folders of persona files that patch those that come with the service, in this order."""
    hub: HttpAddress = "https://huggingface.co"
    hub_token: SecretStr = SecretStr("")
    api_key: SecretStr = SecretStr("")
    """What `menagerie batch` shows to the service that it asks."""

    # Engines
    model_fallback: Literal["on", "off"] = "on"
    default_persona: str = "beaver"
    engine_slots: int | None = Field(default=None, ge=1, le=256)
    engine_memory: int | None = Field(default=None, ge=64)
    """MiB that engines may use together; None: three quarters of the machine's memory, less where less is free."""
    gpu_memory: int | None = Field(default=None, ge=0)
    """MiB of each GPU that engines may use together; None: what is free when the service starts, less a margin."""
    engine_index: str = ""
    """The address of the package index that has the text engine's builds for GPUs, `{build}` in it standing for one."""
    prompt_cache: int | None = Field(default=None, ge=0)
    """MiB of host memory for the prompts of an engine; None: a sixteenth of the machine's memory, 1024 at most."""
    engines: dict[str, RemoteEngine] = Field(default_factory=dict)
    reranker: str = ""
    """What ranks documents, as `whisper_embedding_model` names a model; empty: the embeddings do."""
    answer_tokens: int = Field(default=1024, ge=1)
    queue_length: int = Field(default=256, ge=1)
    engine_idle: Seconds | None = None
    """Seconds without a turn after which an engine leaves; None: it stays until its memory is needed."""
    load_timeout: Seconds = 600.0
    token_timeout: Seconds = 120.0
    """Seconds without a token after which an engine counts as hung."""
    turn_timeout: Seconds = 900.0

    # The people
    language: Language = "en"
    branding: str = "neutral"
    """`neutral`, `canada`, or the path of a folder with a branding of one's own."""
    timezone: TimeZone = "America/Toronto"
    trusted_proxies: Networks = ()
    api_keys: Literal["optional", "required"] = "optional"
    """Whether programs must show a key, or a name from a trusted proxy."""
    allowed_hosts: Names = ()
    """Host names that the service answers to; empty: loopback names if it listens on loopback only, else any."""
    allowed_origins: Names = ()
    metrics: Networks = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
    """Who may read `/metrics`."""

    # Pages at addresses that people give
    fetch: Literal["on", "off"] = "on"
    fetch_allow: Destinations = ()
    """What may be fetched although it is not global: an intranet."""
    fetch_deny: Destinations = ()
    fetch_ports: Ports = (80, 443)
    fetch_cache: int = Field(default=256, ge=0)
    """MiB."""
    outside: Literal["on", "off"] = "on"
    robots: Literal["on", "off"] = "on"

    # What is looked up
    search: Literal["", "searxng", "brave", "ddgs", "sitemap", "off"] = ""
    search_url: str = Field(default="", pattern=r"^(https?://[^\s]+)?$")
    search_key: SecretStr = SecretStr("")
    wikis: Annotated[tuple[HttpAddress, ...], NoDecode, CommaSeparated] = ()
    wiki_tokens: SecretStr = SecretStr("")
    """`host=token`, separated by commas."""
    feeds: Path | None = None
    max_document: int = Field(default=104_857_600, ge=1024)
    facts_watch: Seconds = 60.0

    # Limits
    max_body: int = Field(default=1_048_576, ge=1024)
    max_file: int = Field(default=536_870_912, ge=1024)
    """Bytes of a file of a batch."""
    file_days: int = Field(default=30, ge=1)
    """Days after which files of batches are deleted."""
    max_frame: int = Field(default=1_048_576, ge=1024)
    max_connections: int = Field(default=2048, ge=1)
    connections_per_address: int = Field(default=1024, ge=1)
    idle_timeout: Seconds = 1800.0
    send_timeout: Seconds = 30.0
    away_s: float = Field(default=120.0, ge=0, allow_inf_nan=False)
    """Seconds that a turn which can be resumed goes on without anybody following it."""
    shutdown_grace: float = Field(default=20.0, ge=0, allow_inf_nan=False)

    # The pages
    dictation: Literal["browser", "off"] = "browser"
    """Whether people may dictate, to what their browser has for it."""

    # Logs
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "json", "text"] = "auto"
