"""The pages of the documentation that list all errors. `python -m tests.web.errors_page` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from menagerie.core.errors import ErrorCode
from menagerie.locales import LANGUAGES, Language, catalogue
from menagerie.web.errors import RETRY_AFTER, STATUS
from tests.locales.test_catalogues import placeholders

FOLDER: Final = Path(__file__).parents[2] / "docs"
REASONS: Final = "error.request.invalid."

INTRODUCTIONS: Final[dict[Language, str]] = {
    "en": """# Errors

[Français](errors.fr.md)

Every failure has a code that does not change, and a sentence in the caller’s language. Programs go by the code.

Over HTTP the answer has the status below. `/toil`, `/describe`, `/embedding` and whoever asks for `application/json`
get `{"error": {"code": "…", "message": "…", "request": "…", "retry_after": 5}}`; a browser gets a page; all others get
text, `message [code]`. `request` is the number that the header `X-Request-Id` and the log have as well. Where trying
again can help, `Retry-After` and `retry_after` say after how many seconds. On a websocket that speaks
`menagerie.events.v1` the event `failed` has `code`, `message` and `retry_after`.

What stands in braces is filled in: see the last column.

| Code | Status | Retry after | Sentence | Filled in |
|---|---|---|---|---|
""",
    "fr": """# Erreurs

[English](errors.en.md)

Chaque échec porte un code qui ne change pas et une phrase dans la langue de la personne. Les programmes se fient au
code.

En HTTP, la réponse a le statut indiqué ci-dessous. `/toil`, `/describe`, `/embedding` et qui demande `application/json`
reçoivent `{"error": {"code": "…", "message": "…", "request": "…", "retry_after": 5}}`; un navigateur reçoit une page;
tous les autres reçoivent du texte, `message [code]`. `request` est le numéro qui figure aussi dans l’en-tête
`X-Request-Id` et dans le journal. Lorsqu’un nouvel essai peut réussir, `Retry-After` et `retry_after` donnent le nombre
de secondes à attendre. Sur une connexion WebSocket qui parle `menagerie.events.v1`, l’événement `failed` contient
`code`, `message` et `retry_after`.

Ce qui est entre accolades est rempli\u00a0: voir la dernière colonne.

| Code | Statut | Réessayer après | Phrase | Rempli |
|---|---|---|---|---|
""",
}
REASONS_OF: Final[dict[Language, str]] = {
    "en": """
## What can be wrong with a request

The sentences of `request.invalid`.

| Sentence | Filled in |
|---|---|
""",
    "fr": """
## Ce qui peut clocher dans une demande

Les phrases de `request.invalid`.

| Phrase | Rempli |
|---|---|
""",
}


def page(language: Language) -> str:
    """The page in `language`, as Markdown."""
    texts = catalogue(language)
    rows = []
    for code in sorted(ErrorCode):
        said = texts[f"error.{code}"]
        wait = f"{RETRY_AFTER[code]:g}\u00a0s" if code in RETRY_AFTER else ""
        rows.append(f"| `{code}` | {STATUS[code]} | {wait} | {_cell(said)} | {_names(said)} |\n")
    reasons = [
        f"| {_cell(said)} | {_names(said)} |\n"
        for key, said in sorted(texts.items())
        if key.startswith(REASONS)
    ]
    return "".join((INTRODUCTIONS[language], *rows, REASONS_OF[language], *reasons))


def path(language: Language) -> Path:
    """Where the page is."""
    return FOLDER / f"errors.{language}.md"


def _cell(said: str) -> str:
    return said.replace("|", "\\|")


def _names(said: str) -> str:
    return ", ".join(f"`{name}`" for name in sorted(placeholders(said)))


if __name__ == "__main__":
    for each in LANGUAGES:
        path(each).write_text(page(each), encoding="utf-8")
