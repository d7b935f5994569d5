"""A branding folder that is right, to serve from and to spoil."""

from __future__ import annotations

from pathlib import Path
from typing import Final

TOML: Final = """
[service]
en = "Lighthouse Assistant"
fr = "Assistant du Fanal"

[department]
en = "Buoys and Beacons Agency"
fr = "Agence des bouées et des phares"

[classification]
en = "Protected A"
fr = "Protégé A"

[contact]
en = "help@example.org"
fr = "aide@example.org"

[accent]
light = "#7a1f3d"
dark = "#f0a6bd"
"""
MARK: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<path fill="{colour}" d="M13 4h6l2 6h-10zM11 12h10l3 17H8z"/></svg>'
)
PRIVACY: Final = {
    "en": "# Our rules\n\nWrite **nothing** about [people](https://example.org/rules). <b onclick='x'>Never</b>.\n",
    "fr": "# Nos règles\n\nN’écrivez **rien** sur les [personnes](https://example.org/regles).\n",
}


def brand(folder: Path) -> Path:
    """A folder with everything that a branding can have."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "brand.toml").write_text(TOML, encoding="utf-8")
    (folder / "mark.svg").write_text(MARK.format(colour="#7a1f3d"), encoding="utf-8")
    (folder / "mark-dark.svg").write_text(MARK.format(colour="#f0a6bd"), encoding="utf-8")
    for language, text in PRIVACY.items():
        (folder / f"privacy.{language}.md").write_text(text, encoding="utf-8")
    return folder
