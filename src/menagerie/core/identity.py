"""Who asks: a user as an authenticating proxy or a key named them, or nobody in particular."""

from __future__ import annotations

import unicodedata
from ipaddress import IPv6Network
from typing import Final

import msgspec

ANONYMOUS: Final = "anon"
KEY_OWNER: Final = "key:"
"""How the owner of a key that belongs to no person begins; no proxy can give such a name."""
MAX_NAME: Final = 200


class User(msgspec.Struct, frozen=True):
    """A caller. `names` are all the names (user name, e-mail) by which the proxy identified them, normalized.
    `personas` are the only ones that exist for them; empty: all of them."""

    names: tuple[str, ...] = ()
    address: str = ""
    personas: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The name that what they make is filed under."""
        return self.names[0] if self.names else ANONYMOUS

    @property
    def share(self) -> str:
        """Whose share of an engine their turns take: their own, or, for nobody in particular, that of their address;
        of IPv6 the first half, since the other half is the household's to choose."""
        if self.names:
            return self.id
        address = self.address
        if ":" in address:
            address = str(IPv6Network((address.partition("%")[0], 64), strict=False))
        return f"@{address}"

    def owns(self, owner: str) -> bool:
        """Whether something filed under `owner` is theirs."""
        return owner in self.names if self.names else owner == ANONYMOUS

    def may_use(self, persona: str) -> bool:
        """Whether the persona of this name, and what was said with it, exists for them."""
        return not self.personas or unicodedata.normalize("NFC", persona) in self.personas


def normalized_name(name: str) -> str:
    """One spelling for a user name or an e-mail: composed, without surrounding blanks, in lower case."""
    return unicodedata.normalize("NFC", name).strip().casefold()[:MAX_NAME]


def name_of_person(text: str) -> str:
    """The normalized name; empty where it is none that a person can have: none at all, too long, with invisible
    characters, or one that we give ourselves."""
    text = text.strip()
    name = normalized_name(text)
    odd = any(unicodedata.category(character)[0] == "C" for character in text)
    cut = len(unicodedata.normalize("NFC", text).casefold()) > MAX_NAME
    ours = name == ANONYMOUS or name.startswith(KEY_OWNER)
    return "" if odd or cut or ours else name
