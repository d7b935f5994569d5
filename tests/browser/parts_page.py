"""A page with nothing but the parts of one persona's page, which the browser finds at an address of the real service:
its scripts, its files and its answers are those of the service, its policy too."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from playwright.sync_api import Page

from menagerie.locales import Language
from menagerie.web.assets import assets
from menagerie.web.guard import CONTENT_SECURITY_POLICY, LISTENING
from menagerie.web.pages import page_texts

PROVENANCE: Final[dict[str, Any]] = {
    "service": "menagerie 0.1.0",
    "persona": "otter",
    "language": "en",
    "model": {
        "name": "Llama 3.2 3B Instruct",
        "file": "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        "sha256": "6c1a2b41161032677be168d354123594c0e6e67d2b9227c84f296ad037c728ff",
        "quantization": "Q4_K_M",
        "parameters": "3.2B",
        "licence": "Llama-3.2",
        "source": "hub:makers/llama",
    },
    "started": "2026-11-23T12:00:00-05:00",
    "wanted_model": "hub:makers/otter-7b",
    "finish": "stop",
    "prompt_tokens": 12345,
    "cached_tokens": 1000,
    "answer_tokens": 57,
    "dropped_messages": 2,
    "citations": [{"number": 2, "start": 0, "end": 9, "verdict": "supported"}],
    "timings": {"queued_ms": 1200, "grounding_ms": 800, "first_token_ms": 2400, "total_ms": 5100},
}
SOURCES: Final[list[dict[str, Any]]] = [
    {"number": 1, "kind": "context", "characters": 1234, "passage": "What I pasted."},
    {
        "number": 2,
        "kind": "page",
        "title": "Politique <img src=x onerror=\"document.title='broken in'\">",
        "heading": "Politique › Congés",
        "address": "https://www.example.ca/politique?a=1&b=2",
        "language": "fr",
        "read": "2026-11-23T17:00:00+00:00",
        "passage": "Le congé est de vingt jours.\n<script>document.title = 'broken in'</script>",
    },
    {"number": 3, "kind": "document", "title": "Guide", "address": "javascript:alert(1)", "page": 3},
    {"number": 4, "kind": "wiki", "title": "Beaver", "address": "https://en.wikipedia.org/wiki/Beaver"},
]
CITATIONS: Final = [
    {"number": 2, "start": 0, "end": 9, "verdict": "supported"},
    {"number": 3, "start": 10, "end": 19, "verdict": "unsupported"},
]


def open_parts(
    page: Page, language: Language = "en", persona: str = "otter", *, answered: bool = False, **features: Any
) -> Page:
    """The parts in `language`, with the features of `persona` as the service tells them, but for those given here;
    with those of an answer where one was `answered`."""
    told = page.request.get(f"/{language}/chat/{persona}").text()
    found = re.search(r'data-page="([^"]*)"', told)
    assert found, told[:500]
    offered = {**json.loads(html.unescape(found[1]))["features"], **features}
    body = _body(language, offered, answered=answered)
    headers = {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Permissions-Policy": LISTENING,
        "Content-Type": "text/html; charset=utf-8",
    }
    page.route("**/*/parts", lambda route: route.fulfill(body=body, headers=headers))
    page.goto(f"/{language}/parts")
    page.locator("#parts[data-ready]").wait_for(state="attached")
    return page


@contextmanager
def nothing_behind(page: Page) -> Iterator[None]:
    """What lies behind an open dialogue or panel is not seen for a while: axe does not know what lies above, and could
    not decide on contrasts."""
    hide = """(hidden) => {
      const dialogue = document.querySelector("dialog[open]");
      const panel = document.querySelector(".dictation-panel");
      const beside = panel ? document.querySelectorAll("m-sources, m-account, m-material") : [];
      for (const one of dialogue ? [document.body] : beside) one.style.visibility = hidden ? "hidden" : "";
      if (dialogue) dialogue.style.visibility = hidden ? "visible" : "";
    }"""
    page.evaluate(hide, True)
    yield
    page.evaluate(hide, False)


def _body(language: Language, features: dict[str, Any], *, answered: bool) -> str:
    loaded = assets().entry("parts")
    values: dict[str, Any] = {
        "m-material": {"features": features},
        "m-dictation": {"for": "prompt", "mode": features["dictation"]},
        "m-sources": {"sources": SOURCES, "citations": CITATIONS},
        "m-account": {"provenance": {**PROVENANCE, "sources": SOURCES}, "conversation": "urn:uuid:0b5f57"},
    }
    told = {"language": language, "texts": page_texts("page.live.", language), "values": values}
    styles = "".join(f'<link rel="stylesheet" href="{style}">' for style in loaded.styles)
    label = {"en": "Your message", "fr": "Votre message"}[language]
    answer = "<m-sources></m-sources><m-account></m-account>" if answered else ""
    return f"""<!doctype html><html lang="{language}-CA"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>Parts</title>{styles}
<script type="module" src="{loaded.script}"></script></head><body class="page"><main>
<h1>Parts</h1><h2>{label}</h2>
<div id="parts" data-page="{html.escape(json.dumps(told))}">{answer}
<form id="composer"><label for="prompt">{label}</label>
<div class="parts-row"><m-material></m-material><textarea id="prompt" rows="1"></textarea>
<m-dictation></m-dictation></div></form></div></main></body></html>"""
