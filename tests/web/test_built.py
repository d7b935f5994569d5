"""What the build of the pages leaves: everything from here, nothing inline, an entry for every page."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

import pytest

from menagerie.web.assets import assets

WEB = Path(str(resources.files("menagerie.web")))
BUILT = sorted(file for file in WEB.joinpath("built").rglob("*") if file.suffix in {".css", ".js"})
TEMPLATES = sorted(WEB.joinpath("templates").glob("*.html"))


@pytest.mark.parametrize("file", BUILT, ids=lambda file: str(file.name))
def test_no_file_makes_a_browser_ask_another_host(file: Path) -> None:
    content = file.read_text(encoding="utf-8")

    assert not re.search(r"@import\s|url\(\s*[\"']?(?:https?:)?//", content)
    assert not re.search(r"(?:cdn|googleapis|gstatic|unpkg|jsdelivr)\.", content)


@pytest.mark.parametrize("file", BUILT, ids=lambda file: str(file.name))
def test_nothing_needs_what_the_policy_forbids(file: Path) -> None:
    content = file.read_text(encoding="utf-8")

    assert not re.search(r"\beval\(|new Function\(|url\(\s*[\"']?data:", content)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda file: str(file.name))
def test_every_page_has_been_built(template: Path) -> None:
    if named := re.search(r"block entry %}(\w+){%", template.read_text(encoding="utf-8")):
        entry = assets().entry(named[1])

        assert entry.script.endswith(".js")
        assert entry.styles
        assert not re.search(r"<style|<script(?! type=\"module\" src=)", template.read_text(encoding="utf-8"))
