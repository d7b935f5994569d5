"""Regular expressions that write only what the validator's format checkers accept, for use in grammars.

They are subsets: every match passes the checker of `jsonschema` (tested by walking them), not the other way round.
"""

from __future__ import annotations

from typing import Final

_LEAP_YEAR: Final = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_YEAR: Final = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
_DATE: Final = (
    f"(?:{_YEAR}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    f"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))|{_LEAP_YEAR}-02-29)"
)
_TIME: Final = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_HEX4: Final = "[0-9a-f]{1,4}"
_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_LABEL: Final = "[a-z](?:[a-z0-9]{0,60}[a-z0-9])?"
_HOST: Final = rf"{_LABEL}(?:\.{_LABEL}){{1,3}}"
_PCHAR: Final = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2})"
_PATH: Final = f"(?:/{_PCHAR}*)*"
_TAIL: Final = rf"(?:\?(?:{_PCHAR}|[/?])*)?(?:#(?:{_PCHAR}|[/?])*)?"
_URI: Final = rf"(?:[a-z][a-z0-9+.-]{{1,20}}://{_HOST}(?::[1-9][0-9]{{1,3}})?{_PATH}|(?:urn|mailto|tel):{_PCHAR}+){_TAIL}"

FORMATS: Final[dict[str, str]] = {
    "date": f"^{_DATE}$",
    "time": f"^{_TIME}$",
    "date-time": f"^{_DATE}T{_TIME}$",
    "duration": "^P(?:[1-9][0-9]{0,3}W|[1-9][0-9]{0,3}D|(?:[1-9][0-9]{0,2}D)?T[1-9][0-9]{0,3}[HMS])$",
    "email": rf"^[A-Za-z0-9_+-]{{1,32}}(?:\.[A-Za-z0-9_+-]{{1,32}}){{0,3}}@{_HOST}$",
    "idn-email": rf"^[A-Za-z0-9_+-]{{1,32}}(?:\.[A-Za-z0-9_+-]{{1,32}}){{0,3}}@{_HOST}$",
    "hostname": f"^{_HOST}$",
    "ipv4": rf"^{_OCTET}(?:\.{_OCTET}){{3}}$",
    "ipv6": f"^(?:(?:{_HEX4}:){{7}}{_HEX4}|::(?:{_HEX4}:){{0,5}}{_HEX4}|{_HEX4}::(?:{_HEX4}:){{0,4}}{_HEX4})$",
    "uuid": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
    "uri": f"^{_URI}$",
    "iri": f"^{_URI}$",
    "uri-reference": f"^(?:{_URI}|{_PATH}{_TAIL})$",
    "iri-reference": f"^(?:{_URI}|{_PATH}{_TAIL})$",
    "json-pointer": "^(?:/(?:[A-Za-z0-9 ._-]|~[01])*)*$",
}

ENCLOSING: Final[dict[str, str]] = {
    "date": "^[0-9]{4}-?[0-9W]{2}",
    "time": "^[0-9]{2}:",
    "date-time": "^[0-9]{4}-",
    "email": "@",
    "idn-email": "@",
    "ipv4": r"^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$",
    "ipv6": ":",
    "uuid": "^[0-9a-fA-F]{8}-",
    "uri": ":",
    "iri": ":",
    "duration": "^P",
}
"""Patterns that every string matches that passes the format's checker: what does not match them breaks the format."""
